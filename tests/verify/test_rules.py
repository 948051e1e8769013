"""The rules are data, each is noted somewhere, and nothing is noted that is no rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dirql.errors import ApiError
from dirql.verify import Rule, rule, rules
from dirql.verify.rule import read

SOURCES = Path(__file__).parent.parent.parent / "src" / "dirql"
NOTES = {"note_finding", "complain", "Hang"}  # what is told the id of a rule, as its first argument
SENTENCE = re.compile(r"[A-Z\"'_`].*[^.!]\.$")


def noted() -> Iterator[tuple[str, str]]:
    """Each id that the sources name, with its place."""
    for source in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in NOTES:
                for constant in _constants(node.args[0]):
                    yield constant, f"{source.relative_to(SOURCES)}:{node.lineno}"


def _constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def test_what_is_noted_is_a_rule() -> None:
    assert [(id, place) for id, place in noted() if id not in rules()] == []


def test_every_rule_is_noted_somewhere() -> None:
    named = {node.value for source in SOURCES.rglob("*.py") for node in ast.walk(ast.parse(source.read_text("utf-8")))
             if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # fmt: skip
    assert set(rules()) - named == set()


@pytest.mark.parametrize("one", rules().values(), ids=lambda one: one.id)
def test_the_texts_of_a_rule_are_sentences(one: Rule) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+|[a-z]+", one.id)
    assert SENTENCE.match(one.sentence) and not re.search(r"\. [A-Z]", one.sentence), "one sentence"
    assert SENTENCE.match(one.why) and len(re.findall(r"\. [A-Z]", one.why)) <= 2, "one to three sentences"
    assert SENTENCE.match(one.mend)
    assert not one.source.endswith(".")


def test_rules_come_by_area() -> None:
    areas = [one.area for one in rules().values()]
    assert areas == sorted(areas) and {"interrupts", "irql", "locks"} <= set(areas)


def test_a_rule_that_nobody_wrote_is_refused() -> None:
    with pytest.raises(ApiError, match=r"^there is no rule 'no-such-rule' in dirql/verify/rules; write one there$"):
        rule("no-such-rule")


WHOLE = 'level = "error"\nsentence = "S."\nwhy = "W."\nmend = "M."\nsource = "dirql\'s advice"\n'


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ({"a.toml": "[x]\n" + WHOLE, "b.toml": "[x]\n" + WHOLE},
         "b.toml: the rule x stands in another file too; give one of them another id"),
        ({"a.toml": '[x]\nlevel = "error"\n'},
         "a.toml: the rule x has level; write level, sentence, why, mend, source, a text each"),
        ({"a.toml": "[x]\n" + WHOLE.replace('"M."', '" "')},
         "a.toml: the rule x has level, sentence, why, mend, source; write level, sentence, why, mend, source, a text each"),
        ({"a.toml": "[x]\n" + WHOLE.replace("error", "fatal")},
         "a.toml: the rule x has the level 'fatal'; write one of error, warning, advice"),
    ],
)  # fmt: skip
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, tables: dict[str, str], problem: str) -> None:
    for name, text in tables.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ApiError, match=f"^{re.escape(problem)}$"):
        read(tmp_path)


def test_a_text_may_go_over_several_lines(tmp_path: Path) -> None:
    (tmp_path / "area.toml").write_text("[x]\n" + WHOLE.replace('"W."', '"""A longer\nreason."""'))
    assert read(tmp_path) == {"x": Rule("area", "x", "error", "S.", "A longer reason.", "M.", "dirql's advice")}

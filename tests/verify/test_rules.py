"""The rules are data, each is noted somewhere, and nothing is noted that is no rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dirql.errors import ApiError
from dirql.kernel.stop import BUGCHECKS
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
    assert set(rules()) - named - {f"bugcheck-{code:#x}" for code in raised()} == set()


def raised() -> set[int]:
    """The code of every bugcheck that the sources raise, whichever way they name it; not what a driver asks for."""
    trees = [ast.parse(source.read_text("utf-8")) for source in SOURCES.rglob("*.py")]
    constants: dict[str, set[int]] = {}
    for tree in trees:
        constants |= {name: codes for name, codes in _codes(tree).items() if name.isupper()}
    found: set[int] = set()
    for tree in trees:
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BugCheck"]
        named = constants | _codes(tree) if calls else {}
        for code in (call.args[0] for call in calls):
            found |= {code.value} if isinstance(code, ast.Constant) else named.get(getattr(code, "id", ""), set())
    return found


def _codes(tree: ast.Module) -> dict[str, set[int]]:
    """What each name of a module may be, as far as it is a bugcheck's code."""
    named: dict[str, set[int]] = {}
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Assign)):
        for name, value in _assigned(node.targets[0], node.value):
            codes = {one.value for one in ast.walk(value) if isinstance(one, ast.Constant) and type(one.value) is int}
            named.setdefault(name, set()).update(codes & set(BUGCHECKS))
    return named


def _assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=False):
            yield from _assigned(one, its)


def test_every_bugcheck_that_is_raised_is_a_rule() -> None:
    assert {f"bugcheck-{code:#x}" for code in raised()} - set(rules()) == set()


def test_every_bugcheck_that_has_a_name_is_a_rule_or_nobody_raises_it() -> None:
    never = {code for code in BUGCHECKS if f"bugcheck-{code:#x}" not in rules()}
    assert never == {0x08, 0x4A, 0x9F, 0xC5, 0xC6, 0xC9, 0xE6, 0x101, 0x102}


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

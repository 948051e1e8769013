"""Rules as text: the list of all, by area, and one with everything that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from dirql.report.page import BAD, FAINT, STRONG, Page
from dirql.verify.rule import Rule

__all__ = ["list_text", "rule_text"]


def list_text(rules: Sequence[Rule], width: int = 80, colour: bool = False) -> str:
    """Id, level and sentence of each, under its area."""
    page = Page(colour, width)
    wide = max((len(rule.id) for rule in rules), default=0)
    for number, (area, group) in enumerate(groupby(rules, lambda rule: rule.area)):
        if number:
            page.line()
        page.line(area, STRONG)
        for rule in group:
            page.words(f"{rule.id:{wide}}  {rule.level:7}  {rule.sentence}", hanging=" " * (wide + 13))
    return page.text()


def rule_text(rule: Rule, width: int = 80, colour: bool = False) -> str:
    """All of one."""
    page = Page(colour, width)
    page.line(f"{rule.id} ({rule.level})", BAD if rule.level == "error" else STRONG)
    page.words(rule.sentence, hanging="  ")
    for heading, text in (("Why", rule.why), ("Mend", rule.mend)):
        page.heading(heading)
        page.words(text, hanging="  ")
    page.heading("Source")
    page.words(rule.source, FAINT, hanging="  ")
    return page.text()

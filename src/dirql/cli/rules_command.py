"""`dirql rules`."""

from __future__ import annotations

from typing import Annotated

import typer

from dirql.cli.output import Json, colour, print_json, width
from dirql.errors import UsageError

__all__ = ["rules"]


def rules(
    id: Annotated[str, typer.Argument(metavar="ID", help="A rule, as a finding names it: all that is known of it.")] = "",
    json: Json = False,
) -> None:
    """List the rules that every run is checked against, or tell one: what
    comes of breaking it, what to write instead, and where Windows says so.

    \b
    Examples:
      dirql rules
      dirql rules irql-too-high
      dirql rules --json

    \b
    Exit status: 0 told; 2 no such rule, or bad usage.
    """
    from dirql.report.rules import list_text, rule_text
    from dirql.verify import rules as known

    shown = list(known().values())
    if id:
        shown = [rule for rule in shown if rule.id == id]
        if not shown:
            raise UsageError(_unknown(id, list(known())))
    if json:
        print_json({"rules": [rule.as_json() for rule in shown]})
    elif id:
        print(rule_text(shown[0], width(), colour()))
    else:
        print(list_text(shown, width(), colour()))


def _unknown(id: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(id, known, 3) or [other for other in known if id in other][:3]
    hint = f"did you mean {', '.join(near)}?" if near else "`dirql rules` lists them"
    return f"there is no rule {id!r}; {hint}"

"""`dirql check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dirql.cli.output import Json, colour, print_json, width
from dirql.errors import UsageError

__all__ = ["check"]


def check(
    image: Annotated[str, typer.Argument(metavar="DRIVER.sys", help="A 64-bit driver image.")] = "",
    modelled: Annotated[bool, typer.Option("--modelled", help="List every name that dirql models, and no image.")] = False,
    json: Json = False,
) -> None:
    """Show what a driver image imports and which functions of the framework
    it calls, and which of it dirql models. The image is read, not run.

    \b
    Examples:
      dirql check mqueue.sys
      dirql check mqueue.sys --json
      dirql check --modelled

    \b
    Exit status: 0 all of it is modelled; 1 not all of it; 2 bad input or usage.
    """
    from dirql.check import check_file, modelled_names
    from dirql.check.text import names_text, text

    if modelled:
        if image:
            raise UsageError(f"--modelled lists names and takes no image; leave out {image}, or --modelled")
        names = modelled_names()
        if json:
            print_json([one.as_json() for one in names])
        else:
            print(names_text(names))
        return
    if not image.strip():
        raise UsageError("which driver? give a .sys file, or --modelled for the names that dirql models")
    found = check_file(Path(image))
    if json:
        print_json(found.as_json())
    else:
        told = text(found, width())
        if colour():
            from dirql.report.page import BAD, FAINT, GOOD, STRONG, painted

            bad = r"^not modelled:$|^not to be told.*|^built on .*|^not all of it .*"
            styles = {r"\A\S+:": STRONG, bad: BAD, r"^all of .*": GOOD, r"^    \S+[!+]\S+( \(.*\))?$": FAINT}
            told = painted(told, styles)
        print(told)
    if not found.modelled:
        raise typer.Exit(1)

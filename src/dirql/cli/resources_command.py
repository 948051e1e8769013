"""`dirql resources`."""

from __future__ import annotations

from typing import Annotated

import typer

from dirql.cli.output import Cpus, FunctionAddress, Inf, Json, Line, Messages, colour, one_grant, output_kept_for_json, print_json

__all__ = ["resources"]


def resources(
    source: Annotated[str, typer.Argument(metavar="DUMP|SCENARIO", help="A dump of configuration space, or a scenario (.toml).")],
    cpus: Cpus = None,
    inf: Inf = "",
    messages: Messages = None,
    line: Line = False,
    bar: Annotated[list[str] | None, typer.Option("--bar", metavar="N=SIZE", help="BAR N has SIZE bytes (repeatable).")] = None,
    function: FunctionAddress = "",
    json: Json = False,
) -> None:
    """Show what EvtDevicePrepareHardware is handed: the CM resource
    descriptors, raw and translated, in words and as hex.

    \b
    Without an INF that sets MSISupported a function gets a line only; the
    output then says what to write. A scenario is started for it.

    \b
    Examples:
      dirql resources lspci.txt --cpus 4
      dirql resources lspci.txt --inf card.inf --messages 1
      dirql resources lspci.txt --function 01:00.0 --bar 0=0x20000 --json

    \b
    Exit status: 0 shown; 2 bad input or usage.
    """
    from dirql.cli.resources_of import of_dump, of_scenario, sizes_of
    from dirql.cli.resources_text import text

    one_grant(messages, line)
    if source.endswith(".toml"):
        with output_kept_for_json(json):
            found = of_scenario(source, cpus, inf, messages, line, bool(bar), function)
    else:
        found = of_dump(source, 4 if cpus is None else cpus, inf, messages, line, sizes_of(bar or []), function)
    if json:
        told = [one.as_json() for one in found]
        print_json(told[0] if len(told) == 1 else told)
    else:
        texts = [text(one) for one in found]
        if colour():
            from dirql.report.page import BAD, FAINT, STRONG, painted

            styles = {r"\A\S+ at \S+": STRONG, r"^  synthetic: .*": BAD, r"(?<=  )[0-9a-f]{40}\b": FAINT, r"^note:": STRONG}
            texts = [painted(one, styles) for one in texts]
        print("\n\n".join(texts))

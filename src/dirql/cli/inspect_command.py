"""`dirql inspect`."""

from __future__ import annotations

from typing import Annotated

import typer

from dirql.cli.output import FunctionAddress, Json, colour, print_json, width

__all__ = ["inspect"]


def inspect(
    dump: Annotated[str, typer.Argument(metavar="DUMP", help="lspci -x, -xxx or -xxxx text, a raw file, or a sysfs config.")],
    function: FunctionAddress = "",
    json: Json = False,
) -> None:
    """Decode configuration space as lspci -vv does: header, BARs, MSI, MSI-X,
    PCI Express and the other capabilities.

    \b
    Examples:
      sudo lspci -s 01:00.0 -xxxx | tee card.txt
      dirql inspect card.txt
      dirql inspect /sys/bus/pci/devices/0000:01:00.0/config --json

    \b
    Exit status: 0 decoded; 2 the dump contradicts itself, or bad usage.
    """
    from dirql.pci.inspect import decode, to_json
    from dirql.pci.inspect_text import text
    from dirql.scenario.dump_choice import functions_of

    views = [decode(one) for one in functions_of(dump, function)]
    if json:
        told = [to_json(view) for view in views]
        print_json(told[0] if len(told) == 1 else told)
    else:
        texts = [text(view, width()) for view in views]
        if colour():
            from dirql.report.page import FAINT, STRONG, painted

            bold = {r"^\S.*": STRONG, r"(?<=Capabilities: )\[[^]]*\] [^:]*": STRONG}
            faint = {r"(?<= )[<>]?[\w-]*\w-(?= |$)": FAINT, r"\[size unknown\]": FAINT}
            texts = [painted(one, bold | faint) for one in texts]
        print("\n\n".join(texts))

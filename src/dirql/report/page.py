"""A page of text for a terminal or a file: lines of at most its width, tables, and the colours that all commands share."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dirql.report.words import clean

__all__ = ["BAD", "FAINT", "GOOD", "STRONG", "Page", "Row", "painted"]

BAD, GOOD, FAINT, STRONG = "bold red", "bold green", "dim", "bold"
Row = list[str | Text]


def painted(text: str, styles: Mapping[str, str]) -> str:
    """Finished text with ANSI colours: the style of each regular expression wherever a line matches it."""
    lines = text.split("\n")
    page = Page(True, max(map(len, lines)))
    for one in lines:
        line = Text(one)
        for pattern, style in styles.items():
            line.highlight_regex(pattern, style)
        page.line(line)
    return page.text()


class Page:
    """Lines as they are laid out."""

    def __init__(self, colour: bool, width: int) -> None:
        self.width = width
        self._file = io.StringIO()
        self._console = Console(
            file=self._file, width=width, force_terminal=colour, no_color=not colour, color_system="standard" if colour else None,
            highlight=False, markup=False, emoji=False, legacy_windows=False, force_jupyter=False,
        )  # fmt: skip

    def line(self, text: str | Text = "", style: str = "") -> None:
        """As it is, cut at the width."""
        if isinstance(text, str):
            text = Text(text, style=style)
        self._console.print(text, no_wrap=True, overflow="ellipsis", crop=True)

    def heading(self, text: str, more: str = "") -> None:
        """An empty line, then the section's name and its gist."""
        self.line()
        for index, one in enumerate(textwrap.wrap(f"{text}  {more}" if more else text, self.width, subsequent_indent="  ")):
            start = len(text) if index == 0 else 0
            line = Text(one)
            line.stylize(STRONG, 0, start)
            self.line(line)

    def words(self, text: str, style: str = "", indent: str = "  ", hanging: str = "    ") -> None:
        """Wrapped between words."""
        wrap = textwrap.TextWrapper(self.width, initial_indent=indent, subsequent_indent=hanging, break_on_hyphens=False)
        for one in wrap.wrap(clean(text)):
            self.line(one, style)

    def table(self, columns: Sequence[str], rows: Sequence[Row], left: Sequence[str] = ()) -> None:
        """Numbers to the right, the columns in `left` to the left."""
        if not rows:
            return
        widths = [max(len(name), *(len(row[index]) for row in rows)) for index, name in enumerate(columns)]
        gap = 2 if sum(widths) + 2 * len(widths) - 2 <= self.width else 1
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style=FAINT)
        for index, name in enumerate(columns):
            rigid = widths[index] if index < len(columns) - 1 else None  # only the last column gives way
            justify: Literal["left", "right"] = "left" if name in left else "right"
            table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis", min_width=rigid)
        room = self.width - sum(widths[:-1]) - gap * (len(widths) - 1)
        for row in rows:
            cells = [cell if isinstance(cell, Text) else Text(cell, FAINT if cell == "-" else "") for cell in row]
            cells[-1].truncate(max(room, 1), overflow="ellipsis")  # rich would leave out whole words without a sign
            table.add_row(*cells)
        self._console.print(table)

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._file.getvalue().rstrip("\n").split("\n"))

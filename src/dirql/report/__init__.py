"""What a run shows: plain values, and their text and JSON. Nothing here sees the machine."""

from dirql.report.model import InterruptRow, MessageRow, Report
from dirql.report.text import render

__all__ = ["InterruptRow", "MessageRow", "Report", "render"]

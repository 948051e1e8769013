"""The table of `dirql bench`: what the JSON says, in 80 columns; each line with the style that a terminal gives it."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

__all__ = ["Line", "lines"]

Line = tuple[str, str]  # the text, a rich style or ""
WIDTH = 80
ABOUT = (
    "Medians of interleaved rounds after a warm-up, all in one process; garbage is collected before each round and the "
    "collector stays on. Indented: what stands beside a figure, and the figure as a multiple of it."
)


def number(value: float) -> str:
    """Three digits or more, enough to compare by eye."""
    places = next((places for least, places in ((100, 0), (10, 1), (0.1, 2)) if value >= least), None)
    return f"{value:.3g}" if places is None else f"{value:,.{places}f}"


def _limit(value: float | None, lower_is_better: bool, suffix: str = "") -> str:
    return "" if value is None else f"{'<=' if lower_is_better else '>='} {number(value)}{suffix}"


def _row(name: str, value: str, unit: str, target: str, verdict: str) -> str:
    return f"{name:<38}{value:>10} {unit:<6}{target:>11}  {verdict}".rstrip()


def _figure(figure: dict[str, Any]) -> list[Line]:
    name, value, unit = figure["name"], figure["value"], figure["unit"]
    if value is None:
        why = wrap(figure["why"], WIDTH - 2)
        return [(_row(name, "-", unit, "", "not measured"), "red"), *((f"  {line}", "red") for line in why)]
    lower, limit = figure["lower_is_better"], figure["target"]
    missed = limit is not None and (value > limit if lower else value < limit)
    verdict = "" if limit is None else "missed" if missed else "met"
    text = [(_row(name, number(value), unit, _limit(limit, lower), verdict), "bold yellow" if missed else "bold")]
    for beside, other in figure["beside"].items():
        ratio, least = figure["ratio"].get(beside), figure["ratio_target"].get(beside)
        words = "" if ratio is None else f"{ratio:.2f}x" if ratio < 10 else f"{number(ratio)}x"
        missed = ratio is not None and least is not None and ratio < least
        if ratio is not None and least is not None:
            words += " missed" if missed else " met"
        text.append((_row(f"  {beside}", number(other), unit, _limit(least, False, "x"), words), "yellow" if missed else ""))
    return text


def lines(found: dict[str, Any]) -> list[Line]:
    """The whole table."""
    machine = found["machine"]
    on = f"{machine['python']}, {machine['platform']}, {machine['cpus']} x {machine['cpu']}"
    text: list[Line] = [(line, "") for line in wrap(on, WIDTH)]
    text += [(line, "dim") for line in wrap(ABOUT, WIDTH)]
    text += [("", ""), (_row("figure", "value", "unit", "target", ""), "underline")]
    for figure in found["figures"]:
        text += _figure(figure)
    for name, peer in found.get("peers", {}).items():
        versions = ", ".join(f"{package} {version}" for package, version in peer["versions"].items())
        text += [("", ""), *((line, "") for line in wrap(f"{name}: {versions or peer['problem']}", WIDTH))]
    return text

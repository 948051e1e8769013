"""The table of `dirql bench`: what the JSON says, in 80 columns; each line with the style that a terminal gives it."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

__all__ = ["Line", "lines"]

Line = tuple[str, str]  # the text, a rich style or ""
WIDTH = 80
ABOUT = (
    "Medians of interleaved rounds after a warm-up, all in one process; garbage is collected before each round and the "
    "collector stays on. Indented: what stands beside a figure in the same rounds."
)


def number(value: float) -> str:
    """Enough digits to compare by eye."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 0.1 else f"{value:.2f}"


def _limit(value: float, lower_is_better: bool) -> str:
    return f"{'<=' if lower_is_better else '>='} {number(value)}"


def _row(name: str, value: str, unit: str, target: str, verdict: str) -> str:
    return f"{name:<38}{value:>10} {unit:<6}{target:>12}  {verdict}".rstrip()


def _figure(figure: dict[str, Any]) -> list[Line]:
    name, value, unit = figure["name"], figure["value"], figure["unit"]
    if value is None:
        why = wrap(figure["why"], WIDTH - 2)
        return [(_row(name, "-", unit, "", "not measured"), "red"), *((f"  {line}", "red") for line in why)]
    lower, limit = figure["lower_is_better"], figure["target"]
    target = _limit(limit, lower) if limit is not None else ""
    kept = limit is None or (value <= limit if lower else value >= limit)
    verdict = "" if limit is None else "met" if kept else "missed"
    text = [(_row(name, number(value), unit, target, verdict), "bold" if kept else "bold yellow")]
    for beside, other in figure["beside"].items():
        ratio = figure["ratio"].get(beside)
        least = figure["ratio_target"].get(beside)
        words = f"{number(ratio)} of it" if ratio is not None else ""
        good = ratio is None or least is None or ratio >= least
        if least is not None:
            words += f", {'target' if good else 'missed'} {_limit(least, False)}"
        text.append((f"  {beside:<36}{number(other):>10} {unit:<6} {words}".rstrip(), "" if good else "yellow"))
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

"""Where a search may choose, in words: what "exhausted" holds for."""

from __future__ import annotations

from dirql.explore.trial import Plan

__all__ = ["granularity_of"]


def granularity_of(plan: Plan) -> str:
    """Of all drivers of the scenario together."""
    scenario = plan.scenario
    points = []
    if any(driver.python for driver in scenario.drivers):
        points.append("every routine call, register access and access to data that a driver changes")
    if any(driver.image or driver.source for driver in scenario.drivers):
        match scenario.preempt:
            case None:
                points.append("every API call and register access of an image")
            case 0:
                points.append("every API call, register access and memory access of an image")
            case _:
                many = f"every {scenario.preempt:,} of its instructions"
                points.append(f"every API call and register access of an image, and {many}")
    return "; ".join(points)

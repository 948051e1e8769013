"""Scenario files: one TOML file says the machine, the devices, the drivers, what is granted and what happens.

`dirql.scenario.play` runs them; it is not imported here, since it needs the whole machine.
"""

from dirql.scenario.steps import Step
from dirql.scenario.values import DeviceSource, DriverSource, Scenario

__all__ = ["DeviceSource", "DriverSource", "Scenario", "Step"]

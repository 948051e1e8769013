"""Writing a device model: a class that reads like a data sheet."""

from dirql.device.declare import Bar, Msi, Msix
from dirql.device.device import Device
from dirql.device.signal import InterruptSignal, Line

__all__ = ["Bar", "Device", "InterruptSignal", "Line", "Msi", "Msix"]

"""dirql runs the interrupt path of a PCIe driver against a PCIe device that one can hold still.

`dirql.System(cpus=4)` is a machine with Windows on it; `dirql.wdf` is what a driver is written with, `dirql.device` what a
device model is. Each is loaded when it is first named, so that a command which needs little starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dirql import device, wdf
    from dirql.device.models import Edu, MultiQueue
    from dirql.errors import DirqlError, InputError, UsageError
    from dirql.kernel.stop import BugCheck, Hang, Stop
    from dirql.pnp.grant import GrantChoice
    from dirql.system import System
    from dirql.wdf.framework import Verifier

__all__ = [
    "BugCheck", "DirqlError", "Edu", "GrantChoice", "Hang", "InputError", "MultiQueue", "Stop", "System", "UsageError",
    "Verifier", "device", "wdf",
]  # fmt: skip

# fmt: off
_HOME = {
    "BugCheck":    "dirql.kernel.stop",
    "DirqlError":  "dirql.errors",
    "Edu":         "dirql.device.models",
    "GrantChoice": "dirql.pnp.grant",
    "Hang":        "dirql.kernel.stop",
    "InputError":  "dirql.errors",
    "MultiQueue":  "dirql.device.models",
    "Stop":        "dirql.kernel.stop",
    "System":      "dirql.system",
    "UsageError":  "dirql.errors",
    "Verifier":    "dirql.wdf.framework",
}
# fmt: on


def __getattr__(name: str) -> Any:
    """PEP 562: import on first use."""
    if name in ("device", "wdf"):
        return import_module(f"dirql.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'dirql' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

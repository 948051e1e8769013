"""Failures as choices: an allocation fails, the grant shrinks, the device is pulled out, power goes down. One of them in a run.

Limits: power goes down and up again as for a sleeping system, one device at a time; a WDM driver's device has no such transition
yet. It sleeps for 1 ms of virtual time, so that what a driver does later than that is not seen in Dx. The grant is chosen before
the devices are started, for all of them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dirql import ntstatus
from dirql.errors import UsageError
from dirql.explore.director import Director
from dirql.machine.chooser import Option
from dirql.pci.function import Function
from dirql.pnp.grant import GrantChoice
from dirql.pnp.manager import DevNode
from dirql.scenario.play import Play
from dirql.wdf.pnp_state import PnpStateMachine
from dirql.wdf.power_state import PowerDeviceState

__all__ = ["KINDS", "Faults", "check_faults"]

KINDS = ("alloc", "grant", "remove", "power")
INTERRUPT_PIN = 0x3D
ASLEEP = 1_000_000  # ns: what the driver left behind, a timer or a DPC, may come meanwhile


def check_faults(kinds: Iterable[str], begin: str) -> tuple[str, ...]:
    """In one order; UsageError for what is no fault, and for a grant that was made before the choices begin."""
    asked = set(kinds)
    unknown = sorted(asked - set(KINDS))
    if unknown:
        raise UsageError(f"--faults {','.join(unknown)}: there is no such fault; give some of {', '.join(KINDS)}")
    if "grant" in asked and begin != "start":
        raise UsageError("--faults grant: the grant is made before the workload begins; leave --from work out")
    return tuple(kind for kind in KINDS if kind in asked)


@dataclass
class _Event:
    """What lands when it is chosen, and not by itself."""

    name: str
    land: Callable[[], None]
    now: Callable[[], int]

    def due(self) -> int:
        """At once."""
        return self.now()

    def land_one(self) -> None:
        """It happens."""
        self.land()


class Faults:
    """Those of one run. `happened` tells which one was chosen; nothing after it."""

    def __init__(self, kinds: tuple[str, ...], director: Director, play: Play) -> None:
        self.kinds, self.director, self.play = kinds, director, play
        self.happened = ""
        if "alloc" in kinds:
            play.system.machine.fails = self._fails

    def begin(self) -> None:
        """A run begins."""
        self.happened = ""
        if "grant" in self.kinds:
            self._choose_grant()

    def started(self) -> None:
        """The devices are there: what happens to them may happen from here on."""
        machine = self.play.system.machine
        for card in self.play.cards:
            node = self.play.system.node(card.function)
            for kind, land in (("remove", self._remove), ("power", self._power)):
                if kind in self.kinds and node.stack is not None:
                    event = _Event(f"{kind} {node.name}", _bound(land, node), lambda: machine.time)
                    self.director.offer(Option(f"fault:{event.name}", event))

    def over(self) -> None:
        """The devices are about to be removed in an orderly way: PnP does one thing after the other."""
        self.director.withdraw()

    def _take(self, what: str) -> None:
        self.happened = what
        self.director.withdraw()

    def _fails(self, routine: str) -> bool:
        """Does this allocation fail?"""
        if self.happened or self.director.pick("fault", ("ok", f"fault:{routine}")) == 0:
            return False
        self._take("alloc")
        return True

    def _choose_grant(self) -> None:
        scenario = self.play.scenario
        if scenario.grant.kind != "all":
            return
        grants = {"ok": GrantChoice.all(), "fault:one message": GrantChoice.one()}
        if all(_has_line(card.function) for card in self.play.cards):
            grants["fault:line"] = GrantChoice.line()
        taken = self.director.pick("fault", tuple(grants))
        self.play.grant = list(grants.values())[taken]
        if taken:
            self._take("grant")

    def _remove(self, node: DevNode) -> None:
        """The lanes are lost now; PnP hears of it on a thread of its own."""
        system = self.play.system
        self._take("remove")
        node.port.remove()
        system.kernel.dispatcher.create(lambda _: system.pnp.surprise_remove(node), None, "surprise removal")

    def _power(self, node: DevNode) -> None:
        self._take("power")
        if isinstance(node.stack, PnpStateMachine):
            device = node.stack.device
            self.play.system.kernel.dispatcher.create(lambda _: _sleep_and_wake(device), None, "system power")


def _bound(land: Callable[[DevNode], None], node: DevNode) -> Callable[[], None]:
    return lambda: land(node)


def _has_line(function: Function) -> bool:
    return bool(function.config_read(INTERRUPT_PIN, 1))


def _sleep_and_wake(device: Any) -> None:
    """To D3 and back, as when the system sleeps."""
    power = device.power
    power.enter()
    if power.state == PowerDeviceState.D0:
        power.down(PowerDeviceState.D3)
        device.pdo.set_power(3)
        device.framework.kernel.ke_delay_execution_thread(ASLEEP)
        device.pdo.set_power(0)
        if not ntstatus.nt_success(power.up()):
            device.pnp.power_up_failed()
    power.leave()

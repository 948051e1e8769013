"""A system with one card and a driver that records: every callback, ISR and DPC ends up in `log`, with the IRQL it ran at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dirql import ntstatus, wdf
from dirql.device.models import MultiQueue
from dirql.kernel.stop import Stop
from dirql.machine import Chooser
from dirql.pnp.grant import GrantChoice
from dirql.pnp.inf import Inf
from dirql.system import System

__all__ = ["World", "inf"]

ROOT = "Interrupt Management"


def inf(messages: bool = True, policy: int | None = 5) -> Inf:
    """The card's INF; a policy of the registry's keeps a driver's own out, so that can be left away."""
    lines = [rf'HKR, "{ROOT}\MessageSignaledInterruptProperties", MSISupported, 0x00010001, {int(messages)}']
    if policy is not None:
        lines.append(rf'HKR, "{ROOT}\Affinity Policy", DevicePolicy, 0x00010001, {policy}')
    text = "\r\n".join([
        "[Version]", 'Signature = "$WINDOWS NT$"', "Class = Net", "ClassGuid = {4d36e972-e325-11ce-bfc1-08002be10318}",
        "Provider = P", "CatalogFile = c.cat", "DriverVer = 01/01/2026,1.0", "PnpLockdown = 1",
        "[Manufacturer]", "P = Cards,NTamd64", "[Cards.NTamd64]", r"Card = Install, PCI\VEN_1234&DEV_4D51",
        "[Install.NT]", "[Install.NT.HW]", "AddReg = Registry", "[Registry]", *lines,
        "[Install.NT.Services]", "AddService = c, 2, Service",
        "[Service]", "ServiceType = 1", "StartType = 3", "ErrorControl = 1", r"ServiceBinary = %13%\c.sys",
    ])  # fmt: skip
    return Inf.parse(text.encode())


class Recording(wdf.Device):
    """A device whose callbacks do what `World.on` says, after they have been written down."""

    world: World

    def evt_device_filter_remove_resource_requirements(self, requirements: Any) -> Any:
        return self.world.do("FilterRemove", requirements)

    def evt_device_filter_add_resource_requirements(self, requirements: Any) -> Any:
        return self.world.do("FilterAdd", requirements)

    def evt_device_remove_added_resources(self, raw: Any, translated: Any) -> Any:
        return self.world.do("RemoveAdded", raw, translated)

    def evt_device_prepare_hardware(self, raw: Any, translated: Any) -> Any:
        self.registers = None
        for resource in translated:
            if resource.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(resource.u.start, resource.u.length)
        if self.world.in_prepare:
            for pair in self.world.pairs(raw, translated)[: self.world.most]:
                self.world.create(*pair)
        return self.world.do("PrepareHardware", raw, translated)

    def evt_device_release_hardware(self, translated: Any) -> Any:
        result = self.world.do("ReleaseHardware", translated)
        self.registers.unmap()
        return result

    def evt_device_d0_entry(self, previous_state: int) -> Any:
        return self.world.do("D0Entry", previous_state)

    def evt_device_d0_entry_post_interrupts_enabled(self, previous_state: int) -> Any:
        return self.world.do("PostInterruptsEnabled", previous_state)

    def evt_device_d0_exit_pre_interrupts_disabled(self, target_state: int) -> Any:
        return self.world.do("PreInterruptsDisabled", target_state)

    def evt_device_d0_exit(self, target_state: int) -> Any:
        return self.world.do("D0Exit", target_state)

    def evt_device_self_managed_io_init(self) -> Any:
        return self.world.do("SmIoInit")

    def evt_device_self_managed_io_restart(self) -> Any:
        return self.world.do("SmIoRestart")

    def evt_device_self_managed_io_suspend(self) -> Any:
        return self.world.do("SmIoSuspend")

    def evt_device_self_managed_io_flush(self) -> Any:
        return self.world.do("SmIoFlush")

    def evt_device_self_managed_io_cleanup(self) -> Any:
        return self.world.do("SmIoCleanup")

    def evt_device_query_stop(self) -> Any:
        return self.world.do("QueryStop")

    def evt_device_query_remove(self) -> Any:
        return self.world.do("QueryRemove")

    def evt_device_surprise_removal(self) -> Any:
        return self.world.do("SurpriseRemoval")


class World:
    """`on[name]` is what a callback does: a status, or a function of its arguments; `on["Enable", 1]` is one interrupt's.

    `in_add` interrupts are created in EvtDriverDeviceAdd; with `in_prepare`, one per message in EvtDevicePrepareHardware.
    `config` are further fields of their WDF_INTERRUPT_CONFIG.
    """

    def __init__(
        self, queues: int = 2, *, cpus: int = 2, in_add: int = 0, in_prepare: bool = True, most: int = 99, policy: int | None = 5,
        messages: bool = True, kmdf: bool = False, chooser: Chooser | None = None, pageable: bool = True, owner: bool = True,
        idle: wdf.S0IdleSettings | None = None, add: Callable[[World], None] | None = None, level: int = 1, scope: int = 1,
        attributes: wdf.ObjectAttributes | None = None, trace: bool = False, **config: Any,
    ) -> None:  # fmt: skip
        world = self
        self.log: list[Any] = []
        self.irqls: dict[Any, int] = {}
        self.on: dict[Any, Any] = {}
        self.in_prepare, self.most, self.config, self.attributes = in_prepare, most, config, attributes
        self.interrupts: list[wdf.Interrupt] = []
        self.device: Any = None

        class Recorder(wdf.Driver):
            def evt_driver_device_add(self, init: wdf.DeviceInit) -> Any:
                if not pageable:
                    init.set_power_not_pageable()
                init.set_power_policy_ownership(owner)
                attributes = wdf.ObjectAttributes(
                    execution_level=level, synchronization_scope=scope, evt_cleanup_callback=lambda o: world.do("Cleanup"),
                )  # fmt: skip
                world.log.append("DeviceAdd")
                kind = type("Recording", (Recording,), {"world": world})
                world.device = device = kind.create(init, attributes)
                if idle is not None:
                    device.assign_s0_idle_settings(idle)
                for _ in range(in_add):
                    world.create()
                if add is not None:
                    add(world)
                return world.act("DeviceAdd")

            def evt_driver_unload(self) -> None:
                world.do("Unload")

        self.system = System(cpus, verifier=wdf.Verifier(kmdf=kmdf), chooser=chooser, memory=1 << 21, trace=trace)
        self.kernel, self.framework = self.system.kernel, self.system.framework
        self.card = self.system.plug(MultiQueue(queues))
        self.driver = self.system.load(Recorder, inf(messages, policy))

    # The driver's part.

    def create(
        self, raw: Any = None, translated: Any = None, attributes: wdf.ObjectAttributes | None = None, **fields: Any
    ) -> wdf.Interrupt:
        """WdfInterruptCreate with recording callbacks."""
        values: dict[str, Any] = {
            "evt_interrupt_isr": self.isr, "evt_interrupt_dpc": self.dpc, "evt_interrupt_enable": self.enable,
            "evt_interrupt_disable": self.disable, **self.config, **fields,
        }  # fmt: skip
        config = wdf.InterruptConfig(interrupt_raw=raw, interrupt_translated=translated, **values)
        interrupt = wdf.Interrupt.create(self.device, config, attributes or self.attributes)
        self.interrupts.append(interrupt)
        return interrupt

    def pairs(self, raw: Iterable[Any], translated: Iterable[Any]) -> list[tuple[Any, Any]]:
        """One (raw, translated) per message, or per line."""
        found = []
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeInterrupt:
                found += [(one_raw, one)] * (one_raw.u.message_count if one.is_message else 1)
        return found

    def isr(self, interrupt: wdf.Interrupt, message_id: int) -> Any:
        self.note("Isr", message_id)
        interrupt.queue_dpc_for_isr()
        result = self.act(("Isr", message_id), interrupt)
        return True if result is None else result

    def dpc(self, interrupt: wdf.Interrupt, device: Any) -> None:
        assert device is self.device
        self.do(("Dpc", interrupt.message_number), interrupt)

    def enable(self, interrupt: wdf.Interrupt, device: Any) -> Any:
        return self.do(("Enable", interrupt.message_number), interrupt)

    def disable(self, interrupt: wdf.Interrupt, device: Any) -> Any:
        return self.do(("Disable", interrupt.message_number), interrupt)

    def note(self, *what: Any) -> None:
        """Into the log; the IRQL is kept beside it."""
        event = what if len(what) > 1 else what[0]
        self.log.append(event)
        self.irqls[event] = self.system.machine.cpu.irql

    def do(self, event: Any, *args: Any) -> Any:
        """Write it down and do what was asked for it."""
        self.note(*event) if isinstance(event, tuple) else self.note(event)
        return self.act(event, *args)

    def act(self, event: Any, *args: Any) -> Any:
        action = self.on.get(event)
        return action(*args) if callable(action) else action

    # The test's part.

    def start(self, grant: GrantChoice | None = None) -> int:
        """Start the device; its NTSTATUS."""
        return self.system.start(grant)

    def started(self, grant: GrantChoice | None = None) -> World:
        """Start it, which works, and forget how."""
        status = self.start(grant)
        assert status == 0, ntstatus.name_of(status)
        self.log.clear()
        return self

    def call(self, routine: Callable[..., Any], *args: Any) -> Any:
        """On a system thread, until nothing is left to happen."""
        return self.system.call(routine, *args)

    def failure(self, routine: Callable[..., Any], *args: Any) -> str:
        """What the StatusError says that `routine` fails with; "" if it works."""
        try:
            self.call(routine, *args)
        except ntstatus.StatusError as error:
            return str(error)
        return ""

    def stop_code(self, routine: Callable[..., Any], *args: Any) -> tuple[Any, ...]:
        """Code and parameters of the bugcheck that `routine` ends in."""
        try:
            self.call(routine, *args)
        except (Exception, Stop):
            stop: Any = self.system.stopped
            return (stop.code, *stop.parameters) if hasattr(stop, "code") else (stop.rule,)
        return ()

    def fire(self, *entries: int) -> None:
        """Messages of these table entries at once, and what follows."""
        for entry in entries:
            self.card.msix.fire(entry)
        self.system.run()

    def during(self, event: Any, action: Callable[..., Any]) -> None:
        """Do `action` inside a callback."""
        self.on[event] = lambda *args: action(*args)

    @property
    def findings(self) -> list[tuple[str, str]]:
        """(rule, sentence) of each."""
        return [(f.rule, f.sentence) for f in self.system.findings]

    def at_irql(self, irql: int, routine: Callable[..., Any], *args: Any) -> Any:
        """`routine` on a system thread whose processor was raised to `irql`."""

        def raised() -> Any:
            old = self.kernel.ke_raise_irql(irql)
            result = routine(*args)
            self.kernel.ke_lower_irql(old)
            return result

        return self.call(raised)

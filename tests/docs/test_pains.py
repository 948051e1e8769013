"""What driver developers report about MSI and MSI-X, one true sentence each: docs/pains.md shows how to reproduce it."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path

import pytest

from dirql import wdf
from dirql.device import Bar, Device, Msi, Msix
from dirql.device.models import MultiQueue
from dirql.kernel import KInterrupt
from dirql.layout import Block
from dirql.pnp import GUID_BUS_INTERFACE_STANDARD, GUID_MSIX_TABLE_CONFIG_INTERFACE, GrantChoice, Inf
from dirql.scenario import Scenario
from dirql.scenario.play import run
from dirql.system import System

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "multiqueue"
ONE_PROCESSOR, ALL_PROCESSORS, SPREAD = "2", "3", "5"
ALL_ONES = 0xFFFF_FFFF


def play(name: str):
    """The report of one of the shipped scenarios."""
    return run(Scenario.load(EXAMPLES / f"{name}.toml"))


def inf_for(card, *, supported: str = "1", limit: str = "", policy: str = SPREAD, override: str = "") -> Inf:
    """An INF that sets what is given; an empty text leaves the value out."""
    properties = r"Interrupt Management\MessageSignaledInterruptProperties"
    affinity = r"Interrupt Management\Affinity Policy"
    values = {"MSISupported": supported, "MessageNumberLimit": limit, "DevicePolicy": policy}
    keys = {"DevicePolicy": affinity}
    lines = [f'HKR, "{keys.get(n, properties)}", {n}, 0x00010001, {value}' for n, value in values.items() if value]
    if override:
        lines.append(f'HKR, "{affinity}", AssignmentSetOverride, 0x00000001, {override}')
    ids = f"PCI\\VEN_{card.config_read(0, 2):04X}&DEV_{card.config_read(2, 2):04X}"
    return Inf.parse(
        "\n".join([
            "[Version]", 'Signature = "$WINDOWS NT$"', "[Manufacturer]", "Us = Cards,NTamd64", "[Cards.NTamd64]",
            f"Card = Install, {ids}", "[Install.NT]", "[Install.NT.HW]", "AddReg = Interrupts", "[Interrupts]", *lines,
        ]).encode()
    )  # fmt: skip


class Probe(wdf.Device):
    """An interrupt object for each message (or the line); `calls` keeps what each ISR and DPC saw."""

    def evt_device_prepare_hardware(self, raw, translated):
        self.calls, self.registers = [], None
        options = self.interrupt_options()
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.type == wdf.CmResourceType.CmResourceTypeInterrupt:
                for _ in range(one_raw.u.message_count if one.is_message else 1):
                    self.create_interrupt_of(one_raw, one, options)

    def interrupt_options(self):
        return {}

    def create_interrupt_of(self, raw, translated, options):
        config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=raw, interrupt_translated=translated, **options)
        wdf.Interrupt.create(self, config)

    def isr(self, interrupt, message_id):
        self.calls.append(("isr", message_id, self.kernel.ke_get_current_processor_number()))
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.calls.append(("dpc", interrupt.message_number, self.kernel.ke_get_current_processor_number()))


def started(card, device_class=Probe, inf=None, grant=None, **options):
    """A machine with the card and a driver whose device is of `device_class`, started; and the device."""
    made = []

    class ProbeDriver(wdf.Driver):
        def evt_driver_device_add(self, init):
            made.append(device_class.create(init))
            added = getattr(made[0], "added", None)
            return added() if added is not None else None

    system = System(**options)
    system.plug(card)
    system.load(ProbeDriver, inf or inf_for(card))
    status = system.start(grant)
    return system, made[0], status


def test_01_the_message_id_tells_the_queue_and_no_register_is_read_in_an_isr():
    report = play("nine_messages")
    assert report.clean and report.registers_read_at_dirql == 0
    assert [row.serves for row in report.interrupts] == [*((f"queue {q}",) for q in range(8)), ("admin",)]


@pytest.mark.parametrize(
    ("scenario", "delivered", "merged", "isr_calls"),
    [
        ("twice_one_processor", 1, 1, 1),
        ("twice_two_processors", 2, 0, 2),
        ("two_vectors_one_processor", 2, 0, 2),
        ("two_vectors_two_processors", 2, 0, 2),
    ],
)
def test_01_two_messages_at_once_are_one_isr_call_only_with_one_vector_on_one_processor(scenario, delivered, merged, isr_calls):
    report = play(scenario)
    assert sum(row.sent for row in report.messages) == 2
    assert (sum(row.delivered for row in report.messages), sum(row.merged for row in report.messages)) == (delivered, merged)
    assert sum(row.isr_calls for row in report.interrupts) == isr_calls


def test_02_a_sample_for_messages_ships_and_its_message_id_is_not_always_0():
    report = play("nine_messages")
    assert {row.object for row in report.interrupts if row.isr_calls} == set(range(8))


class Page(Block, size=0x1000):
    """Registers of no interest."""


class Four(Device, vendor=0x1234, device=0x0104):
    """Four MSI messages."""

    regs = Bar(0, Page)
    msi = Msi(messages=4)


class Eight(Device, vendor=0x1234, device=0x0108):
    """Eight MSI messages."""

    regs = Bar(0, Page)
    msi = Msi(messages=8)


def test_03_two_cards_with_four_and_eight_msi_messages_both_connect():
    system, devices = System(cpus=4), []

    class CardDriver(wdf.Driver):
        def evt_driver_device_add(self, init):
            devices.append(Probe.create(init))

    class OtherDriver(CardDriver):
        """The other card's."""

    for card, driver in ((Four(), CardDriver), (Eight(), OtherDriver)):
        system.plug(card)
        system.load(driver, inf_for(card))
    assert system.start() == wdf.STATUS_SUCCESS
    taken = [(i.info.vector, i.info.target_processor_set) for device in devices for i in device.interrupts]
    assert len(taken) == len(set(taken)) == 12


def test_03_a_connect_that_fails_is_status_device_power_failure_and_unwinds_what_came_before():
    class SomebodyElseHasTheThird(Probe):
        def interrupt_options(self):
            return {"evt_interrupt_enable": self.note, "evt_interrupt_disable": self.note}

        def evt_device_prepare_hardware(self, raw, translated):
            super().evt_device_prepare_hardware(raw, translated)
            info = self.interrupts[2].info
            foreign = KInterrupt(
                self.kernel, lambda *_: False, None, vector=info.vector, irql=info.irql, synchronize_irql=info.irql,
                affinity=info.target_processor_set, latched=True, share=False, name="somebody else's",
            )  # fmt: skip
            self.kernel.interrupts.connect(foreign)

        def note(self, interrupt, device):
            return None

        def evt_device_d0_exit(self, target_state):
            return None

        def evt_device_release_hardware(self, translated):
            return None

    system, _, status = started(MultiQueue(), SomebodyElseHasTheThird)
    assert status == wdf.STATUS_DEVICE_POWER_FAILURE
    assert system.framework.callbacks[2:] == [
        ("EvtInterruptEnable", "interrupt0"), ("EvtInterruptEnable", "interrupt1"),
        ("EvtInterruptDisable", "interrupt1"), ("EvtInterruptDisable", "interrupt0"),
        ("EvtDeviceD0Exit", "MultiQueue"), ("EvtDeviceReleaseHardware", "MultiQueue"),
    ]  # fmt: skip


class SlowDpc(Probe):
    """Its DPC takes 50 µs."""

    def isr(self, interrupt, message_id):
        queued = interrupt.queue_dpc_for_isr()
        self.calls.append(("isr", queued, interrupt.kdpc.running))
        return True

    def dpc(self, interrupt, device):
        self.kernel.ke_stall_execution_processor(50)
        self.calls.append(("dpc", self.kernel.ke_get_current_processor_number(), interrupt.kdpc.running))


def test_04_an_isr_that_preempts_its_own_dpc_queues_it_again_with_true_and_it_runs_a_second_time():
    card = MultiQueue()
    system, device, _ = started(card, SlowDpc, inf_for(card, policy=ONE_PROCESSOR))
    card.msix.fire(3)
    card.after(20_000, lambda: card.msix.fire(3))
    system.run()
    assert [(what, answer) for what, answer, _ in device.calls if what == "isr"] == [("isr", True), ("isr", True)]
    dpcs = [(cpu, running) for what, cpu, running in device.calls if what == "dpc"]
    assert len(dpcs) == 2 and dpcs[0] == dpcs[1] and device.calls[1][2] == 1  # the second ISR came while the DPC ran


def test_05_a_flag_between_isr_and_dpc_loses_the_second_message():
    class Flagged(SlowDpc):
        busy = False
        seen = 0

        def isr(self, interrupt, message_id):
            if not self.busy:
                self.busy = True
                interrupt.queue_dpc_for_isr()
            return True

        def dpc(self, interrupt, device):
            self.seen += 1
            self.kernel.ke_stall_execution_processor(50)
            self.busy = False

    card = MultiQueue()
    system, device, _ = started(card, Flagged, inf_for(card, policy=ONE_PROCESSOR))
    card.msix.fire(3)
    card.after(20_000, lambda: card.msix.fire(3))
    system.run()
    assert (card.fates[3].delivered, device.seen) == (2, 1)


def test_06_one_dpc_runs_on_two_processors_at_once():
    card = MultiQueue()
    system, device, _ = started(card, SlowDpc, inf_for(card, policy=ALL_PROCESSORS))
    card.msix.fire(3)
    card.after(20_000, lambda: card.msix.fire(3))
    system.run()
    dpcs = [(cpu, running) for what, cpu, running in device.calls if what == "dpc"]
    assert len({cpu for cpu, _ in dpcs}) == 2 and max(running for _, running in dpcs) == 2


@pytest.mark.parametrize("scenario", ["three_messages", "two_messages", "one_message", "vectors_run_out", "line"])
def test_07_fewer_messages_than_queues_leave_nothing_unserved(scenario):
    report = play(scenario)
    assert report.clean and report.unserved == [] and report.granted < 9


def test_08_a_message_whose_interrupt_has_no_dpc_is_a_bugcheck_when_one_is_queued():
    class Pathless(Probe):
        def create_interrupt_of(self, raw, translated, options):
            dpc = self.dpc if len(self.interrupts) < 6 else None
            wdf.Interrupt.create(self, wdf.InterruptConfig(self.isr, dpc, interrupt_raw=raw, interrupt_translated=translated))

    card = MultiQueue()
    system, _, _ = started(card, Pathless)
    card.msix.fire(6)
    system.run()
    assert str(system.stopped) == (
        "bugcheck 0xd1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x0, 0x2, 0x8, 0x0): interrupt6 queued a DPC but has no EvtInterruptDpc"
    )


def test_08_a_message_without_an_interrupt_object_stays_latched_in_its_masked_entry():
    class FivePaths(Probe):
        def create_interrupt_of(self, raw, translated, options):
            if len(self.interrupts) < 5:
                super().create_interrupt_of(raw, translated, options)

    card = MultiQueue()
    system, device, _ = started(card, FivePaths)
    card.msix.fire(6)
    system.run()
    assert (card.fates[6].latched, device.calls) == (1, [])


@pytest.mark.parametrize(("limit", "granted"), [("256", 256), ("257", 257)])
def test_09_a_message_number_limit_that_forgets_the_admin_source_is_one_message_short(limit, granted):
    card = MultiQueue(queues=256)
    system, _, _ = started(card, inf=inf_for(card, limit=limit))
    assert (system.report().asked, system.report().granted) == (granted, granted)


def test_10_a_vector_that_the_card_refuses_reads_back_as_none():
    class Careless(Probe):
        def evt_device_d0_entry(self, previous_state):
            self.registers.write_register_ushort(0x14, 9)  # admin_vector: the card has vectors 0 to 8
            self.read_back = self.registers.read_register_ushort(0x14)

    _, device, _ = started(MultiQueue(), Careless)
    assert device.read_back == 0xFFFF


def test_11_an_array_sized_by_queues_and_indexed_by_message_is_a_bugcheck_with_the_drivers_line():
    class OneShort(Probe):
        def isr(self, interrupt, message_id):
            return [True] * 8 and ([None] * 8)[message_id] is None

    card = MultiQueue()
    system, _, _ = started(card, OneShort)
    card.msix.fire(8)
    system.run()
    assert str(system.stopped).startswith(
        "bugcheck 0x1e KMODE_EXCEPTION_NOT_HANDLED (0x0, 0x0, 0x0, 0x0): IndexError: list index out of range (test_pains.py:"
    )


def test_12_a_rebalance_keeps_the_message_numbers_of_interrupts_made_in_device_add():
    class Early(Probe):
        def evt_device_prepare_hardware(self, raw, translated):
            self.numbers = [(i.message_number, bool(i.info.vector)) for i in self.interrupts]

        def added(self):
            for _ in range(9):
                wdf.Interrupt.create(self, wdf.InterruptConfig(self.isr, self.dpc))

    card = MultiQueue()
    system, device, _ = started(card, Early)
    assert device.numbers == [(n, True) for n in range(9)]
    system.rebalance(card, GrantChoice.one())
    assert device.numbers == [(n, n == 0) for n in range(9)]
    system.rebalance(card, GrantChoice.all())
    assert device.numbers == [(n, True) for n in range(9)]


def test_13_deleting_an_interrupt_object_is_refused_and_found():
    class Deleting(Probe):
        def evt_device_release_hardware(self, translated):
            self.interrupts[0].delete()
            self.registers.unmap()

    system, _, _ = started(MultiQueue(), Deleting)
    system.shut_down()
    (found,) = system.findings
    assert found.rule == "cannot-delete"
    assert found.sentence == (
        "WdfObjectDelete of WDFINTERRUPT interrupt0 is refused (STATUS_CANNOT_DELETE): the framework deletes it"
    )


@pytest.mark.parametrize(("shared", "overlaps"), [(False, True), (True, False)])
def test_14_one_spin_lock_for_all_messages_serialises_their_isrs(shared, overlaps):
    class Locked(Probe):
        def interrupt_options(self):
            return {"spin_lock": wdf.SpinLock.create(self)} if shared else {}

        def isr(self, interrupt, message_id):
            start = self.machine.cpu.now
            self.kernel.ke_stall_execution_processor(20)
            self.calls.append((start, self.machine.cpu.now))
            return True

    card = MultiQueue()
    system, device, _ = started(card, Locked)
    card.msix.fire(0)
    card.msix.fire(1)
    system.run()
    times = sorted(device.calls)
    assert any(second[0] < first[1] for first, second in pairwise(times)) is overlaps


def test_15_a_policy_set_on_an_interrupt_of_prepare_hardware_has_no_effect_and_is_found():
    class Late(Probe):
        def create_interrupt_of(self, raw, translated, options):
            super().create_interrupt_of(raw, translated, options)
            self.interrupts[-1].set_policy(wdf.InterruptPolicy.SpecifiedProcessors, wdf.InterruptPriority.Normal, 0b1000)

    card = MultiQueue(queues=1)
    system, device, _ = started(card, Late, inf_for(card, policy=""))
    assert {f.rule for f in system.findings} == {"policy-too-late"}
    assert [i.info.target_processor_set for i in device.interrupts] == [1, 1]


def test_15_a_policy_set_in_device_add_is_stamped_on_the_request():
    class Early(Probe):
        def added(self):
            interrupt = wdf.Interrupt.create(self, wdf.InterruptConfig(self.isr, self.dpc))
            interrupt.set_policy(wdf.InterruptPolicy.SpecifiedProcessors, wdf.InterruptPriority.Normal, 0b1000)

        def evt_device_prepare_hardware(self, raw, translated):
            self.targets = self.interrupts[0].info.target_processor_set

    card = MultiQueue(queues=1)
    _, device, _ = started(card, Early, inf_for(card, policy=""))
    assert device.targets == 0b1000


@pytest.mark.parametrize(
    ("supported", "options", "kind"),
    [
        ("1", {}, "msi-x"),
        ("0", {}, "line"),
        ("", {}, "line"),
        ("1", {"msix": False}, "msi"),
        ("1", {"msix": False, "msi": False}, "line"),
    ],
)
def test_16_msisupported_decides_unless_the_card_has_no_messages(supported, options, kind):
    card = MultiQueue(**options)
    system, _, _ = started(card, inf=inf_for(card, supported=supported))
    assert system.report().kind == kind


def test_17_a_card_that_asks_for_more_vectors_than_there_are_gets_one_and_the_report_says_why():
    card = MultiQueue(queues=511)
    system, _, _ = started(card, inf=inf_for(card, policy=ONE_PROCESSOR), cpus=1)
    report = system.report()
    assert (report.asked, report.granted, report.why) == (512, 1, "not enough interrupt vectors for 512 messages")


def test_18_a_32_bit_write_to_the_capability_header_enables_msix():
    card = MultiQueue()
    at = next(a for a in range(0x40, 0x100, 4) if card.config_read(a, 1) == 0x11)
    card.config_write(at, 4, 0x8000_0000 | card.config_read(at, 4))
    assert card.msix.enabled


def test_19_messages_of_a_masked_entry_collapse_into_one_and_toggling_the_mask_sends_no_second():
    card = MultiQueue()
    system, _, _ = started(card)
    table = system.node(card).query_interface(GUID_MSIX_TABLE_CONFIG_INTERFACE)
    table.mask_table_entry(3)
    for _ in range(3):
        card.msix.fire(3)
    fate = card.fates[3]
    assert (fate.latched, fate.merged) == (1, 2)
    for _ in range(2):
        table.unmask_table_entry(3)
        table.mask_table_entry(3)
    system.run()
    assert (fate.sent, fate.delivered, fate.merged, fate.latched) == (3, 1, 2, 0)


def test_20_after_reset_the_function_mask_is_clear_and_every_vector_is_masked():
    card = MultiQueue()
    started(card)
    card.reset()
    assert not card.msix.function_mask and all(card.msix.masked(vector) for vector in range(9))


def test_21_reserved_bits_of_vector_control_do_not_stick():
    card = MultiQueue()
    started(card)
    card.bar_write(4, 0x0C, 4, ALL_ONES)
    assert card.bar_read(4, 0x0C, 4) == 1


def test_22_with_bus_mastering_off_messages_are_dropped_and_the_report_says_why():
    card = MultiQueue()
    system, _, _ = started(card)
    bus = system.node(card).query_interface(GUID_BUS_INTERFACE_STANDARD)
    command = int.from_bytes(bus.get_bus_data(0, 4, 2), "little")
    bus.set_bus_data(0, 4, (command & ~4).to_bytes(2, "little"))
    card.msix.fire(3)
    system.run()
    assert system.report().messages[3].dropped == {"bus master off": 1}


def test_23_back_to_back_messages_merge_and_the_fates_say_so():
    card = MultiQueue()
    system, _, _ = started(card)
    for _ in range(3):
        card.msix.fire(3)
    system.run()
    fate = card.fates[3]
    assert (fate.sent, fate.delivered, fate.merged, fate.balanced) == (3, 1, 2, True)


def test_23_a_level_that_nobody_takes_back_is_a_storm():
    class Deaf(Probe):
        def evt_device_d0_entry(self, previous_state):
            self.registers.write_register_ulong(0x200, ALL_ONES)

    card = MultiQueue()
    system, _, _ = started(card, Deaf, grant=GrantChoice.line())
    card.fail()
    system.run()
    assert str(system.stopped).startswith("hang (interrupt-storm): the line of vector ")


def test_24_table_entries_beyond_the_grant_raise_message_0():
    card = MultiQueue()
    system, device, _ = started(card, inf=inf_for(card, limit="3"))
    card.msix.fire(7)
    system.run()
    assert [call[:2] for call in device.calls] == [("isr", 0), ("dpc", 0)]


def test_25_when_the_vectors_run_out_one_message_is_granted():
    report = play("vectors_run_out")
    assert (report.asked, report.granted, report.why) == (9, 1, "not enough interrupt vectors for 9 messages")
    assert report.clean


def test_26_a_message_isr_that_asks_the_line_status_says_not_mine_and_work_is_left():
    report = play("not_mine")
    assert any(row.isr_claimed < row.isr_calls for row in report.interrupts)
    assert report.unserved and not report.clean


def test_27_ke_set_event_in_an_isr_is_found():
    class Eager(Probe):
        def isr(self, interrupt, message_id):
            self.event.set()
            return True

        def added(self):
            self.event = wdf.Event(self.kernel)

    card = MultiQueue()
    system, _, _ = started(card, Eager)
    card.msix.fire(0)
    system.run()
    assert [(f.rule, f.sentence) for f in system.findings] == [
        ("irql-too-high", "KeSetEvent needs IRQL <= DISPATCH_LEVEL, called at DIRQL 5")
    ]


@pytest.mark.parametrize(("table", "pba"), list(product([0x0, 0x5200], [0x3000, 0xD600])))
def test_28_a_table_and_a_pba_at_odd_places_of_a_shared_page_deliver(table, pba):
    class Odd(Device, vendor=0x1234, device=0x0128):
        regs = Bar(0, Page)
        msix = Msix(vectors=4, table=(2, table), pba=(2, pba))

    card = Odd()
    system, device, _ = started(card)
    card.msix.fire(2)
    system.run()
    assert ("isr", 2) in [call[:2] for call in device.calls]


def test_every_pain_that_needs_no_sys_is_on_the_page(pages):
    page = (pages.ROOT / "docs" / "pains.md").read_text("utf-8")
    assert [f"| {number} |" in page for number in range(1, 30)] == [True] * 29
    tests = {name.split("_")[1] for name in globals() if name.startswith("test_") and name[5:7].isdigit()}
    assert tests == {f"{number:02}" for number in range(1, 29)}


def test_a_scenario_that_the_pages_name_exists(pages):
    for page in pages.pages():
        for name in pages.EXAMPLE.findall(page.read_text("utf-8")):
            assert (pages.ROOT / name).exists(), f"{page.name} names {name}"


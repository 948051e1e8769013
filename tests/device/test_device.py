"""What a model's class declares, and what software and the model then see of it."""

from __future__ import annotations

from typing import Any

import pytest

from dirql.device import Bar, Device, Msi, Msix
from dirql.errors import LayoutError, UsageError
from dirql.layout import RO, RW, RW1C, WO, Block, Register, Word, at


class Cause(Register, width=32):
    link = RW1C[0]
    rx = RW1C[7:4]
    fault = RO[31]


class Kick(Register, width=32):
    now = WO[0]
    mode = RW[9:8]


class Lane(Block, size=0x10):
    level = at(0x0, Word)
    kick = at(0x4, Kick)


class Bar0(Block, size=0x240):
    cause = at(0x008, Cause)
    kick = at(0x00C, Kick)
    doorbell = at(0x100, Word, count=4, stride=8)
    lane = at(0x200, Lane, count=3)
    matrix = at(0x230, Word, count=2)


class Quad(Device, vendor=0x1234, device=0x0004):
    """A card with four doorbells and a vector for each; it writes down what its hooks were told."""

    regs = Bar(0, Bar0)
    msix = Msix(vectors=4, table=(2, 0x000), pba=(2, 0x800))
    msi = Msi(messages=4)

    def __init__(self, **instead: Any) -> None:
        super().__init__(**instead)
        self.told: list[tuple[Any, ...]] = []
        self.answer: int | None = None

    @regs.doorbell.written
    def ring(self, queue: int, value: int) -> None:
        self.told.append(("ring", queue, value))
        self.regs.cause.rx |= 1 << queue
        self.interrupt_signal.raise_source(queue)

    @regs.cause.written
    def acknowledge(self, value: int) -> None:
        self.told.append(("acknowledge", value))

    @regs.cause.reading
    def look(self) -> int | None:
        self.told.append(("look",))
        return self.answer

    @regs.kick.written
    def start(self, value: int) -> None:
        self.told.append(("start", value))

    @regs.lane.kick.written
    def start_lane(self, lane: int, value: int) -> None:
        self.told.append(("lane", lane, value))

    @regs.matrix.reading
    def count(self, index: int) -> int:
        self.told.append(("count", index))
        return 0x1111_1111 * (index + 1)


def test_a_write_reaches_the_hook_and_a_read_the_register(plug: Any) -> None:
    rig = plug(Quad())
    rig.put("doorbell", 2, 7)
    assert rig.device.told == [("ring", 2, 7)]
    assert rig.get("cause") == 0x40


def test_a_bar_is_as_large_as_its_block_rounded_to_a_power_of_two() -> None:
    quad = Quad()
    assert [quad.bar_size(bar) for bar in range(6)] == [0x400, 0, 0x1000, 0, 0, 0]


def test_a_small_block_gets_the_least_bar_there_is() -> None:
    class Tiny(Block, size=4):
        word = at(0, Word)

    class Card(Device, vendor=1, device=2):
        regs = Bar(1, Tiny)

    assert Card().bar_size(1) == 16


def test_the_class_says_who_it_is(plug: Any) -> None:
    class Named(Quad, device=0x0005, revision=3, class_code=0x020000, subsystem_vendor=0x1AF4, subsystem=0x1100):
        """Inherits vendor, registers and hooks."""

    rig = plug(Named(name="nic0"))
    assert [rig.device.config_read(at, 4) for at in (0x00, 0x08, 0x2C)] == [0x0005_1234, 0x0200_0003, 0x1100_1AF4]
    assert (rig.device.name, repr(rig.device)) == ("nic0", "<Named nic0 1234:0005>")
    rig.put("doorbell", 0, 1)
    assert rig.device.told == [("ring", 0, 1)]


def test_an_override_keeps_the_hook() -> None:
    class Loud(Quad):
        def ring(self, queue: int, value: int) -> None:
            self.told.append(("loud", queue, value))

    card = Loud()
    card.config_write(4, 2, 2)
    card.bar_write(0, 0x100, 4, 1)
    assert card.told == [("loud", 0, 1)]


@pytest.mark.parametrize(("offset", "size", "value", "told"), [
    (0x100, 8, 0xAAAA_AAAA_0000_0001, [("ring", 0, 1)]),
    (0x008, 8, 0x0000_0301_0000_0031, [("acknowledge", 0x31), ("start", 0x301)]),
    (0x204, 4, 1, [("lane", 0, 1)]),
    (0x214, 4, 1, [("lane", 1, 1)]),
    (0x220, 8, 0x1_0000_0000, [("lane", 2, 1)]),
    (0x00D, 1, 0x2, [("start", 0x200)]),
    (0x00A, 4, 0x0101_0000, [("acknowledge", 0), ("start", 0x101)]),
])  # fmt: skip
def test_each_register_touched_gets_one_call_in_address_order(
    plug: Any, offset: int, size: int, value: int, told: list[tuple[Any, ...]]
) -> None:
    rig = plug(Quad())
    rig.device.bar_write(0, offset, size, value)
    assert rig.device.told == told


def test_a_narrow_write_is_told_with_the_stored_bytes_beside_it(plug: Any) -> None:
    rig = plug(Quad())
    rig.put("kick", 0x301)
    rig.device.bar_write(0, 0x00C, 1, 1)
    assert rig.device.told == [("start", 0x301), ("start", 0x301)]
    rig.device.bar_write(0, 0x00D, 1, 1)
    assert rig.device.told[-1] == ("start", 0x100)  # a write-only bit that was not written is not told again


@pytest.mark.parametrize(("offset", "size", "looks"), [(0x008, 1, 1), (0x00A, 2, 1), (0x008, 4, 1), (0x008, 8, 1), (0x00C, 4, 0)])
def test_a_read_of_any_width_is_one_call(plug: Any, offset: int, size: int, looks: int) -> None:
    rig = plug(Quad())
    rig.device.bar_read(0, offset, size)
    assert rig.device.told == [("look",)] * looks


@pytest.mark.parametrize(("offset", "size", "value"), [
    (0x008, 4, 0xCAFE_F00D), (0x009, 1, 0xF0), (0x00A, 2, 0xCAFE), (0x008, 8, 0xCAFE_F00D),
])  # fmt: skip
def test_a_reading_hook_may_give_the_answer(plug: Any, offset: int, size: int, value: int) -> None:
    rig = plug(Quad())
    rig.device.answer = 0xCAFE_F00D
    assert rig.device.bar_read(0, offset, size) == value


def test_a_wide_read_asks_both_registers(plug: Any) -> None:
    rig = plug(Quad())
    assert rig.device.bar_read(0, 0x230, 8) == 0x2222_2222_1111_1111
    assert rig.device.told == [("count", 0), ("count", 1)]


@pytest.mark.parametrize("offset", [0x000, 0x010, 0x104, 0x208, 0x238, 0x3F8])
def test_an_access_outside_every_register_reads_zero_and_is_noted(plug: Any, offset: int) -> None:
    rig = plug(Quad())
    rig.device.bar_write(0, offset, 4, 0xFFFF_FFFF)
    assert rig.device.bar_read(0, offset, 4) == 0
    where = {"bar": 0, "offset": offset, "size": 4}
    assert rig.host.notes == [
        ("write outside every register", {**where, "value": 0xFFFF_FFFF}), ("read outside every register", where),
    ]  # fmt: skip


def test_reserved_ones_written_are_ignored_and_noted(plug: Any) -> None:
    rig = plug(Quad())
    rig.put("cause", 0x0000_0F0F)
    assert rig.host.notes == [("reserved bits written", {"bar": 0, "offset": 8, "size": 4, "register": "cause", "bits": 0xF0E})]


@pytest.mark.parametrize("delay", [-1, 0.5, "1", None])
def test_a_timer_that_is_due_at_no_time_is_refused(plug: Any, delay: Any) -> None:
    rig = plug(Quad())
    with pytest.raises(UsageError) as caught:
        rig.device.after(delay, lambda: None)
    assert str(caught.value) == f"Quad.after(delay={delay!r}): a delay is a whole number of ns, 0 or more"


def test_a_timer_ends_with_a_reset(plug: Any) -> None:
    rig = plug(Quad())
    rang: list[int] = []
    rig.device.after(10, lambda: rang.append(rig.device.now))
    rig.run()
    rig.device.after(10, lambda: rang.append(rig.device.now))
    cancel = rig.device.after(10, lambda: rang.append(rig.device.now))
    cancel()
    cancel()
    rig.device.reset()
    rig.run()
    assert rang == [10]


def test_a_reset_puts_registers_sources_and_line_back(plug: Any) -> None:
    rig = plug(Quad())
    rig.put("doorbell", 0, 1)
    assert rig.take("line") == [True]
    rig.device.reset()
    rig.power_up()
    assert (rig.get("cause"), rig.get("doorbell", 0), rig.device.interrupt_signal.raised, rig.take("line")) == (0, 0, (), [False])


def test_the_model_writes_and_reads_memory(plug: Any) -> None:
    rig = plug(Quad())
    rig.device.dma.write(0x100, b"abc")
    assert rig.device.dma.read(0x100, 3) == b"abc"
    assert rig.host.posted == [("dma", 0x100, b"abc")]


@pytest.mark.parametrize("hidden", ["msix", "msi", "regs"])
def test_a_declaration_can_be_hidden_for_one_instance(hidden: str) -> None:
    quad = Quad(**{hidden: None})
    assert getattr(quad, hidden) is None
    assert getattr(Quad(), hidden) is not None


def test_a_declaration_can_be_replaced_for_one_instance(plug: Any) -> None:
    rig = plug(Quad(msix=Msix(7, table=(0, 0x400), pba=(0, 0x600)), regs=Bar(0, Bar0, size=0x800)))
    assert (len(rig.device.msix), rig.device.bar_size(0), rig.device.bar_size(2)) == (7, 0x800, 0)
    rig.put("doorbell", 0, 1)
    assert rig.device.told == [("ring", 0, 1)]


def test_words_are_the_registers_themselves() -> None:
    quad = Quad()
    words = quad.words("regs")
    words[2] = 0x10
    assert quad.regs.cause.rx == 1
    quad.reset()
    assert words[2] == 0


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        Quad(msx=None)
    assert str(caught.value) == "Quad declares no msx; it has msi, msix, regs"


def test_a_model_without_identity_cannot_be_made() -> None:
    class Family(Device):
        """To be subclassed."""

    with pytest.raises(UsageError) as caught:
        Family()
    assert str(caught.value) == "Family has no identity; declare it as class Family(Device, vendor=0x1234, device=0x0001)"


def hook_on(path: str, moment: str = "written", *parameters: str) -> Any:
    """A function that declares a device whose method hooks `path` of Bar0 and takes `parameters`."""

    def declare() -> None:
        regs = Bar(0, Bar0)
        point: Any = regs
        for name in path.split("."):
            point = getattr(point, name)
        names = ", ".join(("self", *parameters))
        scope: dict[str, Any] = {}
        exec(f"def act({names}): pass", scope)
        type("Bad", (Device,), {"regs": regs, "act": getattr(point, moment)(scope["act"])}, vendor=1, device=2)

    return declare


def two_hooks() -> None:
    class Bad(Device, vendor=1, device=2):
        regs = Bar(0, Bar0)

        @regs.doorbell.written
        def one(self, index: int, value: int) -> None: ...

        @regs.doorbell.written
        def two(self, index: int, value: int) -> None: ...


def declare(facts: dict[str, Any] | None = None, **attributes: Any) -> Any:
    return lambda: type("Bad", (Device,), attributes, **(facts or {"vendor": 1, "device": 2}))


class Named(Block, size=4):
    declared = at(0, Word)


@pytest.mark.parametrize(("bad", "text"), [
    (hook_on("dorbell", "written", "index", "value"),
     "Bad.act hooks regs.dorbell, which Bar0 does not have; it has cause, doorbell, kick, lane, matrix"),
    (hook_on("lane.kik", "written", "index", "value"),
     "Bad.act hooks regs.lane.kik, which Lane does not have; it has kick, level"),
    (hook_on("lane", "written", "index", "value"), "Bad.act hooks regs.lane, a block of registers; name one of kick, level"),
    (hook_on("kick.now", "written", "value"), "Bad.act hooks regs.kick.now, but Kick is a register and has no now"),
    (hook_on("doorbell", "written", "value"),
     "Bad.act takes (self, value), but a write of regs.doorbell passes (self, index, value)"),
    (hook_on("kick", "written", "a", "b"), "Bad.act takes (self, a, b), but a write of regs.kick passes (self, value)"),
    (hook_on("matrix", "reading"), "Bad.act takes (self), but a read of regs.matrix passes (self, index)"),
    (two_hooks, "Bad.two and one are both called on a write of regs.doorbell; keep one"),
    (declare(msix=Msix(2049, table=(2, 0), pba=(3, 0))),
     "Bad.msix asks for 2049 vectors; MSI-X holds 1 to 2048 (PCIe 6.0 §7.7.2)"),
    (declare(msix=Msix(0, table=(2, 0), pba=(3, 0))), "Bad.msix asks for 0 vectors; MSI-X holds 1 to 2048 (PCIe 6.0 §7.7.2)"),
    (declare(msix=Msix(4, table=(6, 0), pba=(3, 0))), "Bad.msix has its table in BAR 6; BARs are numbered 0 to 5"),
    (declare(msix=Msix(4, table=(2, 0), pba=(2, 0x84))), "Bad.msix has its pba at 0x84; it must be aligned to 8 bytes"),
    (declare(msix=Msix(9, table=(2, 0), pba=(2, 0x80))),
     "Bad.msix: table at 0x0 to 0x90 and PBA at 0x80 overlap in BAR 2; move the PBA to 0x100"),
    (declare(regs=Bar(0, Bar0), msix=Msix(4, table=(0, 0x100), pba=(2, 0))),
     "Bad.msix has its table at 0x100 to 0x140 over regs.doorbell, which lies at 0x100 to 0x11c"),
    (declare(regs=Bar(0, Bar0), msix=Msix(4, table=(2, 0), pba=(0, 0x400))),
     "Bad.msix has its pba at 0x400 to 0x408 in regs, of 0x400 bytes; give that Bar a size"),
    (declare(regs=Bar(0, Bar0, kind="memory64"), msix=Msix(4, table=(1, 0), pba=(2, 0))),
     "Bad.msix has its table in BAR 1, the upper half of regs; say BAR 0"),
    (declare(regs=Bar(0, Named, kind="io"), msix=Msix(1, table=(2, 0), pba=(0, 0x8))),
     "Bad.regs: Named.declared has a name that Bar uses itself; rename the register"),
    (declare(regs=Bar(0, Lane, kind="io"), msix=Msix(1, table=(2, 0), pba=(0, 0x8))),
     "Bad.msix has its pba in regs, an I/O BAR; it needs a memory BAR (PCIe 6.0 §7.7.2)"),
    (declare(msi=Msi(3)), "Bad.msi asks for 3 messages; MSI has 1, 2, 4, 8, 16 or 32 (PCIe 6.0 §7.7.1)"),
    (declare(one=Msi(1), two=Msi(2)), "Bad declares one and two; a function has one Msi capability"),
    (declare(a=Bar(0, Bar0), b=Bar(0, Bar0)), "Bad.b takes BAR 0, which a has; give it another number"),
    (declare(a=Bar(0, Bar0, kind="memory64"), b=Bar(1, Bar0)), "Bad.b takes BAR 1, which a has; give it another number"),
    (declare(a=Bar(6, Bar0)), "Bad.a is BAR 6; BARs are numbered 0 to 5"),
    (declare(a=Bar(5, Bar0, kind="memory64")), "Bad.a is BAR 5; BARs are numbered 0 to 5, and a 64-bit one takes two"),
    (declare(a=Bar(0, Bar0, size=0x200)), "Bad.a has size 0x200; it must be a power of two of at least 0x240 for Bar0"),
    (declare({"vendor": 0x12345}), "Bad has vendor 0x12345; it is a number of 16 bits"),
    (declare({"vender": 1}),
     ("Bad has the class keyword vender, which a Device does not know; it knows class_code, device, flr, interrupt_pin, "
      "no_soft_reset, pcie, power_management, revision, subsystem, subsystem_vendor, vendor, vendor_specific")),
])  # fmt: skip
def test_a_misdeclared_model_is_refused_at_import(bad: Any, text: str) -> None:
    with pytest.raises(LayoutError) as caught:
        bad()
    assert str(caught.value) == text

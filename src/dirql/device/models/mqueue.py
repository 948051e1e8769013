"""`mqueue`, the multi-queue card of this project: N completion queues and one admin source, a message for each (PCIe 6.0 §6.1.4).

Work comes from outside (`submit`); the card writes a completion entry into the queue's ring in host memory and tells
the driver by the vector that the driver chose for that queue. It has MSI-X (N + 1 vectors, table and PBA in BAR 4), MSI
(16 messages) and INTx; either capability can be left out, since Windows grants no MSI to a function with MSI-X.

Registers (BAR 0, little endian; W = source // 32; source q is queue q, source N is admin):

    0x000           identification   RO    0x4D510001: "MQ", revision 1
    0x004           control                bit 0 WO reset: soft reset, clears itself
    0x008           capability       RO    11:0 queues, 27:16 vectors (= queues + 1)
    0x010           error                  31 W1C valid, 30 lost, 26:16 queue, 15:0 code; writing valid clears the whole register
    0x014  16 bit   admin_vector     RW    vector of the admin source, 0xFFFF = none (reset)
    0x100 + 4·W     status           W1C   interrupt status, a bit per source, set in every mode
    0x200 + 4·W     mask_set         RW1S  ones let a source assert the line; reads the mask (reset 0)
    0x300 + 4·W     mask_clear       WO    ones take a source out
    0x1000 + 16·v   vector v: +0x0 cause W1C (0 completion, 1 admin)
                              +0x4 arm (0 RW armed; 1 WO check)
                              +0x8 moderation RW, ns between messages, 0 = off
    0x9000 + 32·q   queue q:  +0x00 base_low RW 31:4   +0x04 base_high RW   +0x08 ring_size RW 15:0, entries
                              +0x0C vector RW 16 bit, 0xFFFF = none (reset)  +0x10 control (0 RW enable)
                              +0x14 doorbell RW  entries that the driver has consumed since enable, counted on modulo 2^32
                              +0x18 tail RO      entries that the card has written since enable
                              +0x1C waiting RO   completions that wait in the card for room

A vector number out of range reads back 0xFFFF (as virtio's config and queue vectors do); a driver reads back what it
programmed. Ring entries are 16 bytes:

    dword 0  sequence: counts the queue's entries from 0     dword 2  15:0 queue, 31:16 status (0 = good)
    dword 1  tag: counts the card's work from 0              dword 3  bit 0 phase, rest 0

An entry is valid when its phase bit is what this pass over the ring expects: 1 on the first pass after enable, and the
other value at each wrap. With no room the completions wait in the card; the doorbell that frees entries lets them be
written, each an event as usual.

Bring-up: reset; for each queue zero the ring, write base, size and vector (read it back), enable; write admin_vector; arm
the vectors (or set the mask, for a line). Base and size are taken over at enable. Disabling drops the unconsumed and the waiting.

Interrupts by message: a completion (or an error) sets its vector's cause and, if the vector is armed, sends the message.
Sending clears armed (auto-mask, as igb's EIAM does): the vector is silent until the driver arms it again. Arming only
enables: what came in between set the cause and wrote its entry, and is *not* signalled again, so a driver must look
at the ring once more after arming, as with virtio or NAPI; one that does not loses a wake-up. Writing arm with `check` set makes
the card look instead, and send at once if a cause stands (as igb does where EIMS meets EICR). Moderation holds an armed
vector's message back until its interval since the last is over. Clearing a vector's last cause takes back a message that is still
latched. With fewer MSI messages than vectors, message = vector modulo granted.

Interrupts by line: level = (status & mask) != 0, re-evaluated at every change. The vectors gather causes and do not send.

Errors: 0x0101 doorbell past the tail; 0x0102 enable with size 0, or of a queue that is not there; any other from `fail`.

Limits: one function, no virtual ones; completions only (no submission ring); a soft reset takes no time.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from struct import Struct

from dirql.device.declare import Bar, Msi, Msix
from dirql.device.device import Device
from dirql.device.models.mqueue_registers import (
    ARM,
    CAUSE,
    MASK,
    MODERATION,
    MOST_QUEUES,
    NO_VECTOR,
    QUEUES,
    STATUS,
    VECTORS,
    QueueRegisters,
    register_map,
)
from dirql.device.models.times import refuse_no_times
from dirql.errors import UsageError
from dirql.pci.function import Cancel

__all__ = ["BAD_DOORBELL", "BAD_QUEUE", "ENTRY", "MultiQueue"]

ENTRY = Struct("<IIHHI")  # sequence, tag, queue, status, phase
BAD_DOORBELL, BAD_QUEUE = 0x0101, 0x0102
COMPLETION, ADMIN = 0b01, 0b10  # of a vector's cause
COUNT = 0xFFFF_FFFF
LOST, VALID = 1 << 30, 1 << 31
MOST_AT_ONCE = 0x10000


class _Ring:
    """One queue's state; what the driver sees of it is in the registers."""

    __slots__ = ("base", "consumed", "enabled", "index", "size", "tags", "word", "written")

    def __init__(self, index: int) -> None:
        self.index = index
        self.word = (QUEUES + index * QueueRegisters.size) // 4  # of its registers
        self.tags: deque[int] = deque()  # of the completions that wait for room
        self.close()

    def close(self) -> None:
        self.enabled = False
        self.base = self.size = self.written = self.consumed = 0
        self.tags.clear()


class MultiQueue(Device, vendor=0x1234, device=0x4D51, class_code=0x020000, revision=1, subsystem_vendor=0x1234, subsystem=1):
    """A card with `queues` completion queues (1 to 2047) and an admin source."""

    regs = Bar(0, register_map(8), kind="memory64", prefetchable=False)
    msix = Msix(vectors=9, table=(4, 0x0000), pba=(4, 0x0800))
    msi = Msi(messages=16)

    def __init__(
        self,
        queues: int = 8,
        *,
        msix: bool = True,
        msi: bool = True,
        completion_ns: int = 1_000,
        completion_slack: int = 0,
        moderation: int = 0,
        reset_wipes_table: bool = False,
        name: str = "",
    ) -> None:
        if type(queues) is not int or not 1 <= queues <= MOST_QUEUES:
            raise UsageError(f"MultiQueue(queues={queues!r:.40}): the card is built with 1 to {MOST_QUEUES} queues")
        refuse_no_times("MultiQueue", completion_ns=completion_ns, completion_slack=completion_slack, moderation=moderation)
        vectors = queues + 1
        pba = max(0x800, -(-16 * vectors // 0x800) * 0x800)
        super().__init__(
            name=name,
            regs=Bar(0, register_map(queues, moderation), kind="memory64"),
            msix=Msix(vectors, table=(4, 0), pba=(4, pba)) if msix else None,
            msi=Msi(messages=16) if msi else None,
        )
        self.queues, self.vectors = queues, vectors
        self.completion_ns, self.completion_slack, self.reset_wipes_table = completion_ns, completion_slack, reset_wipes_table
        self._words = self.words("regs")
        self._rings = [_Ring(q) for q in range(queues)]
        self._quiet: dict[int, int] = {}  # vector → time before which moderation holds its message back
        self._held: dict[int, Cancel] = {}  # vector → the timer that will send what was held back
        self._tag = 0
        self._asleep = False

    # stimulus

    def submit(self, queue: int, count: int = 1) -> None:
        """Work arrives at `queue` from outside; each piece ends in a completion entry, `completion_ns` from now."""
        self._check_queue("submit", queue)
        if not 1 <= count <= MOST_AT_ONCE:
            limit = f"work arrives in pieces of 1 to {MOST_AT_ONCE}; submit again for more"
            raise UsageError(f"{self.name}.submit(count={count}): {limit}")
        self.after(self.completion_ns, partial(self._complete, self._rings[queue], count), self.completion_slack)

    def fail(self, code: int = 0x0001, queue: int = 0) -> None:
        """Something goes wrong in the card: the admin source reports `code`."""
        self._check_queue("fail", queue)
        if not 0 <= code <= 0xFFFF:
            raise UsageError(f"{self.name}.fail(code={code:#x}): the error register holds 16 bits; give 0x0 to 0xffff")
        error = self.regs.error
        if error.valid:
            error.lost = 1
        else:
            error.value = VALID | queue << 16 | code
        self._event(self.queues, self.regs.admin_vector.value, ADMIN)

    def exercise(self) -> None:
        """Four rounds over all queues, 20 µs apart: one piece of work for each queue, then two, and so on."""
        for turn in range(4):
            for queue in range(self.queues):
                self.after(20_000 * turn + 1, partial(self.submit, queue, turn + 1))

    def unserved(self) -> list[str]:
        """Completions that the driver did not consume, completions without room, an error not acknowledged."""
        found = []
        for ring in self._rings:
            left = ring.written - ring.consumed
            if left:
                found.append(f"queue {ring.index}: {_completions(left)} unconsumed")
            if ring.tags:
                found.append(f"queue {ring.index}: {_completions(len(ring.tags))} waiting for room")
        error = self.regs.error
        if error.valid:
            more = ", more were lost behind it" if error.lost else ""
            found.append(f"admin: error {error.code:#06x} not acknowledged{more}")
        return found

    def served_by(self) -> dict[int, list[str]]:
        """Vector → sources, as the driver programmed them."""
        sources = [(f"queue {q}", self._words[ring.word + 3] & 0xFFFF) for q, ring in enumerate(self._rings)]
        served: dict[int, list[str]] = {}
        for source, vector in [*sources, ("admin", self.regs.admin_vector.value)]:
            if vector != NO_VECTOR:
                served.setdefault(vector, []).append(source)
        return dict(sorted(served.items()))

    # registers

    @regs.control.written
    def control(self, value: int) -> None:
        self.regs.control.value = 0
        if value & 1:
            self._soft_reset()

    @regs.error.written
    def acknowledge_error(self, value: int) -> None:
        if value & VALID:
            self.regs.error.value = 0

    @regs.admin_vector.written
    def route_admin(self, value: int) -> None:
        if value >= self.vectors:
            self.regs.admin_vector.value = NO_VECTOR

    @regs.queue.vector.written
    def route(self, queue: int, value: int) -> None:
        if value >= self.vectors:
            self.regs.queue[queue].vector.value = NO_VECTOR

    @regs.status.written
    def acknowledge(self, word: int, value: int) -> None:
        self._drive_line()

    @regs.mask_set.written
    def unmask(self, word: int, value: int) -> None:
        beyond = self.queues + 1 - 32 * word  # sources that are there, from this word on
        self._words[MASK // 4 + word] &= (1 << min(max(beyond, 0), 32)) - 1
        self._drive_line()

    @regs.mask_clear.written
    def mask(self, word: int, value: int) -> None:
        self._words[MASK // 4 + word] &= ~value & COUNT
        self._drive_line()

    @regs.vector.cause.written
    def clear_cause(self, vector: int, value: int) -> None:
        if not self._cause(vector):
            if (held := self._held.pop(vector, None)) is not None:
                held()
            self.interrupt_signal.withdraw(vector, (v for v in range(self.vectors) if self._cause(v)))

    @regs.vector.arm.written
    def arm(self, vector: int, value: int) -> None:
        at = (VECTORS + 16 * vector) // 4
        if value & 2:
            self._words[at + ARM // 4] = value & 1
            if value & 1 and self._words[at + CAUSE // 4]:
                self._send(vector, at)

    @regs.queue.control.written
    def control_queue(self, queue: int, value: int) -> None:
        view = self.regs.queue[queue]
        if queue >= self.queues:
            view.control.enable = 0
            self.fail(BAD_QUEUE)
            return
        ring = self._rings[queue]
        if value & 1 and not ring.enabled:
            if view.ring_size.entries:
                ring.enabled, ring.size = True, view.ring_size.entries
                ring.base = view.base_high.value << 32 | view.base_low.value
            else:
                view.control.enable = 0
                self.fail(BAD_QUEUE, queue)
        elif not value & 1 and ring.enabled:
            left = ring.written - ring.consumed + len(ring.tags)
            if left:
                self.note("completions dropped: the queue was disabled", queue=queue, count=left)
            ring.close()
            view.doorbell.value = view.tail.value = view.waiting.value = 0

    @regs.queue.doorbell.written
    def doorbell(self, queue: int, value: int) -> None:
        ring = self._rings[queue] if queue < self.queues else None
        if ring is None or not ring.enabled:
            self.regs.queue[queue].doorbell.value = 0
            return
        returned = (value - ring.consumed) & COUNT
        if returned > ring.written - ring.consumed:
            self._words[ring.word + 5] = ring.consumed & COUNT
            self.fail(BAD_DOORBELL, queue)
            return
        ring.consumed += returned
        while ring.tags and ring.written - ring.consumed < ring.size:
            tag = ring.tags.popleft()
            self._words[ring.word + 7] = len(ring.tags)
            self._write_entry(ring, tag)

    # the card at work

    def _complete(self, ring: _Ring, count: int) -> None:
        """`count` pieces of work are done."""
        for _ in range(count):
            tag, self._tag = self._tag, self._tag + 1
            if not ring.enabled or self._asleep:
                why = "the queue was disabled" if not ring.enabled else "the card was not in D0"
                self.note(f"completion dropped: {why}", queue=ring.index, tag=tag)
            elif ring.tags or ring.written - ring.consumed >= ring.size:
                ring.tags.append(tag)
                self._words[ring.word + 7] = len(ring.tags)
            else:
                self._write_entry(ring, tag)

    def _write_entry(self, ring: _Ring, tag: int) -> None:
        turn, slot = divmod(ring.written, ring.size)
        entry = ENTRY.pack(ring.written & COUNT, tag & COUNT, ring.index, 0, ~turn & 1)
        self.dma.write(ring.base + ENTRY.size * slot, entry)
        ring.written += 1
        word = ring.word
        self._words[word + 6] = ring.written & COUNT
        self._event(ring.index, self._words[word + 3] & 0xFFFF, COMPLETION)

    def _event(self, source: int, vector: int, cause: int) -> None:
        """`source` has something for the driver: status bit, line, and the vector's message where it may go."""
        words = self._words
        word, bit = STATUS // 4 + (source >> 5), 1 << (source & 31)
        words[word] |= bit
        if words[word + (MASK - STATUS) // 4] & bit:
            self.interrupt_signal.line(True)
        if vector != NO_VECTOR:
            at = (VECTORS >> 2) + (vector << 2)
            words[at] |= cause
            if words[at + ARM // 4]:
                self._send(vector, at)

    def _send(self, vector: int, at: int) -> None:
        """The armed vector's message, or a timer for it while moderation holds it back."""
        words = self._words
        interval = words[at + MODERATION // 4]
        if interval:
            now, quiet = self.now, self._quiet.get(vector, 0)
            if now < quiet:
                if vector not in self._held:
                    self._held[vector] = self.after(quiet - now, partial(self._interval_over, vector, at))
                return
        if self.interrupt_signal.message(vector):
            words[at + ARM // 4] = 0
            if interval:
                self._quiet[vector] = now + interval

    def _interval_over(self, vector: int, at: int) -> None:
        del self._held[vector]
        if self._words[at + ARM // 4]:
            self._send(vector, at)

    def _drive_line(self) -> None:
        words, status, mask = self._words, STATUS // 4, MASK // 4
        used = range((self.queues + 32) // 32)
        self.interrupt_signal.line(any(words[status + w] & words[mask + w] for w in used))

    def _cause(self, vector: int) -> int:
        return self._words[(VECTORS >> 2) + (vector << 2)]

    # resets and power

    def on_reset(self) -> None:
        """Conventional reset or FLR: the card as it came."""
        for ring in self._rings:
            ring.close()
        self._quiet.clear()
        self._held.clear()
        self._asleep = False

    def on_power(self, state: int) -> None:
        """Outside D0 the card drops what arrives."""
        self._asleep = state != 0

    def _soft_reset(self) -> None:
        """Rings, causes and vectors to reset values; not configuration space, and the MSI-X table only where a card does so."""
        for vector in range(self.vectors):
            if self._cause(vector):
                self.interrupt_signal.withdraw(vector)
        self.reset_registers()
        self.on_reset()
        self.interrupt_signal.line(False)
        if self.reset_wipes_table and self.msix is not None:
            self.msix.table.reset()
            self.msix.reload()

    def _check_queue(self, call: str, queue: int) -> None:
        if not 0 <= queue < self.queues:
            raise UsageError(f"{self.name}.{call}(queue={queue}): the card has queues 0 to {self.queues - 1}")


def _completions(count: int) -> str:
    return f"{count} completion{'s' if count != 1 else ''}"

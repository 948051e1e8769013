"""The multi-queue driver: one WDFINTERRUPT and one message per queue, and no register read in any ISR.

It walks the raw and translated resources in EvtDevicePrepareHardware and creates an interrupt per message, then lays its
queues over as many messages as it was granted: nine, three, two, one, or none at all and a line.
"""

from registers import (
    ADMIN_VECTOR,
    ARM,
    CAPABILITY,
    CONTROL,
    ENABLE,
    ENTRY_SIZE,
    ERROR,
    ERROR_VALID,
    MASK_SET,
    RESET,
    STATUS,
    queue,
    vector,
)  # fmt: skip

from dirql import wdf

RING_ENTRIES = 64


class Ring:
    """One queue: its completion ring in host memory, and how far the driver has read."""

    def __init__(self, number, buffer):
        self.number, self.buffer = number, buffer
        self.memory = buffer.get_aligned_virtual_address()
        self.head = 0
        self.served = 0

    def take(self):
        """The next completion's tag, or None: an entry counts once its phase bit is this pass's."""
        slot, phase = self.head % RING_ENTRIES, 1 ^ (self.head // RING_ENTRIES) & 1
        entry = self.memory[slot * ENTRY_SIZE :][:ENTRY_SIZE]
        if entry[12] & 1 != phase:
            return None
        self.head += 1
        self.served += 1
        return int.from_bytes(entry[4:8], "little")


class Message:
    """An interrupt's context: what it serves, and the lock that keeps its DPC from running against itself."""

    def __init__(self):
        self.rings = []
        self.admin = False
        self.lock = None


class MultiQueueDevice(wdf.Device):
    """The card, from its resources to its queues."""

    def evt_device_prepare_hardware(self, raw, translated):
        self.registers, self.enabler, pairs = None, None, []
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                pairs += [(one_raw, one)] * one_raw.u.message_count  # MSI-X: 1 each; MSI: one descriptor, many messages
            elif one.type == wdf.CmResourceType.CmResourceTypeInterrupt:
                self.accept_line(one_raw, one)
                pairs.append((one_raw, one))
        self.line = not pairs[0][1].is_message
        queues = self.registers.read_register_ulong(CAPABILITY) & 0xFFF
        self.create_rings(queues)
        self.create_interrupts(pairs[: queues + 1])

    def accept_line(self, raw, translated):
        """A line will do: this driver serves it through the status register."""

    def create_rings(self, count):
        self.enabler = wdf.DmaEnabler.create(self, wdf.DmaEnablerConfig(wdf.DmaProfile.ScatterGather64, 4096))
        size = RING_ENTRIES * ENTRY_SIZE
        self.rings = [Ring(q, wdf.CommonBuffer.create(self.enabler, size)) for q in range(count)]

    def create_interrupts(self, pairs):
        """One object per message, in the order of the messages: so the MessageID is the message."""
        isr = self.isr_of_a_line if self.line else self.isr
        self.messages = []
        for raw, translated in pairs:
            config = wdf.InterruptConfig(
                isr, self.dpc, self.enable, self.disable, interrupt_raw=raw, interrupt_translated=translated
            )
            interrupt = wdf.Interrupt.create(self, config, wdf.ObjectAttributes(context_type=Message))
            interrupt.context.lock = wdf.SpinLock.create(self, wdf.ObjectAttributes(parent_object=interrupt))
            self.messages.append(interrupt)
        last = len(self.messages) - 1
        for ring in self.rings:  # planned from what was granted, never from what the card could do
            ring.message = ring.number % max(last, 1)
            self.messages[ring.message].context.rings.append(ring)
        self.messages[last].context.admin = True
        self.admin_message = last
        for interrupt in self.messages:
            served = [f"queue {r.number}" for r in interrupt.context.rings] + ["admin"] * interrupt.context.admin
            interrupt.serves = ", ".join(served)

    def evt_device_d0_entry(self, previous_state):
        registers = self.registers
        registers.write_register_ulong(CONTROL, RESET)
        for ring in self.rings:
            ring.head = 0
            ring.memory[:] = bytes(len(ring.memory))
            address = ring.buffer.get_aligned_logical_address()
            at = queue(ring.number)
            registers.write_register_ulong(at.base_low, address & 0xFFFFFFFF)
            registers.write_register_ulong(at.base_high, address >> 32)
            registers.write_register_ulong(at.ring_size, RING_ENTRIES)
            self.choose_vector(at.vector, ring.message)
            registers.write_register_ulong(at.control, ENABLE)
        self.choose_vector(ADMIN_VECTOR, self.admin_message)

    def choose_vector(self, register, message):
        """Program it and read it back: a card that does not like the vector says 0xFFFF."""
        self.registers.write_register_ushort(register, message)
        if self.registers.read_register_ushort(register) != message:
            raise wdf.StatusError(wdf.STATUS_DEVICE_CONFIGURATION_ERROR, f"the card refused vector {message} at {register:#x}")

    def evt_device_d0_exit(self, target_state):
        """The write is posted, and until the card has it, it may fill a ring that is freed next. A read pushes it."""
        self.registers.write_register_ulong(CONTROL, RESET)
        self.registers.read_register_ulong(CONTROL)

    def evt_device_release_hardware(self, translated):
        if self.registers is not None:
            self.registers.unmap()
        if self.enabler is not None:
            self.enabler.delete()  # and its common buffers

    def enable(self, interrupt, device):
        if self.line:
            for word in range(len(self.rings) // 32 + 1):
                self.registers.write_register_ulong(MASK_SET + 4 * word, 0xFFFFFFFF)
        else:
            self.registers.write_register_ulong(vector(interrupt.message_number).arm, ARM)

    def disable(self, interrupt, device):
        if not self.line:
            self.registers.write_register_ulong(vector(interrupt.message_number).arm, 0)

    def isr(self, interrupt, message_id):
        """The message says who it was: nothing to ask the card, and nobody else's to leave alone."""
        interrupt.queue_dpc_for_isr()
        return True

    def isr_of_a_line(self, interrupt, message_id):
        """A line is shared and says nothing: ask, drop the line, and wait until it is down."""
        ours = False
        for word in range(len(self.rings) // 32 + 1):
            status = self.registers.read_register_ulong(STATUS + 4 * word)
            if status not in (0, 0xFFFFFFFF):
                self.registers.write_register_ulong(STATUS + 4 * word, status)
                ours = True
        if ours:
            self.registers.read_register_ulong(STATUS)  # the write was posted; this pushes it
            interrupt.queue_dpc_for_isr()
        return ours

    def dpc(self, interrupt, device):
        """Serve, arm, and look once more: what came before the arming is not signalled again."""
        message = interrupt.context
        message.lock.acquire()
        self.serve(message)
        if not self.line:
            self.registers.write_register_ulong(vector(interrupt.message_number).arm, ARM)
            self.registers.read_register_ulong(vector(interrupt.message_number).arm)  # armed for certain
            self.serve(message)
        message.lock.release()

    def serve(self, message):
        for ring in message.rings:
            before = ring.head
            while ring.take() is not None:
                pass
            if ring.head != before:
                self.registers.write_register_ulong(queue(ring.number).doorbell, ring.head & 0xFFFFFFFF)
        if message.admin and self.registers.read_register_ulong(ERROR) & ERROR_VALID:
            self.registers.write_register_ulong(ERROR, ERROR_VALID)


class MultiQueueDriver(wdf.Driver):
    """DriverEntry's part."""

    def evt_driver_device_add(self, init):
        MultiQueueDevice.create(init)

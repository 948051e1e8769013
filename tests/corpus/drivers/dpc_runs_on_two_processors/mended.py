"""One spin lock for the ring: a second DPC finds the head where the first one left it."""

from dirql import wdf

ENTRIES, ENTRY_SIZE = 16, 16
CONTROL, RING, DONE = 0x00, 0x08, 0x14


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        bar = next(one for one in translated if one.type == wdf.CmResourceType.CmResourceTypeMemory)
        self.registers = self.kernel.mm_map_io_space(bar.u.start, bar.u.length)
        for one_raw, one in zip(raw, translated, strict=True):
            if one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)
        self.enabler = wdf.DmaEnabler.create(self, wdf.DmaEnablerConfig(wdf.DmaProfile.ScatterGather64, 4096))
        self.buffer = wdf.CommonBuffer.create(self.enabler, ENTRIES * ENTRY_SIZE)
        self.ring = self.buffer.get_aligned_virtual_address()
        self.head = 0
        self.lock = wdf.SpinLock.create(self.enabler)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()
        self.enabler.delete()

    def evt_device_d0_entry(self, previous_state):
        self.registers.write_register_ulong64(RING, self.buffer.get_aligned_logical_address())
        self.registers.write_register_ulong(CONTROL, 1)

    def evt_device_d0_exit(self, target_state):
        self.registers.write_register_ulong(CONTROL, 0)
        self.registers.read_register_ulong(CONTROL)  # no more DMA from here on

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def ready(self):
        """The tags of the completions from the head on: an entry counts once its phase bit is this pass's."""
        tags = []
        for at in range(self.head, self.head + ENTRIES):
            entry = self.ring[at % ENTRIES * ENTRY_SIZE :][:ENTRY_SIZE]
            if entry[12] & 1 == at // ENTRIES & 1:
                break
            tags.append(int.from_bytes(entry[8:12], "little"))
        return tags

    def dpc(self, interrupt, device):
        self.lock.acquire()
        tags = self.ready()
        for tag in tags:
            self.registers.write_register_ulong(DONE, tag)
        self.head += len(tags)
        self.lock.release()


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

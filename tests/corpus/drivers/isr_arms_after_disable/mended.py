"""The ISR arms only while the interrupt is enabled: its lock puts it before or after EvtInterruptDisable."""

from dirql import wdf

ENTRIES, ENTRY_SIZE = 16, 16
CONTROL, RING, ARM, DONE = 0x00, 0x08, 0x10, 0x14


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        bar = next(one for one in translated if one.type == wdf.CmResourceType.CmResourceTypeMemory)
        self.registers = self.kernel.mm_map_io_space(bar.u.start, bar.u.length)
        for one_raw, one in zip(raw, translated, strict=True):
            if one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, self.enable, self.disable)
                config.interrupt_raw, config.interrupt_translated = one_raw, one
                wdf.Interrupt.create(self, config)
        self.enabler = wdf.DmaEnabler.create(self, wdf.DmaEnablerConfig(wdf.DmaProfile.ScatterGather64, 4096))
        self.buffer = wdf.CommonBuffer.create(self.enabler, ENTRIES * ENTRY_SIZE)
        self.ring = self.buffer.get_aligned_virtual_address()
        self.head, self.armed = 0, False

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()
        self.enabler.delete()

    def evt_device_d0_entry(self, previous_state):
        self.registers.write_register_ulong64(RING, self.buffer.get_aligned_logical_address())
        self.registers.write_register_ulong(CONTROL, 1)

    def evt_device_d0_exit(self, target_state):
        self.kernel.ke_flush_queued_dpcs()
        self.registers.write_register_ulong(CONTROL, 0)
        self.registers.read_register_ulong(CONTROL)  # no more DMA from here on

    def enable(self, interrupt, device):
        self.armed = True
        self.registers.write_register_ulong(ARM, 1)

    def disable(self, interrupt, device):
        self.armed = False
        self.registers.write_register_ulong(ARM, 0)
        self.registers.read_register_ulong(ARM)

    def isr(self, interrupt, message_id):
        if self.armed:  # under the interrupt's lock, as EvtInterruptDisable
            self.registers.write_register_ulong(ARM, 1)
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        while self.ring[self.head % ENTRIES * ENTRY_SIZE + 12] & 1 != self.head // ENTRIES & 1:  # its phase bit, written last
            at = self.head % ENTRIES * ENTRY_SIZE + 8
            self.head += 1
            self.registers.write_register_ulong(DONE, int.from_bytes(self.ring[at : at + 4], "little"))


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

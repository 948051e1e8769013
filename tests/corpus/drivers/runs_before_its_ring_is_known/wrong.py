"""The card runs before it is told where its ring is: a completion in between goes to address 0."""

from dirql import wdf

ENTRIES, ENTRY_SIZE = 16, 16
CONTROL, RING, ARM, DONE = 0x00, 0x08, 0x10, 0x14


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, self.enable, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)
        self.enabler = wdf.DmaEnabler.create(self, wdf.DmaEnablerConfig(wdf.DmaProfile.ScatterGather64, 4096))
        self.buffer = wdf.CommonBuffer.create(self.enabler, ENTRIES * ENTRY_SIZE)
        self.ring = self.buffer.get_aligned_virtual_address()
        self.head = 0

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()
        self.enabler.delete()

    def evt_device_d0_entry(self, previous_state):
        self.registers.write_register_ulong(CONTROL, 1)
        self.registers.write_register_ulong64(RING, self.buffer.get_aligned_logical_address())

    def evt_device_d0_exit_pre_interrupts_disabled(self, target_state):
        self.registers.write_register_ulong(CONTROL, 0)
        self.registers.read_register_ulong(CONTROL)  # no more DMA and no more messages from here on

    def enable(self, interrupt, device):
        self.registers.write_register_ulong(ARM, 1)

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def serve(self):
        while self.ring[self.head % ENTRIES * ENTRY_SIZE + 12] & 1 != self.head // ENTRIES & 1:  # its phase bit, written last
            at = self.head % ENTRIES * ENTRY_SIZE + 8
            self.head += 1
            self.registers.write_register_ulong(DONE, int.from_bytes(self.ring[at : at + 4], "little"))

    def dpc(self, interrupt, device):
        self.serve()
        self.registers.write_register_ulong(ARM, 1)
        self.registers.read_register_ulong(ARM)
        self.serve()  # what came before the arming is not signalled any more


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

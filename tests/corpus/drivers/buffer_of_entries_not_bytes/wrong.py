"""WdfCommonBufferCreate is told how many reports the card writes, not how many bytes: the card writes on behind the buffer."""

from dirql import wdf

CONTROL, BASE_LOW, BASE_HIGH, COUNT = 0x00, 0x08, 0x0C, 0x10


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)
        count = self.registers.read_register_ulong(COUNT)
        self.enabler = wdf.DmaEnabler.create(self, wdf.DmaEnablerConfig(wdf.DmaProfile.ScatterGather64, 4096))
        self.buffer = wdf.CommonBuffer.create(self.enabler, count)

    def evt_device_d0_entry(self, previous_state):
        address = self.buffer.get_aligned_logical_address()
        self.registers.write_register_ulong(BASE_LOW, address & 0xFFFFFFFF)
        self.registers.write_register_ulong(BASE_HIGH, address >> 32)
        self.registers.write_register_ulong(CONTROL, 1)

    def evt_device_d0_exit(self, target_state):
        self.registers.write_register_ulong(CONTROL, 0)
        self.registers.read_register_ulong(CONTROL)  # the card is off for certain

    def evt_device_release_hardware(self, translated):
        self.enabler.delete()  # and its buffer
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        pass


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

"""The ISR acknowledges and claims the line without asking its card: of two cards on a line the second is never heard."""

from dirql import wdf

CAUSE, DONE, ALL = 0x00, 0x08, 0xFF


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.type == wdf.CmResourceType.CmResourceTypeInterrupt:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        self.registers.write_register_ulong(CAUSE, ALL)
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(DONE, ALL)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

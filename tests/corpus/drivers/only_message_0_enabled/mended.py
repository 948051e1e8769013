"""Each interrupt object has the bit of its own source: they are enabled one after another, and disabled backwards."""

from dirql import wdf

ENABLE, TAKE = 0x00, 0x10
SOURCES = 4


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers, self.enabled = None, 0
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(
                    self.isr, self.dpc, self.enable, self.disable, interrupt_raw=one_raw, interrupt_translated=one
                )
                wdf.Interrupt.create(self, config)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def enable(self, interrupt, device):
        self.registers.write_register_ulong(ENABLE, (2 << interrupt.message_number) - 1)

    def disable(self, interrupt, device):
        self.registers.write_register_ulong(ENABLE, (1 << interrupt.message_number) - 1)
        self.registers.read_register_ulong(ENABLE)

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(TAKE + 4 * interrupt.message_number, 1)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

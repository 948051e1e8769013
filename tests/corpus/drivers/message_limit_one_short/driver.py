"""Source n of the card interrupts by message n, whose DPC serves it and no other: the INF has to ask for all of them."""

from dirql import wdf

ENABLE, TAKE, VECTOR = 0x00, 0x10, 0x20
SOURCES = 4


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def evt_device_d0_entry_post_interrupts_enabled(self, previous_state):
        for source in range(SOURCES):
            self.registers.write_register_ulong(VECTOR + 4 * source, source)
        self.registers.write_register_ulong(ENABLE, (1 << SOURCES) - 1)

    def evt_device_d0_exit_pre_interrupts_disabled(self, target_state):
        self.registers.write_register_ulong(ENABLE, 0)
        self.registers.read_register_ulong(ENABLE)

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(TAKE + 4 * interrupt.message_number, 1)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

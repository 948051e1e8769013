"""EvtDeviceD0Entry raises the IRQL while it waits for the card to be ready, and lowers it only when the card is not."""

from dirql import wdf

ENABLE, TAKE = 0x00, 0x10


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def evt_device_d0_entry(self, previous_state):
        old = self.kernel.ke_raise_irql(wdf.DISPATCH_LEVEL)  # the card gives up when it is asked too slowly
        for _ in range(10):
            if self.registers.read_register_ulong(ENABLE) & 1:
                return wdf.STATUS_SUCCESS
            self.kernel.ke_stall_execution_processor(5)
        self.kernel.ke_lower_irql(old)
        return wdf.STATUS_IO_TIMEOUT

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(TAKE, 0xFFFFFFFF)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

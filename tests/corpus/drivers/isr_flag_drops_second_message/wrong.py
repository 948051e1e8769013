"""The ISR leaves a flag and the DPC serves one job for it: one that comes before the flag is cleared has none."""

from dirql import wdf


class Message:
    def __init__(self):
        self.pending = False


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config, wdf.ObjectAttributes(context_type=Message))

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        interrupt.context.pending = True
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        message = interrupt.context
        if message.pending:
            self.registers.write_register_ulong(0x10, 1)
            message.pending = False


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

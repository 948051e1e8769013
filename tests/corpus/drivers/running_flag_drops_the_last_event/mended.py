"""The ISR always queues the DPC: one that runs is queued again, and one that is queued is queued once."""

from dirql import wdf

TAKE, STATUS = 0x10, 0x20


class Message:
    def __init__(self):
        self.ticks = 0


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
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        message = interrupt.context
        began, _ = self.kernel.ke_query_performance_counter()
        while self.registers.read_register_ulong(STATUS) & 1:
            self.registers.write_register_ulong(TAKE, 1)
        ended, _ = self.kernel.ke_query_performance_counter()
        message.ticks += ended - began


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

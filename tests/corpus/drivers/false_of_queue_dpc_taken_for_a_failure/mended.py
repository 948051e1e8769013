"""FALSE says that the DPC is queued already: it will see these events too."""

from dirql import wdf

CAUSE, DONE = 0x00, 0x08


class Message:
    def __init__(self):
        self.events = 0


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
        events = self.registers.read_register_ulong(CAUSE)
        self.registers.write_register_ulong(CAUSE, events)
        message = interrupt.context
        message.events |= events
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        message = interrupt.context
        interrupt.acquire_lock()
        events, message.events = message.events, 0
        interrupt.release_lock()
        self.registers.write_register_ulong(DONE, events)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

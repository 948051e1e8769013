"""The objects are created in the order of the messages, so that the MessageID is the message."""

from dirql import wdf

TAKE = 0x10


class Message:
    def __init__(self):
        self.queue = None


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        messages = [pair for pair in zip(raw, translated, strict=True) if pair[1].is_message]
        memory = next(one for one in translated if one.type == wdf.CmResourceType.CmResourceTypeMemory)
        self.registers = self.kernel.mm_map_io_space(memory.u.start, memory.u.length)
        for one_raw, one in messages:
            config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
            wdf.Interrupt.create(self, config, wdf.ObjectAttributes(context_type=Message))

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        interrupt.context.queue = message_id
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(TAKE + 4 * interrupt.context.queue, 0xFFFFFFFF)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

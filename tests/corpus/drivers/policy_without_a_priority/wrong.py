"""The policy's priority is left as its INIT leaves it, undefined; WdfInterruptSetExtendedPolicy drops that without a word."""

from dirql import wdf

TAKE = 0x10


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        memory = next(one for one in translated if one.type == wdf.CmResourceType.CmResourceTypeMemory)
        self.registers = self.kernel.mm_map_io_space(memory.u.start, memory.u.length)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(TAKE, 0xFFFFFFFF)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        for _ in range(4):  # as many as the card has messages
            interrupt = wdf.Interrupt.create(card, wdf.InterruptConfig(card.isr, card.dpc))
            policy = wdf.InterruptExtendedPolicy(wdf.InterruptPolicy.SpecifiedProcessors, mask=0b10)
            interrupt.set_extended_policy(policy)

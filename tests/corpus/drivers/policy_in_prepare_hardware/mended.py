"""They are created in EvtDriverDeviceAdd: what is set there goes into the requirements."""

from dirql import wdf

TAKE = 0x10


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        for one in translated:
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)

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
            interrupt.set_extended_policy(
                wdf.InterruptExtendedPolicy(wdf.InterruptPolicy.SpecifiedProcessors, wdf.InterruptPriority.Normal, 0b10)
            )

"""All ones is no answer: the card is gone, and the ISR leaves."""

from dirql import wdf

STATUS, MAIL, SEEN = 0x00, 0x04, 0x08
BUSY, GONE = 1, 0xFFFFFFFF


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers, self.letters = None, [0] * 16
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def evt_device_d0_exit(self, target_state):
        self.kernel.ke_flush_queued_dpcs()

    def isr(self, interrupt, message_id):
        for _ in range(100):  # the mail is there a little after the message
            status = self.registers.read_register_ulong(STATUS)
            if not status & BUSY or status == GONE:
                break
        last = self.registers.read_register_ulong(MAIL)
        if last == GONE:
            return True
        self.last = last
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.letters[self.last] += 1
        self.registers.write_register_ulong(SEEN, self.last)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

"""One spin lock for the ISRs of two cards and their log: the card of the higher IRQL interrupts the ISR that holds it."""

from dirql import wdf

TAKE = 0x10


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers, self.log = None, self.get_driver().log
        self.lock = self.get_driver().lock
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(
                    self.isr, self.dpc, spin_lock=self.lock, interrupt_raw=one_raw, interrupt_translated=one
                )
                wdf.Interrupt.create(self, config)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        self.log.append(message_id)
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(TAKE, 0xFFFFFFFF)


class Driver(wdf.Driver):
    lock = None

    def evt_driver_device_add(self, init):
        if self.lock is None:
            self.lock, self.log = wdf.SpinLock.create(self), []
        Card.create(init)

    def evt_driver_unload(self):
        self.lock.delete()

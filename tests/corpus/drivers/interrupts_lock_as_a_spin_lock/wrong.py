"""The spin lock was given to the interrupt, so that the ISR holds it; WdfSpinLockAcquire in the DPC then takes nothing."""

from dirql import wdf

TAKE = 0x10


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
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
        self.count += 1
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.lock.acquire()
        self.count = 0
        self.lock.release()
        self.registers.write_register_ulong(TAKE, 0xFFFFFFFF)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.lock = wdf.SpinLock.create(card)
        card.count = 0

"""One spin lock for all interrupts: each change of the mask is whole before the next one begins."""

from dirql import wdf

ENABLE, TAKE = 0x00, 0x10


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        lock = wdf.SpinLock.create(self)
        bar = next(one for one in translated if one.type == wdf.CmResourceType.CmResourceTypeMemory)
        self.registers = self.kernel.mm_map_io_space(bar.u.start, bar.u.length)
        for one_raw, one in zip(raw, translated, strict=True):
            if one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, self.enable, self.disable, spin_lock=lock)
                config.interrupt_raw, config.interrupt_translated = one_raw, one
                wdf.Interrupt.create(self, config)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def evt_device_d0_entry(self, previous_state):
        self.stopping = False

    def evt_device_d0_exit_pre_interrupts_disabled(self, target_state):
        self.stopping = True
        self.kernel.ke_flush_queued_dpcs()  # from here on no DPC lets its source speak again

    def evt_device_d0_exit(self, target_state):
        self.kernel.ke_flush_queued_dpcs()

    def change(self, interrupt, on):
        """Let the interrupt's source speak, or silence it; the other sources' bits stay."""
        bit = 1 << interrupt.message_number
        others = self.registers.read_register_ulong(ENABLE) & ~bit
        self.registers.write_register_ulong(ENABLE, others | bit * on)

    def enable(self, interrupt, device):
        self.change(interrupt, True)

    def disable(self, interrupt, device):
        self.change(interrupt, False)
        self.registers.read_register_ulong(ENABLE)

    def isr(self, interrupt, message_id):
        self.change(interrupt, False)  # until its DPC is done
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(TAKE + 4 * interrupt.message_number, 1)
        if not self.stopping:
            interrupt.acquire_lock()
            self.change(interrupt, True)
            interrupt.release_lock()


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

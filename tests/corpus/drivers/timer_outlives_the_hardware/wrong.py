"""WdfTimerStop with Wait FALSE: a callback that runs on another processor goes on while the registers are unmapped."""

from dirql import wdf

TAKE, STATUS = 0x10, 0x20


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def evt_device_d0_exit(self, target_state):
        self.timer.stop(False)

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(TAKE, 0xFFFFFFFF)
        self.timer.start(50_000)  # a look at what comes late

    def collect(self, timer):
        for _ in range(4):
            if self.registers.read_register_ulong(STATUS):
                self.registers.write_register_ulong(TAKE, 0xFFFFFFFF)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.timer = wdf.Timer.create(card, wdf.TimerConfig(card.collect, automatic_serialization=False))

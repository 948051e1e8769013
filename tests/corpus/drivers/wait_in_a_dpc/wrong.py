"""The DPC waits for its turn with KeWaitForSingleObject: nobody can give it its turn while it holds the processor."""

from dirql import wdf

TAKE = 0x10


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        self.turn = wdf.Event(self.kernel, wdf.EventType.SynchronizationEvent, True, "turn")
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.serve()

    def serve(self):
        self.kernel.ke_wait_for_single_object(self.turn)  # one at a time
        self.registers.write_register_ulong(TAKE, 0xFFFFFFFF)
        self.turn.set()


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

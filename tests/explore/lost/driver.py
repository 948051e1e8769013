"""The ISR sets a flag, and the DPC serves one message for it: the second of two messages is lost."""

from dirql import wdf


class Ctx:
    def __init__(self):
        self.pending = False


class Dev(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.io = None
        for r, t in zip(raw, translated, strict=True):
            if t.type == wdf.CmResourceType.CmResourceTypeMemory and self.io is None:
                self.io = self.kernel.mm_map_io_space(t.u.start, t.u.length)
            elif t.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=r, interrupt_translated=t)
                wdf.Interrupt.create(self, config, wdf.ObjectAttributes(context_type=Ctx))

    def evt_device_release_hardware(self, translated):
        self.io.unmap()

    def isr(self, interrupt, message_id):
        interrupt.context.pending = True
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        context = interrupt.context
        if context.pending:
            self.io.write_register_ulong(0, 1)  # takes one job
            context.pending = False


class Drv(wdf.Driver):
    def evt_driver_device_add(self, init):
        Dev.create(init)

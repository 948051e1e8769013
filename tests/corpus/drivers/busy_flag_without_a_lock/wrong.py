"""The DPC sees that nothing waits and goes idle; a write that comes in between sees the card busy and leaves it to the DPC."""

from dirql import wdf

START = 0x00


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

    def evt_io_write(self, queue, request, length):
        command = request.retrieve_input_buffer(1)[0]
        self.waiting.append((request, command))
        if not self.busy:
            self.busy = True
            self.begin()

    def begin(self):
        self.request, command = self.waiting.pop(0)
        self.registers.write_register_ulong(START, command)

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        more = bool(self.waiting)
        self.request.complete(wdf.STATUS_SUCCESS)
        if more:
            self.begin()
        else:
            self.busy = False


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.create_symbolic_link("\\DosDevices\\Commands")
        card.waiting, card.busy = [], False
        config = wdf.IoQueueConfig(wdf.IoQueueDispatchType.Parallel, evt_io_write=card.evt_io_write, default_queue=True)
        wdf.IoQueue.create(card, config)

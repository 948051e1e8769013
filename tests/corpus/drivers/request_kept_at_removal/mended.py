"""Reads wait in a manual queue: the framework cancels what is there when the device goes."""

from dirql import wdf


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

    def evt_io_read(self, queue, request, length):
        request.forward_to_io_queue(self.readers)

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        request = self.readers.retrieve_next_request()
        if request is not None:
            request.complete(wdf.STATUS_SUCCESS)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.create_symbolic_link("\\DosDevices\\Commands")
        card.readers = wdf.IoQueue.create(card, wdf.IoQueueConfig(wdf.IoQueueDispatchType.Manual))
        config = wdf.IoQueueConfig(wdf.IoQueueDispatchType.Parallel, evt_io_read=card.evt_io_read, default_queue=True)
        wdf.IoQueue.create(card, config)

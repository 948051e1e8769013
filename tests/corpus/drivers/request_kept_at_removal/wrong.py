"""Reads wait in a list of the driver's until the card has something; nobody completes them when the device is removed."""

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
        self.lock.acquire()
        self.readers.append(request)
        self.lock.release()

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.lock.acquire()
        request = self.readers.pop(0) if self.readers else None
        self.lock.release()
        if request is not None:
            request.complete(wdf.STATUS_SUCCESS)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.create_symbolic_link("\\DosDevices\\Commands")
        card.readers, card.lock = [], wdf.SpinLock.create(card)
        config = wdf.IoQueueConfig(wdf.IoQueueDispatchType.Parallel, evt_io_read=card.evt_io_read, default_queue=True)
        wdf.IoQueue.create(card, config)

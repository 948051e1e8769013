"""The DPC completes a request whatever WdfRequestUnmarkCancelable says: EvtRequestCancel completes it as well."""

from dirql import wdf

START = 0x00


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers, self.request = None, None
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def write(self, queue, request, length):
        self.lock.acquire()
        self.request = request
        request.mark_cancelable(self.cancel)
        self.lock.release()
        self.registers.write_register_ulong(START, 1)

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.lock.acquire()
        request, self.request = self.request, None
        if request is not None:
            request.unmark_cancelable()
        self.lock.release()
        if request is not None:
            request.complete_with_information(wdf.STATUS_SUCCESS, 4)

    def cancel(self, request):
        self.lock.acquire()
        self.request = None
        self.lock.release()
        request.complete(wdf.STATUS_CANCELLED)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.lock = wdf.SpinLock.create(card)
        card.create_symbolic_link("\\\\.\\Commands")
        config = wdf.IoQueueConfig(wdf.IoQueueDispatchType.Sequential, default_queue=True, evt_io_write=card.write)
        wdf.IoQueue.create(card, config)

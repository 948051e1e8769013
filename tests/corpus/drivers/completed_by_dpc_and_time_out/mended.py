"""Whoever takes the request out under the lock completes it; the other one finds none."""

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
        self.request = request
        self.timer.start(1_000_000)
        self.registers.write_register_ulong(START, 1)

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        request = self.take()
        if request is not None:
            self.timer.stop(False)
            request.complete(wdf.STATUS_SUCCESS)

    def time_out(self, timer):
        request = self.take()
        if request is not None:
            request.complete(wdf.STATUS_IO_TIMEOUT)

    def take(self):
        self.lock.acquire()
        request, self.request = self.request, None
        self.lock.release()
        return request


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.create_symbolic_link("\\DosDevices\\Commands")
        card.request = None
        card.lock = wdf.SpinLock.create(card)
        card.timer = wdf.Timer.create(card, wdf.TimerConfig(card.time_out))
        config = wdf.IoQueueConfig(wdf.IoQueueDispatchType.Sequential, evt_io_write=card.evt_io_write, default_queue=True)
        wdf.IoQueue.create(card, config)

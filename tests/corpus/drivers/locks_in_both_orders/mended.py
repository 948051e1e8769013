"""Both take the lock of the queue first."""

from dirql import wdf

TAKE = 0x10


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers = None
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)

    def evt_device_d0_exit(self, target_state):
        self.printer.flush()

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.queue_lock.acquire()
        self.registers.write_register_ulong(TAKE, 0xFFFFFFFF)
        self.head += 1
        self.statistics_lock.acquire()
        self.runs += 1
        self.statistics_lock.release()
        self.queue_lock.release()
        self.printer.enqueue()

    def print_statistics(self, work_item):
        self.queue_lock.acquire()
        self.statistics_lock.acquire()
        self.printed = self.runs, self.head
        self.statistics_lock.release()
        self.queue_lock.release()


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.queue_lock, card.statistics_lock = wdf.SpinLock.create(card), wdf.SpinLock.create(card)
        card.printer = wdf.WorkItem.create(card, wdf.WorkItemConfig(card.print_statistics, automatic_serialization=False))
        card.runs = card.head = 0
        card.printed = None

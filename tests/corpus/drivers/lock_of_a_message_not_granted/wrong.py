"""A source's lock is made with its message: with fewer messages than sources the DPC takes a lock that nobody made."""

from dirql import wdf

ENABLE, TAKE, VECTOR = 0x00, 0x10, 0x20
SOURCES = 4


class Source:
    def __init__(self):
        self.lock = None
        self.served = 0


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.registers, self.messages = None, 0
        self.sources = [Source() for _ in range(SOURCES)]
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory and self.registers is None:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)
                self.sources[self.messages].lock = wdf.SpinLock.create(self)
                self.messages += 1

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()
        for source in self.sources:
            if source.lock is not None:
                source.lock.delete()

    def evt_device_d0_entry_post_interrupts_enabled(self, previous_state):
        for source in range(SOURCES):
            self.registers.write_register_ulong(VECTOR + 4 * source, source % self.messages)
        self.registers.write_register_ulong(ENABLE, (1 << SOURCES) - 1)

    def evt_device_d0_exit_pre_interrupts_disabled(self, target_state):
        self.registers.write_register_ulong(ENABLE, 0)
        self.registers.read_register_ulong(ENABLE)

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        for number in range(interrupt.message_number, SOURCES, self.messages):
            source = self.sources[number]
            source.lock.acquire()
            self.registers.write_register_ulong(TAKE + 4 * number, 1)
            source.served += 1
            source.lock.release()


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

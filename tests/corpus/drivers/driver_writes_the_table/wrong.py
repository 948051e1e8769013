"""The driver masks its message in the MSI-X table itself, by a mapping of its own: the table is the bus driver's."""

from dirql import wdf

TAKE, ENTRY_SIZE, VECTOR_CONTROL = 0x10, 16, 12


class Card(wdf.Device):
    def evt_device_prepare_hardware(self, raw, translated):
        self.mapped = []  # BAR 0, and BAR 2 with the MSI-X table
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory:
                self.mapped.append(self.kernel.mm_map_io_space(one.u.start, one.u.length))
            elif one.is_message:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config)
        self.registers, self.table = self.mapped

    def evt_device_release_hardware(self, translated):
        for space in self.mapped:
            space.unmap()

    def mask(self, interrupt, masked):
        self.table.write_register_ulong(ENTRY_SIZE * interrupt.message_number + VECTOR_CONTROL, masked)

    def isr(self, interrupt, message_id):
        self.mask(interrupt, 1)  # no more of it until the DPC is through
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.registers.write_register_ulong(TAKE, 0xFFFFFFFF)
        self.mask(interrupt, 0)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        Card.create(init)

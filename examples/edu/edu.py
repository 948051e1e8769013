"""A driver for QEMU's edu device: one MSI message (or a line) for two causes, a factorial unit and a DMA engine."""

from dirql import wdf

IDENTIFICATION, FACTORIAL, STATUS, INTERRUPT_STATUS, ACKNOWLEDGE = 0x00, 0x08, 0x20, 0x24, 0x64
DMA_SOURCE, DMA_DESTINATION, DMA_COUNT, DMA_COMMAND = 0x80, 0x88, 0x90, 0x98
INTERRUPT_AFTER_FACTORIAL, FACTORIAL_DONE, DMA_DONE = 0x80, 0x001, 0x100
START, TO_MEMORY, INTERRUPT_WHEN_DONE = 1, 2, 4
BUFFER = 0x40000


class EduDevice(wdf.Device):
    """One operation at a time; each ends with an interrupt."""

    def evt_device_prepare_hardware(self, raw, translated):
        self.cause, self.finished = 0, wdf.Event(self.kernel, wdf.EventType.SynchronizationEvent, name="edu finished")
        for one_raw, one in zip(raw, translated, strict=True):
            if one.type == wdf.CmResourceType.CmResourceTypeMemory:
                self.registers = self.kernel.mm_map_io_space(one.u.start, one.u.length)
            elif one.type == wdf.CmResourceType.CmResourceTypeInterrupt:
                config = wdf.InterruptConfig(self.isr, self.dpc, interrupt_raw=one_raw, interrupt_translated=one)
                wdf.Interrupt.create(self, config).serves = "factorial, DMA"
        if self.registers.read_register_ulong(IDENTIFICATION) & 0xFF != 0xED:
            raise wdf.StatusError(wdf.STATUS_DEVICE_CONFIGURATION_ERROR, "this is no edu device")
        self.enabler = wdf.DmaEnabler.create(self, wdf.DmaEnablerConfig(wdf.DmaProfile.Packet, 4096))
        self.buffer = wdf.CommonBuffer.create(self.enabler, 4096)

    def evt_device_d0_entry(self, previous_state):
        self.registers.write_register_ulong(STATUS, INTERRUPT_AFTER_FACTORIAL)

    def evt_device_release_hardware(self, translated):
        self.registers.unmap()

    def isr(self, interrupt, message_id):
        """Two causes behind one message: here the register must be asked, and acknowledged, or nothing more comes."""
        cause = self.registers.read_register_ulong(INTERRUPT_STATUS)
        if cause in (0, 0xFFFFFFFF):
            return False
        self.registers.write_register_ulong(ACKNOWLEDGE, cause)
        self.registers.read_register_ulong(INTERRUPT_STATUS)  # a line must be down before the ISR returns
        self.cause |= cause
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        self.finished.set()

    def factorial(self, number):
        """`number`!, modulo 2**32, as the device computes it."""
        self.registers.write_register_ulong(FACTORIAL, number)
        self.kernel.ke_wait_for_single_object(self.finished)
        return self.registers.read_register_ulong(FACTORIAL)

    def round_trip(self, data):
        """Send `data` to the device's buffer and fetch it back into other memory."""
        memory, address = self.buffer.get_aligned_virtual_address(), self.buffer.get_aligned_logical_address()
        memory[: len(data)] = data
        self.transfer(address, BUFFER, len(data), START | INTERRUPT_WHEN_DONE)
        self.transfer(BUFFER, address + 2048, len(data), START | TO_MEMORY | INTERRUPT_WHEN_DONE)
        return bytes(memory[2048 : 2048 + len(data)])

    def transfer(self, source, destination, count, command):
        for register, value in ((DMA_SOURCE, source), (DMA_DESTINATION, destination), (DMA_COUNT, count), (DMA_COMMAND, command)):
            self.registers.write_register_ulong64(register, value)
        self.kernel.ke_wait_for_single_object(self.finished)


class EduDriver(wdf.Driver):
    """DriverEntry's part."""

    def evt_driver_device_add(self, init):
        EduDevice.create(init)


def exercise(system, card):
    """What a test program would ask: one factorial, one DMA there and back."""
    device = system.device(card)
    assert system.call(device.factorial, 10) == 3_628_800
    assert system.call(device.round_trip, b"two messages, one cause each") == b"two messages, one cause each"

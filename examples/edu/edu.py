"""A driver for QEMU's edu device: one MSI message (or a line) for two causes, a factorial unit and a DMA engine.

A program asks it for work through its device interface; `exercise` is one.
"""

from uuid import UUID

from dirql import wdf

GUID_DEVINTERFACE_EDU = UUID("6d0b8f3a-52c1-4e9e-9b1d-0e44e5d11e80")
IOCTL_EDU_FACTORIAL = 0x8ED0 << 16 | 0x800 << 2  # METHOD_BUFFERED, FILE_ANY_ACCESS
IOCTL_EDU_ROUND_TRIP = 0x8ED0 << 16 | 0x801 << 2

IDENTIFICATION, FACTORIAL, STATUS, INTERRUPT_STATUS, ACKNOWLEDGE = 0x00, 0x08, 0x20, 0x24, 0x64
DMA_SOURCE, DMA_DESTINATION, DMA_COUNT, DMA_COMMAND = 0x80, 0x88, 0x90, 0x98
INTERRUPT_AFTER_FACTORIAL, FACTORIAL_DONE, DMA_DONE = 0x80, 0x001, 0x100
START, TO_MEMORY, INTERRUPT_WHEN_DONE = 1, 2, 4
BUFFER, HALF = 0x40000, 2048


class EduDevice(wdf.Device):
    """One operation at a time; each ends with an interrupt."""

    def evt_device_prepare_hardware(self, raw, translated):
        self.registers, self.enabler, self.gone = None, None, False
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

    def evt_device_d0_exit(self, target_state):
        """The last interrupt's DPC may have been queued after the framework's flush."""
        self.kernel.ke_flush_queued_dpcs()

    def evt_device_release_hardware(self, translated):
        if self.registers is not None:
            self.registers.unmap()
        if self.enabler is not None:
            self.enabler.delete()  # and its common buffer

    def evt_device_surprise_removal(self):
        """No interrupt comes any more: who waits for one must not wait for ever."""
        self.gone = True
        self.finished.set()

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

    def evt_io_device_control(self, queue, request, output_length, input_length, code):
        """One at a time: the queue is sequential."""
        operation = {IOCTL_EDU_FACTORIAL: self.factorial, IOCTL_EDU_ROUND_TRIP: self.round_trip}.get(code)
        try:
            done = operation(request, input_length) if operation else None
        except wdf.StatusError as error:
            request.complete(error.status)
        else:
            status = wdf.STATUS_INVALID_DEVICE_REQUEST if done is None else wdf.STATUS_SUCCESS
            request.complete_with_information(status, done or 0)

    def factorial(self, request, length):
        """n!, modulo 2**32, as the device computes it."""
        number, result = request.retrieve_input_buffer(4), request.retrieve_output_buffer(4)
        self.registers.write_register_ulong(FACTORIAL, int.from_bytes(number[:4], "little"))
        self.finish()
        result[:4] = self.registers.read_register_ulong(FACTORIAL).to_bytes(4, "little")
        return 4

    def round_trip(self, request, length):
        """Send bytes to the device's buffer and fetch them back into other memory."""
        memory, address = self.buffer.get_aligned_virtual_address(), self.buffer.get_aligned_logical_address()
        if length > HALF:
            raise wdf.StatusError(wdf.STATUS_INVALID_BUFFER_SIZE, f"{length} bytes are more than {HALF}")
        data, result = request.retrieve_input_buffer(1), request.retrieve_output_buffer(length)
        memory[:length] = data[:length]
        self.transfer(address, BUFFER, length, START | INTERRUPT_WHEN_DONE)
        self.transfer(BUFFER, address + HALF, length, START | TO_MEMORY | INTERRUPT_WHEN_DONE)
        result[:length] = memory[HALF : HALF + length]
        return length

    def transfer(self, source, destination, count, command):
        for register, value in ((DMA_SOURCE, source), (DMA_DESTINATION, destination), (DMA_COUNT, count), (DMA_COMMAND, command)):
            self.registers.write_register_ulong64(register, value)
        self.finish()

    def finish(self):
        """The operation is over, or the device is gone."""
        if not self.gone:
            self.kernel.ke_wait_for_single_object(self.finished)
        if self.gone:
            raise wdf.StatusError(wdf.STATUS_DEVICE_REMOVED, "the device was pulled out")


class EduDriver(wdf.Driver):
    """DriverEntry's part."""

    def evt_driver_device_add(self, init):
        device = EduDevice.create(init)
        device.create_device_interface(GUID_DEVINTERFACE_EDU)
        sequential, passive = wdf.IoQueueDispatchType.Sequential, wdf.ExecutionLevel.Passive
        config = wdf.IoQueueConfig(sequential, default_queue=True, evt_io_device_control=device.evt_io_device_control)
        wdf.IoQueue.create(device, config, wdf.ObjectAttributes(execution_level=passive))


def exercise(system, card):
    """What a test program would ask: one factorial, one DMA there and back."""
    text = b"two messages, one cause each"
    with system.open(GUID_DEVINTERFACE_EDU) as edu:
        assert edu.ioctl(IOCTL_EDU_FACTORIAL, (10).to_bytes(4, "little"), 4) == (3_628_800).to_bytes(4, "little")
        assert edu.ioctl(IOCTL_EDU_ROUND_TRIP, text, len(text)) == text

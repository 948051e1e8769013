"""The queue is not power managed, so that programs are answered at once; of a device that has idled out they get all ones."""

from dirql import wdf

STATUS = 0x04


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

    def isr(self, interrupt, message_id):
        interrupt.queue_dpc_for_isr()
        return True

    def dpc(self, interrupt, device):
        pass

    def evt_io_device_control(self, queue, request, output_length, input_length, code):
        status = self.registers.read_register_ulong(STATUS)
        request.retrieve_output_buffer(4)[:4] = status.to_bytes(4, "little")
        request.complete_with_information(wdf.STATUS_SUCCESS, 4)


class Driver(wdf.Driver):
    def evt_driver_device_add(self, init):
        card = Card.create(init)
        card.create_symbolic_link("\\DosDevices\\Commands")
        card.assign_s0_idle_settings(wdf.S0IdleSettings(idle_timeout=10))
        config = wdf.IoQueueConfig(
            wdf.IoQueueDispatchType.Parallel, power_managed=wdf.TriState.WdfFalse, default_queue=True,
            evt_io_device_control=card.evt_io_device_control,
        )  # fmt: skip
        wdf.IoQueue.create(card, config)

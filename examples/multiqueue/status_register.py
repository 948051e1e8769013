"""The multi-queue driver as it should not be: every ISR asks the card's status register, as only a line would need.

With a message per queue the read tells nothing that the MessageID has not told, and costs a round trip over PCIe. Worse:
the register is one for all messages. `NotMineDevice` clears what it reads and returns FALSE when it reads nothing; the
ISR of one message then takes the bits of another, whose ISR finds none and queues no DPC. That queue stands still.
"""

from driver import MultiQueueDevice
from registers import STATUS

from dirql import wdf


class StatusRegisterDevice(MultiQueueDevice):
    """Right, and slow: it clears its own sources only, and believes the message when the register says nothing."""

    def isr(self, interrupt, message_id):
        mine = sum(1 << ring.number for ring in interrupt.context.rings)
        if self.registers.read_register_ulong(STATUS) & mine:
            self.registers.write_register_ulong(STATUS, mine)
        interrupt.queue_dpc_for_isr()
        return True


class NotMineDevice(MultiQueueDevice):
    """Wrong: an ISR for a line, used for messages."""

    def isr(self, interrupt, message_id):
        status = self.registers.read_register_ulong(STATUS)
        if not status:
            return False
        self.registers.write_register_ulong(STATUS, status)
        interrupt.queue_dpc_for_isr()
        return True


class StatusRegisterDriver(wdf.Driver):
    """DriverEntry's part."""

    def evt_driver_device_add(self, init):
        StatusRegisterDevice.create(init)


class NotMineDriver(wdf.Driver):
    """DriverEntry's part."""

    def evt_driver_device_add(self, init):
        NotMineDevice.create(init)

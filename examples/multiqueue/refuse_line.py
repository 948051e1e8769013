"""The multi-queue driver that will not have a line: EvtDevicePrepareHardware fails and the device gets Code 10."""

from driver import MultiQueueDevice

from dirql import wdf


class MessagesOnlyDevice(MultiQueueDevice):
    """Same card, same queues."""

    def accept_line(self, raw, translated):
        raise wdf.StatusError(wdf.STATUS_DEVICE_CONFIGURATION_ERROR, "a line was granted, and this driver serves messages only")


class MessagesOnlyDriver(wdf.Driver):
    """DriverEntry's part."""

    def evt_driver_device_add(self, init):
        MessagesOnlyDevice.create(init)

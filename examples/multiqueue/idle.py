"""The multi-queue driver with S0 idle: in Dx after 10 ms without work, back when somebody needs the card."""

from driver import MultiQueueDevice

from dirql import wdf


class IdleDriver(wdf.Driver):
    """DriverEntry's part."""

    def evt_driver_device_add(self, init):
        device = MultiQueueDevice.create(init)
        device.assign_s0_idle_settings(wdf.S0IdleSettings(idle_timeout=10))


def traffic(system, card):
    """Three bursts: each holds the card in D0 with StopIdle, and between them it powers down."""
    device = system.device(card)
    for burst in range(3):
        system.call(device.stop_idle, True)
        for queue in range(card.queues):
            card.submit(queue, count=burst + 1)
        system.run()
        system.call(device.resume_idle)

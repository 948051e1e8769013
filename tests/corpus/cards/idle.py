"""A workload for devices that idle out: a program holds the device in D0 for as long as it takes to start the card's own work."""


def one_burst(system, card):
    """The card's work begins, and the idle time-out with it."""
    device = system.device(card)
    system.call(device.stop_idle, True)
    card.exercise()
    system.call(device.resume_idle)

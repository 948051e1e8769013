"""A program that writes and thinks better of it."""


def write_and_cancel(system, card):
    pending = system.open(r"\\.\Commands").start_write(b"command")
    system.run(for_ns=5_000)
    pending.cancel()

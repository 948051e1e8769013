"""A program reads, waits for long, and cancels when the job has just arrived."""


def read_and_cancel(system, card):
    pending = system.open(r"\\.\Jobs").start_read(4)
    system.run()
    card.submit(1)
    pending.cancel()

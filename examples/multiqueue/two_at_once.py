"""Two messages at once: what the driver saw is in the report's table of fates."""


def one_message_twice(system, card):
    """Entry 3 twice before anybody took the first: one IRR bit on one processor, hence one interrupt."""
    card.msix.fire(3)
    card.msix.fire(3)


def two_messages(system, card):
    """Entries 3 and 4 together: two vectors, two ISR calls."""
    card.msix.fire(3)
    card.msix.fire(4)

"""The driver's side of the card's data sheet: where the registers are, as a driver's header would say it."""

CONTROL, CAPABILITY, ERROR, ADMIN_VECTOR = 0x004, 0x008, 0x010, 0x014
STATUS, MASK_SET, MASK_CLEAR = 0x100, 0x200, 0x300  # a word for every 32 sources

RESET, ENABLE, ARM = 1, 1, 1
ERROR_VALID = 1 << 31
NO_VECTOR = 0xFFFF
ENTRY_SIZE = 16


class vector:
    """Registers of vector `number`."""

    def __init__(self, number):
        self.cause = 0x1000 + 16 * number
        self.arm = self.cause + 4
        self.moderation = self.cause + 8


class queue:
    """Registers of queue `number`."""

    def __init__(self, number):
        self.base_low = 0x9000 + 32 * number
        self.base_high = self.base_low + 0x04
        self.ring_size = self.base_low + 0x08
        self.vector = self.base_low + 0x0C
        self.control = self.base_low + 0x10
        self.doorbell = self.base_low + 0x14

"""Windows driver images (.sys) in a CPU emulator."""

from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.load import instrument, load_driver

__all__ = ["Guest", "instrument", "load_driver"]

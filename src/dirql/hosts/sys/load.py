"""From a file to a driver in the guest.

Limits: however code is preempted, an instruction is one step: with `preempt = "memory"` there is a choice before it, and none
between its read and its write, so that an `inc` or `or` of memory without a `lock` prefix never loses an update. A data race
there is a finding all the same, with `[verifier] races = true`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from dirql.files import read_file
from dirql.hosts.sys import api
from dirql.hosts.sys.driver import SysDriver
from dirql.hosts.sys.guest import Guest
from dirql.hosts.sys.image import LARGEST_IMAGE, Image
from dirql.hosts.sys.shared_data import SharedData

__all__ = ["declare_routines", "instrument", "load_driver"]


def load_driver(guest: Guest, path: Path) -> SysDriver:
    """The driver in the image at `path`, loaded and not entered yet; an ImageError says in one line why it cannot be one."""
    declare_routines()
    guest.part(SharedData)
    data = read_file(path, str(path), LARGEST_IMAGE, "name a .sys file")
    return SysDriver(guest, Image.from_bytes(data, str(path)))


def instrument(guest: Guest, patience: float, preempt: int | None, max_instructions: int | None) -> None:
    """How the code of all images is run: see `System`. Before anything of it was translated."""
    look = guest.processor.new_block

    def translated(address: int, size: int) -> bool:
        for image in guest.images:
            if address in image:
                image.ran.add((address, size))
        return look(address, size)

    guest.processor.new_block = translated
    guest.overseer.patience = patience
    if preempt is not None:
        guest.processor.slice_by(preempt)
    if max_instructions is not None:
        guest.processor.limit(max_instructions, guest.decoder.count)


def declare_routines() -> None:
    """Every routine that drivers may call is declared by a module of `api`."""
    for module in sorted(each.name for each in iter_modules(api.__path__)):
        import_module(f"{api.__name__}.{module}")

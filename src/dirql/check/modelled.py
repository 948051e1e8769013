"""Which names dirql models: the routines that are declared, and the variables that the kernel exports."""

from __future__ import annotations

from dataclasses import dataclass

from dirql.facts import routines
from dirql.hosts.sys.abi import ROUTINES
from dirql.hosts.sys.guest import MODULES
from dirql.hosts.sys.load import declare_routines
from dirql.hosts.sys.variables import VARIABLES

__all__ = ["Modelled", "is_found", "is_modelled", "modelled_names", "module_of"]

KERNEL = ("ntoskrnl", "hal")


@dataclass(frozen=True)
class Modelled:
    """A name: `module` as WinDbg writes it, `since` the first KMDF version of a framework routine."""

    module: str
    name: str
    since: str = ""
    variable: bool = False

    def as_json(self) -> dict[str, object]:
        """As docs/json.md lists it."""
        kind = "variable" if self.variable else "routine"
        return {"module": self.module, "name": self.name, "kind": kind, "since": self.since or None}


def modelled_names() -> list[Modelled]:
    """Every name, by module and name."""
    declare_routines()
    facts = routines()
    found = []
    for key in sorted(ROUTINES):
        module, _, name = key.partition("!")
        found.append(Modelled(module, name, facts[name].since if module == "wdf" and name in facts else ""))
    for key in sorted(VARIABLES):
        module, _, name = key.partition("!")
        found.append(Modelled(module, name, variable=True))
    return sorted(found, key=lambda one: (one.module, one.name))


def is_modelled(dll: str, name: str) -> bool:
    """True for an import that is bound to something that works, by the loader's own rules."""
    declare_routines()
    module = module_of(dll)
    modules = KERNEL if module in KERNEL else (module,)  # routines have moved from the one to the other
    return f"{module}!{name}" in VARIABLES or any(f"{each}!{name}" in ROUTINES for each in modules)


def is_found(name: str) -> bool:
    """True for a name that MmGetSystemRoutineAddress answers, whichever of the kernel's two modules has it."""
    declare_routines()
    return any(f"{module}!{name}" in known for module in KERNEL for known in (ROUTINES, VARIABLES))


def module_of(dll: str) -> str:
    """`ntoskrnl` for ntoskrnl.exe, as routines are named by."""
    return MODULES.get(dll.lower(), dll.lower())

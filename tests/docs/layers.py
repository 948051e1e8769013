"""Who may import whom inside dirql: the table that test_imports.py holds the sources to, and that docs/design.md shows.

Imports for type checkers only (`if TYPE_CHECKING`) do not count.
"""

from __future__ import annotations

__all__ = ["MAY_IMPORT"]

_ROOTS = {"errors", "findings", "layout", "ntstatus", "trace"}

# fmt: off
MAY_IMPORT: dict[str, set[str]] = {
    "errors":    set(),
    "trace":     set(),
    "findings":  set(),
    "ntstatus":  {"errors"},
    "layout":    {"errors"},
    "facts":     {"errors"},
    "ddi":       {"errors", "facts", "trace"},
    "pci":       {"errors", "layout"},
    "device":    {"errors", "layout", "pci"},
    "machine":   {"errors", "findings", "pci", "trace"},
    "kernel":    {"ddi", "errors", "machine", "ntstatus", "pci", "trace"},
    "pnp":       {"ddi", "errors", "kernel", "layout", "machine", "ntstatus", "pci", "trace"},
    "wdf":       _ROOTS | {"ddi", "kernel", "machine", "pci", "pnp"},
    "hosts":     {"errors", "wdf"},
    "report":    {"findings"},
    "observe":   {"machine", "ntstatus", "pci", "pnp", "report", "wdf"},
    "system":    _ROOTS | {"kernel", "machine", "observe", "pci", "pnp", "report", "wdf"},
    "scenario":  {"errors", "ntstatus", "device", "hosts", "kernel", "machine", "pci", "pnp", "report", "system", "wdf"},
    "bench":     {"device", "errors", "kernel", "machine", "ntstatus", "pci", "pnp", "system", "wdf"},
    "cli":       _ROOTS | {"bench", "device", "hosts", "machine", "pci", "pnp", "report", "scenario", "system", "wdf"},
    "__main__":  {"cli"},
}
# fmt: on

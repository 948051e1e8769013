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
    "callback":  {"errors", "findings"},
    "reserved":  {"errors", "findings"},
    "verify":    {"errors", "findings"},
    "files":     {"errors"},
    "facts":     {"errors"},
    "ddi":       {"errors", "facts", "ntstatus", "trace"},
    "pci":       {"errors", "files", "layout"},
    "device":    {"callback", "errors", "layout", "pci", "reserved"},
    "machine":   {"errors", "findings", "pci", "trace", "verify"},
    "kernel":    {"callback", "ddi", "errors", "machine", "ntstatus", "pci", "trace", "verify"},
    "pnp":       {"ddi", "errors", "files", "kernel", "layout", "machine", "ntstatus", "pci", "trace"},
    "wdf":       _ROOTS | {"callback", "ddi", "kernel", "machine", "pci", "pnp", "reserved"},
    "hosts":     _ROOTS | {"callback", "ddi", "facts", "files", "kernel", "machine", "pci", "pnp", "verify", "wdf"},
    "build":     {"errors", "facts"},
    "user":      {"errors", "kernel", "ntstatus", "wdf"},
    "report":    {"findings", "verify"},
    "observe":   {"errors", "findings", "kernel", "machine", "ntstatus", "pci", "pnp", "report", "wdf"},
    "system":    _ROOTS | {"hosts", "kernel", "machine", "observe", "pci", "pnp", "report", "user", "verify", "wdf"},
    "scenario":  {"build", "device", "errors", "files", "hosts", "kernel", "machine", "ntstatus", "pci", "pnp", "report",
                  "system",
                  "wdf"},
    "explore":   {"errors", "findings", "kernel", "layout", "machine", "ntstatus", "pci", "pnp", "scenario", "system", "trace",
                  "wdf"},
    "bench":     {"build", "device", "errors", "explore", "files", "hosts", "kernel", "machine", "ntstatus", "pci", "pnp",
                  "scenario", "system", "wdf"},
    "check":     {"build", "errors", "facts", "files", "hosts"},
    "cli":       _ROOTS | {"bench", "build", "check", "device", "explore", "hosts", "machine", "pci", "pnp", "report", "scenario",
                           "system", "verify", "wdf"},
    "__main__":  {"cli"},
}
# fmt: on

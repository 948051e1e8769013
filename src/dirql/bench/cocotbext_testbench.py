"""A testbench of cocotbext-pcie's own kind: an endpoint with MSI-X behind a root complex, and how many messages arrive a second.

It is run as a program by the interpreter that has cocotb (which need not have dirql) and then imported once more inside
the simulator; both times it needs nothing of dirql. It prints one line of JSON: versions and the rate of each round.
Two ways: as it comes, with its logging at its defaults and each message awaited before the next; and quiet, the best it does,
with its logging turned down to warnings and a round's messages sent without waiting for each other.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["deliver", "main"]

VECTORS = 9
RESULT = "DIRQL_BENCH_RESULT"  # environment: the file to leave the rates in
ROUNDS = "DIRQL_BENCH_ROUNDS"
MESSAGES = "DIRQL_BENCH_MESSAGES"
PCI_CAPABILITIES = "cocotbext.pcie.core.caps"


def make_endpoint() -> Any:
    """A memory endpoint whose MSI-X table (BAR 0) root complex software fills; Pending bits behind it."""
    core = import_module("cocotbext.pcie.core")
    endpoint = core.MemoryEndpoint()
    endpoint.vendor_id, endpoint.device_id = 0x1234, 0x4D51
    capability = import_module(PCI_CAPABILITIES).MsixCapability()
    capability.msix_table_size = VECTORS - 1
    capability.msix_pba_offset = 0x800
    endpoint.register_capability(capability)
    table = endpoint.add_mem_region(0x1000)
    return endpoint, capability, table


async def deliver(dut: Any) -> None:
    """The test: enumerate, enable MSI-X, then fire every vector in rounds and wait for all the handlers."""
    core, triggers = import_module("cocotbext.pcie.core"), import_module("cocotb.triggers")
    root, (endpoint, capability, table) = core.RootComplex(), make_endpoint()
    device = core.Device(endpoint)
    root.make_port().connect(device)
    await root.enumerate()
    function = root.find_device(endpoint.pcie_id)
    await function.enable_device()
    await function.set_master()
    if await function.alloc_irq_vectors(VECTORS, VECTORS) != VECTORS:
        raise RuntimeError(f"the peer granted other than {VECTORS} vectors")

    taken = wanted = 0
    everything = triggers.Event()

    async def handler() -> None:
        nonlocal taken
        taken += 1
        if taken == wanted:
            everything.set()

    async def fire(messages: int) -> None:
        nonlocal wanted
        everything.clear()
        wanted = taken + messages
        for message in range(taken, wanted):
            at = message % VECTORS * 16
            if not table[at + 12] & 1:  # the mask bit
                address = int.from_bytes(table[at : at + 8], "little")
                await capability.issue_msix_interrupt(address, int.from_bytes(table[at + 8 : at + 12], "little"))
        await everything.wait()

    async def one_by_one(messages: int) -> None:
        for _ in range(messages):
            await fire(1)

    for vector in range(VECTORS):
        function.request_irq(vector, handler)
    messages = int(os.environ[MESSAGES])
    log = logging.getLogger("cocotb.pcie")
    ways = {"cocotbext_pcie": (one_by_one, logging.NOTSET), "cocotbext_pcie_quiet": (fire, logging.WARNING)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(1 + int(os.environ[ROUNDS])):  # the first is the warm-up
        for name, (way, level) in ways.items():
            log.setLevel(level)
            start = time.perf_counter()
            await way(messages)
            seconds = time.perf_counter() - start
            if turn:
                rates[name].append(messages / seconds)
    Path(os.environ[RESULT]).write_text(json.dumps(rates), encoding="utf-8")


def main(rounds: int, messages: int) -> None:
    """Build an empty top level with Icarus Verilog, run the test in it, print the result."""
    runner = import_module("cocotb_tools.runner").get_runner("icarus")
    with tempfile.TemporaryDirectory(prefix="dirql-bench-") as folder:
        top, result = Path(folder, "top.v"), Path(folder, "rates.json")
        top.write_text("module top; endmodule\n", encoding="utf-8")
        log, timescale = Path(folder, "build.log"), ("1ns", "1ps")
        runner.build(sources=[top], hdl_toplevel="top", build_dir=folder, timescale=timescale, log_file=log)
        here = Path(__file__).resolve()
        paths = os.pathsep.join(filter(None, (str(here.parent), os.environ.get("PYTHONPATH"))))
        runner.test(
            test_module=here.stem, hdl_toplevel="top", build_dir=folder, test_dir=folder, log_file=Path(folder, "test.log"),
            extra_env={RESULT: str(result), ROUNDS: str(rounds), MESSAGES: str(messages), "PYTHONPATH": paths},
        )  # fmt: skip
        rates = json.loads(result.read_text(encoding="utf-8"))
    versions = {name: version(name) for name in ("cocotb", "cocotbext-pcie")}
    print(json.dumps({"rates": rates, "versions": versions}))


if RESULT in os.environ and "cocotb" in sys.modules:
    test = sys.modules["cocotb"].test()(deliver)

if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))

"""Rules of DMA: whose memory it goes to."""

from __future__ import annotations

from typing import Any

import pytest

from dirql import wdf


def with_buffer(World: Any, length: int = 0x180) -> tuple[Any, Any]:
    """A started world with a common buffer."""
    w = World().started()

    def make() -> Any:
        enabler = wdf.DmaEnabler.create(w.device, wdf.DmaEnablerConfig(wdf.DmaProfile.ScatterGather64, 4096))
        return wdf.CommonBuffer.create(enabler, length)

    return w, w.call(make)


def dma(w: Any, direction: str, address: int, length: int) -> None:
    w.card.dma.write(address, bytes(length)) if direction == "write" else w.card.dma.read(address, length)
    w.system.run()


@pytest.mark.parametrize("direction", ["read", "write"])
def test_dma_within_a_common_buffer_is_right_to_its_last_byte(World: Any, direction: str) -> None:
    w, buffer = with_buffer(World)
    for offset, length in ((0, 0x180), (0x17F, 1), (0, 1)):
        dma(w, direction, buffer.physical + offset, length)
    assert w.findings == []


@pytest.mark.parametrize("direction", ["read", "write"])
def test_dma_past_the_end_of_a_common_buffer_is_told(World: Any, direction: str) -> None:
    w, buffer = with_buffer(World)
    at = buffer.physical
    dma(w, direction, at, 0x10)
    dma(w, direction, at + 0x17C, 8)
    past = f"goes 0x4 bytes past the end of its buffer, {at:#x} to {at + 0x180:#x}"
    said = f"DMA of MultiQueue: the {direction} of 0x8 bytes at {at + 0x17C:#x} {past}"
    assert w.findings == [("dma-outside-buffer", f"{said}; tell the device how long the buffer is")]


@pytest.mark.parametrize("direction", ["read", "write"])
def test_dma_to_memory_that_is_nobodys_is_told(World: Any, direction: str) -> None:
    w, _ = with_buffer(World)
    dma(w, direction, 0x2000, 16)
    said = f"DMA of MultiQueue: the {direction} of 0x10 bytes at 0x2000, which is no buffer's"
    assert w.findings == [("dma-outside-buffer", f"{said}; give the device the logical address of a buffer")]


@pytest.mark.parametrize("direction", ["read", "write"])
def test_dma_after_the_common_buffer_was_freed_is_told(World: Any, direction: str) -> None:
    w, buffer = with_buffer(World)
    at = buffer.physical
    dma(w, direction, at, 16)
    w.call(buffer.delete)
    dma(w, direction, at, 16)
    was = f"where a buffer was, {at:#x} to {at + 0x180:#x}, that is freed by now"
    said = f"DMA of MultiQueue: the {direction} of 0x10 bytes at {at:#x}, {was}"
    assert w.findings == [("dma-after-free", f"{said}; stop the device's DMA before its memory is freed")]


def test_dma_to_a_page_that_was_freed_and_is_somebodys_again_is_not_seen_as_freed(World: Any) -> None:
    w, buffer = with_buffer(World)
    w.call(buffer.delete)
    again = w.call(lambda: wdf.CommonBuffer.create(w.device.dma_enablers[0], 0x200))
    assert again.physical == buffer.physical
    dma(w, "write", again.physical + 0x1F0, 16)
    assert w.findings == []


def test_dma_by_the_scatter_gather_list_of_a_transaction_is_right(World: Any) -> None:
    w, _ = with_buffer(World)
    memory = w.call(lambda: wdf.Memory.create(w.device, 3 * 4096 + 8))
    lists: list[Any] = []

    def program(transaction: Any, device: Any, context: Any, direction: Any, sg_list: Any) -> None:
        lists.append(sg_list)

    def begin() -> None:
        transaction = wdf.DmaTransaction.create(w.device.dma_enablers[0])
        transaction.initialize(program, wdf.DmaDirection.ReadFromDevice, memory.get_buffer().mdl)
        transaction.execute()

    w.call(begin)
    for element in lists[0].elements:
        dma(w, "write", element.address, element.length)
    assert w.findings == []

"""WDFCOMMONBUFFER: memory that a device and its driver share, physically contiguous.

Limits: no caching attributes; the logical address is the physical one.
"""

from __future__ import annotations

from dataclasses import dataclass

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.ntstatus import StatusError
from dirql.wdf.creation import validate
from dirql.wdf.dma import DmaEnabler
from dirql.wdf.object import Object, ObjectAttributes, expect, expect_parameter

__all__ = ["CommonBuffer", "CommonBufferConfig"]


@dataclass(frozen=True)
class CommonBufferConfig:
    """WDF_COMMON_BUFFER_CONFIG: `alignment_requirement` is the alignment less one, as FILE_LONG_ALIGNMENT (3)."""

    alignment_requirement: int


class CommonBuffer(Object):
    """WDFCOMMONBUFFER, a child of its DMA enabler; the memory goes back when nobody refers to it any more."""

    kind = "WDFCOMMONBUFFER"

    def __init__(self, enabler: DmaEnabler, length: int, alignment: int, attributes: ObjectAttributes | None) -> None:
        memory = enabler.machine.memory
        self.length = length
        self.physical = memory.allocate_contiguous(length, alignment)  # first: without it there is no object
        try:
            super().__init__(enabler.framework, enabler, attributes)
        except StatusError:
            memory.free_contiguous(self.physical, length)
            raise

    @classmethod
    @ddi_create("WdfCommonBufferCreate")
    def create(cls, enabler: DmaEnabler, length: int, attributes: ObjectAttributes | None = None) -> CommonBuffer:
        """WdfCommonBufferCreate."""
        return cls._make("WdfCommonBufferCreate", enabler, length, 0, attributes)

    @classmethod
    @ddi_create("WdfCommonBufferCreateWithConfig")
    def create_with_config(
        cls, enabler: DmaEnabler, length: int, config: CommonBufferConfig, attributes: ObjectAttributes | None = None
    ) -> CommonBuffer:
        """WdfCommonBufferCreateWithConfig."""
        name = "WdfCommonBufferCreateWithConfig"
        expect_parameter(config, "Config", name)
        mask = config.alignment_requirement
        if mask < 0 or mask & mask + 1:
            raise StatusError(
                ntstatus.STATUS_INVALID_PARAMETER, f"{name}: AlignmentRequirement {mask:#x} is not a power of two less one"
            )
        return cls._make(name, enabler, length, mask, attributes)

    @ddi("WdfCommonBufferGetAlignedVirtualAddress")
    def get_aligned_virtual_address(self) -> memoryview:
        """WdfCommonBufferGetAlignedVirtualAddress: the bytes themselves."""
        return self.machine.memory.view[self.physical : self.physical + self.length]

    @ddi("WdfCommonBufferGetAlignedLogicalAddress")
    def get_aligned_logical_address(self) -> int:
        """WdfCommonBufferGetAlignedLogicalAddress: what the device is told."""
        return self.physical

    @ddi("WdfCommonBufferGetLength")
    def get_length(self) -> int:
        """WdfCommonBufferGetLength."""
        return self.length

    def on_destroy(self) -> None:
        """The pages go back."""
        if self.machine.watch is not None:
            self.machine.watch.may_change(self.machine.memory, (self.physical, self.length))
        self.machine.memory.free_contiguous(self.physical, self.length)

    @classmethod
    def _make(cls, name: str, enabler: DmaEnabler, length: int, mask: int, attributes: ObjectAttributes | None) -> CommonBuffer:
        expect(enabler, DmaEnabler, name)
        validate(cls.kind, attributes, parent_allowed=False)
        if length <= 0:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{name}: Length {length:#x} is not above 0")
        try:
            return cls(enabler, length, mask + 1, attributes)
        except MemoryError as error:
            raise StatusError(ntstatus.STATUS_INSUFFICIENT_RESOURCES, f"{name}: {error}") from None

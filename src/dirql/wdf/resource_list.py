"""WDFCMRESLIST: the raw or translated resources that EvtDevicePrepareHardware is handed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dirql.ddi import ddi
from dirql.ntstatus import STATUS_INVALID_PARAMETER, StatusError
from dirql.pnp.resources import CmPartialResourceDescriptor
from dirql.wdf.framework import Framework
from dirql.wdf.object import Object

__all__ = ["CmResourceList"]


class CmResourceList(Object):
    """WDFCMRESLIST. `get_descriptor` hands out clones that keep their identity, as the framework does: that is how
    WdfInterruptCreate finds a descriptor again (facts §1.7)."""

    kind = "WDFCMRESLIST"
    deletable = False

    def __init__(self, framework: Framework, descriptors: Sequence[CmPartialResourceDescriptor], name: str) -> None:
        super().__init__(framework, None, None, name)
        self._clones = [replace(d) for d in descriptors]

    @ddi("WdfCmResourceListGetCount")
    def get_count(self) -> int:
        """WdfCmResourceListGetCount."""
        return len(self._clones)

    @ddi("WdfCmResourceListGetDescriptor")
    def get_descriptor(self, index: int) -> CmPartialResourceDescriptor | None:
        """WdfCmResourceListGetDescriptor: None past the end."""
        return self._clones[index] if 0 <= index < len(self._clones) else None

    @ddi("WdfCmResourceListAppendDescriptor")
    def append_descriptor(self, descriptor: CmPartialResourceDescriptor) -> None:
        """WdfCmResourceListAppendDescriptor: a copy of it, at the end."""
        self._clones.append(replace(descriptor))

    @ddi("WdfCmResourceListInsertDescriptor")
    def insert_descriptor(self, descriptor: CmPartialResourceDescriptor, index: int) -> None:
        """WdfCmResourceListInsertDescriptor: a copy of it; STATUS_INVALID_PARAMETER past the end."""
        if not 0 <= index <= len(self._clones):
            why = f"WdfCmResourceListInsertDescriptor: index {index} of {len(self._clones)} descriptors"
            raise StatusError(STATUS_INVALID_PARAMETER, why)
        self._clones.insert(index, replace(descriptor))

    @ddi("WdfCmResourceListRemoveByDescriptor")
    def remove_by_descriptor(self, descriptor: CmPartialResourceDescriptor | None) -> None:
        """WdfCmResourceListRemoveByDescriptor: the very clone that `get_descriptor` returned; any other does nothing."""
        index = self.index_of(descriptor)
        if index is not None:
            del self._clones[index]

    @ddi("WdfCmResourceListRemove")
    def remove(self, index: int) -> None:
        """WdfCmResourceListRemove: for EvtDeviceRemoveAddedResources."""
        if 0 <= index < len(self._clones):
            del self._clones[index]

    def index_of(self, descriptor: CmPartialResourceDescriptor | None) -> int | None:
        """Where the very clone stands."""
        return next((i for i, d in enumerate(self._clones) if d is descriptor), None)

    def __len__(self) -> int:
        return len(self._clones)

    def __iter__(self) -> Iterator[CmPartialResourceDescriptor]:
        return iter(self._clones)

    def __getitem__(self, index: int) -> CmPartialResourceDescriptor:
        return self._clones[index]

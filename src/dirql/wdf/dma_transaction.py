"""WDFDMATRANSACTION: one buffer's worth of DMA, cut into transfers that the device can do.

Each transfer is handed to EvtProgramDma at DISPATCH_LEVEL as a list of physically contiguous elements. A scatter/gather
profile gets the buffer's own pages; a packet profile one element, a bounce buffer as the HAL's map registers are (model
choice: always, even where the pages happen to be contiguous).
Limits: no DMA channels, no reserved resources.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from dirql import ntstatus
from dirql.ddi import ddi, ddi_create
from dirql.kernel.irp import Method
from dirql.kernel.irql import DISPATCH_LEVEL
from dirql.kernel.mdl import Mdl
from dirql.kernel.stop import BugCheck
from dirql.machine.memory import PAGE_SIZE
from dirql.ntstatus import StatusError
from dirql.wdf.creation import parent_of, validate
from dirql.wdf.dma import DmaDirection, DmaEnabler
from dirql.wdf.framework import WDF_VIOLATION
from dirql.wdf.io_config import RequestType
from dirql.wdf.object import Object, ObjectAttributes, expect, expect_parameter
from dirql.wdf.request import Request

if TYPE_CHECKING:
    from dirql.wdf.device import Device

__all__ = ["DmaTransaction", "EvtProgramDma", "ScatterGatherElement", "ScatterGatherList"]

DMA_FATAL_ERROR = 8


@dataclass(frozen=True)
class ScatterGatherElement:
    """SCATTER_GATHER_ELEMENT."""

    address: int
    length: int


@dataclass(frozen=True)
class ScatterGatherList:
    """SCATTER_GATHER_LIST."""

    elements: tuple[ScatterGatherElement, ...]

    @property
    def number_of_elements(self) -> int:
        """NumberOfElements."""
        return len(self.elements)


EvtProgramDma = Callable[["DmaTransaction", "Device", Any, DmaDirection, ScatterGatherList], Any]


class _State(Enum):
    Created = "not initialised"
    Initialized = "initialised"
    Waiting = "waiting for the channel"
    Transferring = "transferring"
    Completed = "completed"
    Released = "released"


class DmaTransaction(Object):
    """WDFDMATRANSACTION."""

    kind = "WDFDMATRANSACTION"

    def __init__(self, enabler: DmaEnabler, parent: Object, attributes: ObjectAttributes | None) -> None:
        super().__init__(enabler.framework, parent, attributes)
        self.enabler = enabler
        self.state = _State.Created
        self.request: Request | None = None
        self._maximum_length = enabler.config.maximum_length
        self._single_transfer = self._immediate = False
        self._evt_program_dma: EvtProgramDma | None = None
        self._context: Any = None
        self._direction = DmaDirection.ReadFromDevice
        self._mdl: Mdl | None = None
        self._offset = self._length = 0
        self._transferred = 0
        self._current = 0  # length of the transfer under way
        self._bounce: int | None = None
        self.transfer_ended: Callable[[], None] | None = None  # a host's: the scatter/gather list is the driver's no more

    @classmethod
    @ddi_create("WdfDmaTransactionCreate")
    def create(cls, enabler: DmaEnabler, attributes: ObjectAttributes | None = None) -> DmaTransaction:
        """WdfDmaTransactionCreate. The parent is the enabler unless the attributes say otherwise."""
        name = "WdfDmaTransactionCreate"
        expect(enabler, DmaEnabler, name)
        validate(cls.kind, attributes)
        parent = parent_of(enabler, attributes, name)
        assert parent is not None
        if parent.device is not enabler.of_device:
            raise StatusError(
                ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{name}: the parent {parent.name} is not below {enabler.of_device.name}"
            )
        return cls(enabler, parent, attributes)

    # Before it runs.

    @ddi("WdfDmaTransactionInitialize")
    def initialize(
        self, evt_program_dma: EvtProgramDma, direction: DmaDirection, mdl: Mdl, offset: int = 0, length: int | None = None
    ) -> None:
        """WdfDmaTransactionInitialize: `length` bytes of `mdl` from `offset` (C names the virtual address there)."""
        self._initialize("WdfDmaTransactionInitialize", evt_program_dma, direction, mdl, offset, length)

    @ddi("WdfDmaTransactionInitializeUsingRequest")
    def initialize_using_request(self, request: Request, evt_program_dma: EvtProgramDma, direction: DmaDirection) -> None:
        """WdfDmaTransactionInitializeUsingRequest: all of the request's buffer."""
        self._initialize_using("WdfDmaTransactionInitializeUsingRequest", request, evt_program_dma, direction, 0, None)

    @ddi("WdfDmaTransactionInitializeUsingOffset")
    def initialize_using_offset(
        self, request: Request, evt_program_dma: EvtProgramDma, direction: DmaDirection, offset: int, length: int
    ) -> None:
        """WdfDmaTransactionInitializeUsingOffset: a part of the request's buffer."""
        self._initialize_using("WdfDmaTransactionInitializeUsingOffset", request, evt_program_dma, direction, offset, length)

    @ddi("WdfDmaTransactionSetMaximumLength")
    def set_maximum_length(self, maximum_length: int) -> None:
        """WdfDmaTransactionSetMaximumLength: shorter transfers than the enabler allows; never longer ones."""
        if maximum_length > 0:
            self._maximum_length = min(maximum_length, self.enabler.config.maximum_length)

    @ddi("WdfDmaTransactionSetSingleTransferRequirement")
    def set_single_transfer_requirement(self, requires_single_transfer: bool) -> None:
        """WdfDmaTransactionSetSingleTransferRequirement: fail rather than split."""
        self._single_transfer = requires_single_transfer

    @ddi("WdfDmaTransactionSetImmediateExecution")
    def set_immediate_execution(self, use_immediate_execution: bool) -> None:
        """WdfDmaTransactionSetImmediateExecution: `execute` fails rather than wait for the channel."""
        self._immediate = use_immediate_execution

    @ddi("WdfDmaTransactionGetTransferInfo")
    def get_transfer_info(self) -> tuple[int, int]:
        """WdfDmaTransactionGetTransferInfo: (map registers, elements) of the largest transfer; 0 while not initialised."""
        if self._mdl is None:
            return 0, 0
        length = min(self._length, self._maximum_length)
        pages = (self._mdl.byte_offset + self._offset) % PAGE_SIZE + length + PAGE_SIZE - 1
        return pages // PAGE_SIZE, 1 if self.enabler.packet else len(self._mdl.fragments(self._offset, length))

    @ddi("WdfDmaTransactionExecute")
    def execute(self, context: Any = None) -> None:
        """WdfDmaTransactionExecute: EvtProgramDma is called before this returns, unless the transaction waits for the channel."""
        name = "WdfDmaTransactionExecute"
        if self.state != _State.Initialized:
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_STATE, f"{name}: {self.name} is {self.state.value}")
        self._context = context
        enabler = self.enabler
        if enabler.packet and enabler.channel is not None:
            if self._immediate:
                raise StatusError(ntstatus.STATUS_INSUFFICIENT_RESOURCES, f"{name}: {enabler.channel.name} has the channel")
            self.state = _State.Waiting
            enabler.waiting.append(self)
            if self.machine.watch is not None:
                self.machine.watch.release(self)
            return
        self._begin(name)

    # While it runs.

    @ddi("WdfDmaTransactionDmaCompleted")
    def dma_completed(self) -> tuple[bool, int]:
        """WdfDmaTransactionDmaCompleted: (TRUE when the transaction is over, Status). If it is not, EvtProgramDma was called
        for the next transfer and Status is STATUS_MORE_PROCESSING_REQUIRED."""
        return self._completed("WdfDmaTransactionDmaCompleted", self._current, final=False)

    @ddi("WdfDmaTransactionDmaCompletedWithLength")
    def dma_completed_with_length(self, transferred_length: int) -> tuple[bool, int]:
        """WdfDmaTransactionDmaCompletedWithLength: the device moved less; the next transfer begins where it ended."""
        return self._completed("WdfDmaTransactionDmaCompletedWithLength", transferred_length, final=False)

    @ddi("WdfDmaTransactionDmaCompletedFinal")
    def dma_completed_final(self, final_transferred_length: int) -> tuple[bool, int]:
        """WdfDmaTransactionDmaCompletedFinal: the transaction ends here, whatever is left of the buffer."""
        return self._completed("WdfDmaTransactionDmaCompletedFinal", final_transferred_length, final=True)

    @ddi("WdfDmaTransactionCancel")
    def cancel(self) -> bool:
        """WdfDmaTransactionCancel: True if it waited for the channel, which it does no more; release it then."""
        if self.state != _State.Waiting:
            return False
        self.enabler.waiting.remove(self)
        self.state = _State.Completed
        return True

    @ddi("WdfDmaTransactionGetBytesTransferred")
    def get_bytes_transferred(self) -> int:
        """WdfDmaTransactionGetBytesTransferred: of all transfers that are completed."""
        return self._transferred

    @ddi("WdfDmaTransactionGetCurrentDmaTransferLength")
    def get_current_dma_transfer_length(self) -> int:
        """WdfDmaTransactionGetCurrentDmaTransferLength."""
        return self._current

    @ddi("WdfDmaTransactionGetRequest")
    def get_request(self) -> Request | None:
        """WdfDmaTransactionGetRequest: None when a request is not what it was initialised with."""
        return self.request

    @ddi("WdfDmaTransactionGetDevice")
    def get_device(self) -> Device:
        """WdfDmaTransactionGetDevice."""
        return self.enabler.of_device

    @ddi("WdfDmaTransactionRelease")
    def release(self) -> None:
        """WdfDmaTransactionRelease: ready to be initialised again."""
        if self.state in (_State.Waiting, _State.Transferring):
            raise StatusError(
                ntstatus.STATUS_INVALID_DEVICE_STATE, f"WdfDmaTransactionRelease: {self.name} is {self.state.value}"
            )
        self._forget()
        self.state = _State.Released

    def on_cleanup(self) -> None:
        """Whoever waits for the channel gets it."""
        if self in self.enabler.waiting:
            self.enabler.waiting.remove(self)
        self._drop_bounce()
        self._forget()
        self._free_channel()

    def _initialize_using(
        self,
        name: str,
        request: Request,
        evt_program_dma: EvtProgramDma,
        direction: DmaDirection,
        offset: int,
        length: int | None,
    ) -> None:
        expect(request, Request, name)
        reads = direction == DmaDirection.ReadFromDevice
        wanted = {RequestType.Read: True, RequestType.Write: False}.get(request.type, reads)
        if wanted != reads:
            problem = f"direction {DmaDirection(direction).name} does not fit a {request.type.name.lower()} request"
            raise StatusError(ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{name}: {problem}")
        direct = request.irp.method in (Method.IN_DIRECT, Method.OUT_DIRECT)  # the MDL, whichever way it goes
        buffer = request.irp.output_buffer if reads or direct else request.irp.input_buffer
        if request.completed or buffer is None:
            raise StatusError(
                ntstatus.STATUS_INVALID_DEVICE_REQUEST, f"{name}: {request.name} has no buffer for {DmaDirection(direction).name}"
            )
        self._initialize(name, evt_program_dma, direction, buffer.mdl, offset, length)
        self.request = request
        request.references += 1

    def _initialize(
        self, name: str, evt_program_dma: EvtProgramDma, direction: DmaDirection, mdl: Mdl, offset: int, length: int | None
    ) -> None:
        expect_parameter(evt_program_dma, "EvtProgramDmaFunction", name)
        expect_parameter(mdl, "Mdl", name)
        if self.state not in (_State.Created, _State.Released):
            raise StatusError(
                ntstatus.STATUS_INVALID_DEVICE_STATE, f"{name}: {self.name} is {self.state.value}; release it first"
            )
        size = mdl.byte_count - offset if length is None else length
        if size <= 0 or offset < 0 or offset + size > mdl.byte_count:
            raise StatusError(ntstatus.STATUS_INVALID_PARAMETER, f"{name}: {size:#x} bytes at offset {offset:#x} of a buffer of "
                              f"{mdl.byte_count:#x}")  # fmt: skip
        if self._single_transfer and size > self._maximum_length:
            raise StatusError(ntstatus.STATUS_WDF_TOO_MANY_TRANSFERS, f"{name}: {size:#x} bytes do not go into one transfer of "
                              f"{self._maximum_length:#x}")  # fmt: skip
        self._evt_program_dma, self._direction = evt_program_dma, DmaDirection(direction)
        self._mdl, self._offset, self._length = mdl, offset, size
        self._transferred = self._current = 0
        self.state = _State.Initialized

    def _begin(self, name: str) -> None:
        if self.enabler.packet:
            self.enabler.channel = self
            if self.machine.watch is not None:
                self.machine.watch.acquire(self)
        self.state = _State.Transferring
        status = self._stage()
        if status != ntstatus.STATUS_SUCCESS:
            self._end()
            raise StatusError(status, f"{name}: {self.name} of {self._length:#x} bytes")

    def _stage(self) -> int:
        """The next transfer, to the driver."""
        assert self._mdl is not None and self._evt_program_dma is not None
        offset = self._offset + self._transferred
        self._current = min(self._length - self._transferred, self._maximum_length)
        if self.enabler.packet:
            elements = self._elements_of_packet(offset)
        else:
            elements = tuple(ScatterGatherElement(*run) for run in self._mdl.fragments(offset, self._current))
        if elements is None:
            return ntstatus.STATUS_INSUFFICIENT_RESOURCES
        if len(elements) > self.enabler.maximum_elements:
            return ntstatus.STATUS_WDF_TOO_FRAGMENTED
        cpu = self.machine.cpu
        old, cpu.irql = cpu.irql, max(cpu.irql, DISPATCH_LEVEL)
        sg_list = ScatterGatherList(elements)
        callback, device = self._evt_program_dma, self.enabler.of_device
        self.framework.call("EvtProgramDma", self, callback, self, device, self._context, self._direction, sg_list)
        self.framework.kernel.lower(self.machine.cpu, old)
        return ntstatus.STATUS_SUCCESS

    def _elements_of_packet(self, offset: int) -> tuple[ScatterGatherElement, ...] | None:
        assert self._mdl is not None
        try:
            self._bounce = self.machine.memory.allocate_contiguous(self._current)
        except MemoryError:
            return None
        if self._direction == DmaDirection.WriteToDevice:
            self.machine.memory.write(self._bounce, self._mdl.read(offset, self._current))
        return (ScatterGatherElement(self._bounce, self._current),)

    def _completed(self, name: str, length: int, *, final: bool) -> tuple[bool, int]:
        if self.state != _State.Transferring:  # model choice: on a free build the framework's state is corrupted
            raise BugCheck(
                WDF_VIOLATION, DMA_FATAL_ERROR, self.handle, why=f"{name}: {self.name} is {self.state.value}, not transferring"
            )
        if not 0 <= length <= self._current:
            return True, ntstatus.STATUS_INVALID_PARAMETER
        self._flush(length)
        self._transferred += length
        self._current = 0
        if final or self._transferred == self._length:
            self._end()
            return True, ntstatus.STATUS_SUCCESS
        status = self._stage()
        if status != ntstatus.STATUS_SUCCESS:
            self._end()
            return True, status
        return False, ntstatus.STATUS_MORE_PROCESSING_REQUIRED

    def _flush(self, length: int) -> None:
        """FlushAdapterBuffers: what a packet device wrote reaches the buffer now, and not earlier."""
        if self._bounce is not None and self._direction == DmaDirection.ReadFromDevice:
            assert self._mdl is not None
            self._mdl.write(self._offset + self._transferred, self.machine.memory.read(self._bounce, length))
        self._drop_bounce()

    def _drop_bounce(self) -> None:
        ended, self.transfer_ended = self.transfer_ended, None
        if ended is not None:
            ended()
        if self._bounce is not None:
            self.machine.memory.free_contiguous(self._bounce, self._current)
            self._bounce = None

    def _end(self) -> None:
        self._drop_bounce()
        self.state = _State.Completed
        self._free_channel()

    def _free_channel(self) -> None:
        enabler = self.enabler
        if enabler.channel is self:
            enabler.channel = None
            if enabler.waiting:
                enabler.waiting.popleft()._begin("WdfDmaTransactionExecute")

    def _forget(self) -> None:
        request, self.request = self.request, None
        self._mdl = self._evt_program_dma = None
        if request is not None:
            request._release()

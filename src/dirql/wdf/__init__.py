"""WDF for drivers: framework objects, and what else a KMDF driver's source names.

Kernel objects (`Event`, `Ktimer`, …), NTSTATUS values and resource constants are here as well, so that a Python driver needs
`from dirql import wdf` alone.
"""

from dirql.kernel.dpc import Importance, Kdpc
from dirql.kernel.irql import APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL, PASSIVE_LEVEL
from dirql.kernel.timer import Ktimer
from dirql.kernel.wait import Event, EventType, Mutex, Semaphore
from dirql.ntstatus import (
    STATUS_ABANDONED_WAIT_0,
    STATUS_ACCESS_DENIED,
    STATUS_ALERTED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_CANCELLED,
    STATUS_CANNOT_DELETE,
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_DELETE_PENDING,
    STATUS_DEVICE_BUSY,
    STATUS_DEVICE_CONFIGURATION_ERROR,
    STATUS_DEVICE_DATA_ERROR,
    STATUS_DEVICE_DOES_NOT_EXIST,
    STATUS_DEVICE_NOT_CONNECTED,
    STATUS_DEVICE_NOT_READY,
    STATUS_DEVICE_POWER_FAILURE,
    STATUS_DEVICE_REMOVED,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INTEGER_OVERFLOW,
    STATUS_INVALID_BUFFER_SIZE,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PARAMETER_1,
    STATUS_INVALID_PARAMETER_2,
    STATUS_INVALID_PARAMETER_3,
    STATUS_INVALID_PARAMETER_4,
    STATUS_INVALID_PARAMETER_5,
    STATUS_INVALID_PARAMETER_6,
    STATUS_INVALID_PARAMETER_7,
    STATUS_INVALID_PARAMETER_8,
    STATUS_INVALID_PARAMETER_9,
    STATUS_INVALID_PARAMETER_10,
    STATUS_IO_DEVICE_ERROR,
    STATUS_IO_TIMEOUT,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_MUTANT_NOT_OWNED,
    STATUS_NO_MEMORY,
    STATUS_NO_MORE_ENTRIES,
    STATUS_NO_SUCH_DEVICE,
    STATUS_NOT_FOUND,
    STATUS_NOT_IMPLEMENTED,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_PENDING,
    STATUS_POWER_STATE_INVALID,
    STATUS_REVISION_MISMATCH,
    STATUS_SEMAPHORE_LIMIT_EXCEEDED,
    STATUS_SUCCESS,
    STATUS_TIMEOUT,
    STATUS_UNSUCCESSFUL,
    STATUS_USER_APC,
    STATUS_WDF_BUSY,
    STATUS_WDF_EXECUTION_LEVEL_INVALID,
    STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL,
    STATUS_WDF_NO_CALLBACK,
    STATUS_WDF_OBJECT_ATTRIBUTES_INVALID,
    STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED,
    STATUS_WDF_PARENT_NOT_SPECIFIED,
    STATUS_WDF_PAUSED,
    STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID,
    STATUS_WDF_TOO_FRAGMENTED,
    STATUS_WDF_TOO_MANY_TRANSFERS,
    StatusError,
    name_of,
    nt_success,
)
from dirql.pnp.constants import (
    CM_RESOURCE_INTERRUPT_ALLOW_RESERVED_IDT,
    CM_RESOURCE_INTERRUPT_LATCHED,
    CM_RESOURCE_INTERRUPT_LEVEL_LATCHED_BITS,
    CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE,
    CM_RESOURCE_INTERRUPT_MESSAGE,
    CM_RESOURCE_INTERRUPT_MESSAGE_TOKEN,
    CM_RESOURCE_INTERRUPT_POLICY_INCLUDED,
    CM_RESOURCE_INTERRUPT_SECONDARY_INTERRUPT,
    CM_RESOURCE_INTERRUPT_WAKE_HINT,
    CM_RESOURCE_MEMORY_LARGE_40,
    CM_RESOURCE_MEMORY_LARGE_48,
    CM_RESOURCE_MEMORY_LARGE_64,
    CM_RESOURCE_MEMORY_PREFETCHABLE,
    CM_RESOURCE_MEMORY_READ_WRITE,
    CM_RESOURCE_PORT_16_BIT_DECODE,
    CM_RESOURCE_PORT_IO,
    CM_RESOURCE_PORT_POSITIVE_DECODE,
    IO_RESOURCE_ALTERNATIVE,
    IO_RESOURCE_DEFAULT,
    IO_RESOURCE_PREFERRED,
    IO_RESOURCE_REQUIRED,
    CmResourceType,
    CmShareDisposition,
    IrqDevicePolicy,
    IrqPriority,
)
from dirql.pnp.filters import IoResList, IoResReqList
from dirql.pnp.interfaces import GUID_BUS_INTERFACE_STANDARD, GUID_MSIX_TABLE_CONFIG_INTERFACE, PCI_WHICHSPACE_CONFIG
from dirql.pnp.io_resources import IoInterrupt, IoMemory, IoResourceDescriptor
from dirql.pnp.properties import DeviceProperty, DevPropType
from dirql.pnp.resources import CmPartialResourceDescriptor
from dirql.wdf.child_list import ChildIterator, ChildList, ChildListConfig, RetrieveChildFlags, RetrieveDeviceStatus
from dirql.wdf.collection import Collection
from dirql.wdf.common_buffer import CommonBuffer, CommonBufferConfig
from dirql.wdf.device import Device
from dirql.wdf.device_init import DeviceInit
from dirql.wdf.device_settings import BusInformation, DeviceState, PnpCapabilities, PowerCapabilities, SxWakeSettings
from dirql.wdf.dma import UNLIMITED_FRAGMENTS, DmaDirection, DmaEnabler, DmaEnablerConfig, DmaProfile
from dirql.wdf.dma_transaction import DmaTransaction, EvtProgramDma, ScatterGatherElement, ScatterGatherList
from dirql.wdf.dpc import Dpc, DpcConfig
from dirql.wdf.driver import Driver
from dirql.wdf.file_object import FileObject, FileObjectConfig
from dirql.wdf.framework import Framework, Verifier
from dirql.wdf.idle import S0IdleSettings
from dirql.wdf.interrupt import Interrupt
from dirql.wdf.interrupt_config import (
    InterruptConfig,
    InterruptExtendedPolicy,
    InterruptInfo,
    InterruptPolicy,
    InterruptPriority,
    TriState,
)
from dirql.wdf.io_config import (
    UNLIMITED_REQUESTS,
    IoQueueConfig,
    IoQueueDispatchType,
    IoQueueState,
    RequestParameters,
    RequestStopActionFlags,
    RequestType,
)
from dirql.wdf.io_queue import IoQueue
from dirql.wdf.io_queue_create import configure_request_dispatching
from dirql.wdf.io_target import IoTarget
from dirql.wdf.lock import SpinLock, WaitLock, acquire_object_lock, release_object_lock
from dirql.wdf.lookaside import LookasideList
from dirql.wdf.memory import Memory
from dirql.wdf.object import ExecutionLevel, Object, ObjectAttributes, SynchronizationScope, create_object, object_of_context
from dirql.wdf.paging import paged_code
from dirql.wdf.pdo import PdoInit
from dirql.wdf.pnp_state import PnpState
from dirql.wdf.power_state import PowerDeviceState
from dirql.wdf.registry import Key
from dirql.wdf.request import Request
from dirql.wdf.resource_list import CmResourceList
from dirql.wdf.string import String
from dirql.wdf.timer import Timer, TimerConfig
from dirql.wdf.work_item import WorkItem, WorkItemConfig

__all__ = [
    "APC_LEVEL", "CM_RESOURCE_INTERRUPT_ALLOW_RESERVED_IDT", "CM_RESOURCE_INTERRUPT_LATCHED",
    "CM_RESOURCE_INTERRUPT_LEVEL_LATCHED_BITS", "CM_RESOURCE_INTERRUPT_LEVEL_SENSITIVE", "CM_RESOURCE_INTERRUPT_MESSAGE",
    "CM_RESOURCE_INTERRUPT_MESSAGE_TOKEN", "CM_RESOURCE_INTERRUPT_POLICY_INCLUDED",
    "CM_RESOURCE_INTERRUPT_SECONDARY_INTERRUPT", "CM_RESOURCE_INTERRUPT_WAKE_HINT", "CM_RESOURCE_MEMORY_LARGE_40",
    "CM_RESOURCE_MEMORY_LARGE_48", "CM_RESOURCE_MEMORY_LARGE_64", "CM_RESOURCE_MEMORY_PREFETCHABLE",
    "CM_RESOURCE_MEMORY_READ_WRITE", "CM_RESOURCE_PORT_16_BIT_DECODE", "CM_RESOURCE_PORT_IO",
    "CM_RESOURCE_PORT_POSITIVE_DECODE", "DISPATCH_LEVEL", "GUID_BUS_INTERFACE_STANDARD", "GUID_MSIX_TABLE_CONFIG_INTERFACE",
    "HIGH_LEVEL", "IO_RESOURCE_ALTERNATIVE", "IO_RESOURCE_DEFAULT", "IO_RESOURCE_PREFERRED", "IO_RESOURCE_REQUIRED",
    "PASSIVE_LEVEL", "PCI_WHICHSPACE_CONFIG", "STATUS_ABANDONED_WAIT_0", "STATUS_ACCESS_DENIED", "STATUS_ALERTED",
    "STATUS_BUFFER_OVERFLOW", "STATUS_BUFFER_TOO_SMALL", "STATUS_CANCELLED", "STATUS_CANNOT_DELETE",
    "STATUS_CONFLICTING_ADDRESSES", "STATUS_DELETE_PENDING", "STATUS_DEVICE_BUSY", "STATUS_DEVICE_CONFIGURATION_ERROR",
    "STATUS_DEVICE_DATA_ERROR", "STATUS_DEVICE_DOES_NOT_EXIST", "STATUS_DEVICE_NOT_CONNECTED", "STATUS_DEVICE_NOT_READY",
    "STATUS_DEVICE_POWER_FAILURE", "STATUS_DEVICE_REMOVED", "STATUS_INFO_LENGTH_MISMATCH", "STATUS_INSUFFICIENT_RESOURCES",
    "STATUS_INTEGER_OVERFLOW", "STATUS_INVALID_BUFFER_SIZE", "STATUS_INVALID_DEVICE_REQUEST", "STATUS_INVALID_DEVICE_STATE",
    "STATUS_INVALID_HANDLE", "STATUS_INVALID_PARAMETER", "STATUS_INVALID_PARAMETER_1", "STATUS_INVALID_PARAMETER_2",
    "STATUS_INVALID_PARAMETER_3", "STATUS_INVALID_PARAMETER_4", "STATUS_INVALID_PARAMETER_5", "STATUS_INVALID_PARAMETER_6",
    "STATUS_INVALID_PARAMETER_7", "STATUS_INVALID_PARAMETER_8", "STATUS_INVALID_PARAMETER_9", "STATUS_INVALID_PARAMETER_10",
    "STATUS_IO_DEVICE_ERROR", "STATUS_IO_TIMEOUT", "STATUS_MORE_PROCESSING_REQUIRED", "STATUS_MUTANT_NOT_OWNED",
    "STATUS_NOT_FOUND", "STATUS_NOT_IMPLEMENTED", "STATUS_NOT_SUPPORTED", "STATUS_NO_MEMORY", "STATUS_NO_MORE_ENTRIES",
    "STATUS_NO_SUCH_DEVICE", "STATUS_OBJECT_NAME_COLLISION", "STATUS_OBJECT_NAME_NOT_FOUND", "STATUS_OBJECT_TYPE_MISMATCH",
    "STATUS_PENDING", "STATUS_POWER_STATE_INVALID", "STATUS_REVISION_MISMATCH", "STATUS_SEMAPHORE_LIMIT_EXCEEDED",
    "STATUS_SUCCESS", "STATUS_TIMEOUT", "STATUS_UNSUCCESSFUL", "STATUS_USER_APC", "STATUS_WDF_BUSY",
    "STATUS_WDF_EXECUTION_LEVEL_INVALID", "STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL", "STATUS_WDF_NO_CALLBACK",
    "STATUS_WDF_OBJECT_ATTRIBUTES_INVALID", "STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED", "STATUS_WDF_PARENT_NOT_SPECIFIED",
    "STATUS_WDF_PAUSED", "STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID", "STATUS_WDF_TOO_FRAGMENTED",
    "STATUS_WDF_TOO_MANY_TRANSFERS", "UNLIMITED_FRAGMENTS", "UNLIMITED_REQUESTS", "BusInformation", "ChildIterator",
    "ChildList", "ChildListConfig", "CmPartialResourceDescriptor", "CmResourceList", "CmResourceType", "CmShareDisposition",
    "Collection", "CommonBuffer", "CommonBufferConfig", "DevPropType", "Device", "DeviceInit", "DeviceProperty",
    "DeviceState", "DmaDirection", "DmaEnabler", "DmaEnablerConfig", "DmaProfile", "DmaTransaction", "Dpc", "DpcConfig",
    "Driver", "Event", "EventType", "EvtProgramDma", "ExecutionLevel", "FileObject", "FileObjectConfig", "Framework",
    "Importance", "Interrupt", "InterruptConfig", "InterruptExtendedPolicy", "InterruptInfo", "InterruptPolicy",
    "InterruptPriority", "IoInterrupt", "IoMemory", "IoQueue", "IoQueueConfig", "IoQueueDispatchType", "IoQueueState",
    "IoResList", "IoResReqList", "IoResourceDescriptor", "IoTarget", "IrqDevicePolicy", "IrqPriority", "Kdpc", "Key",
    "Ktimer", "LookasideList", "Memory", "Mutex", "Object", "ObjectAttributes", "PdoInit", "PnpCapabilities", "PnpState",
    "PowerCapabilities", "PowerDeviceState", "Request", "RequestParameters", "RequestStopActionFlags", "RequestType",
    "RetrieveChildFlags", "RetrieveDeviceStatus", "S0IdleSettings", "ScatterGatherElement", "ScatterGatherList", "Semaphore",
    "SpinLock", "StatusError", "String", "SxWakeSettings", "SynchronizationScope", "Timer", "TimerConfig", "TriState",
    "Verifier", "WaitLock", "WorkItem", "WorkItemConfig", "acquire_object_lock", "configure_request_dispatching",
    "create_object", "name_of", "nt_success", "object_of_context", "paged_code", "release_object_lock",
]  # fmt: skip

"""Strings, lists, times, bitmaps and the objects of the kernel proper (ntdef.h, wdm.h; x64).

Where a header has changed over the years the Windows 10 one is followed; what a driver can tell apart keeps its place.
"""

from __future__ import annotations

from dirql.hosts.sys.structs import Struct

__all__ = [
    "ANSI_STRING", "DISPATCHER_HEADER", "EX_RUNDOWN_REF", "FAST_MUTEX", "GROUP_AFFINITY", "GUID", "IO_REMOVE_LOCK",
    "IO_STATUS_BLOCK", "KAPC", "KDEVICE_QUEUE", "KDEVICE_QUEUE_ENTRY", "KDPC", "KEVENT", "KGUARDED_MUTEX",
    "KLOCK_QUEUE_HANDLE", "KMUTANT", "KMUTEX", "KSEMAPHORE", "KSPIN_LOCK", "KSPIN_LOCK_QUEUE", "KSYSTEM_TIME", "KTIMER",
    "KWAIT_BLOCK", "LARGE_INTEGER", "LIST_ENTRY", "LOOKASIDE_LIST_EX", "NPAGED_LOOKASIDE_LIST", "OBJECT_ATTRIBUTES",
    "PAGED_LOOKASIDE_LIST", "PHYSICAL_ADDRESS", "PROCESSOR_NUMBER", "RTL_BITMAP", "SINGLE_LIST_ENTRY", "SLIST_ENTRY",
    "SLIST_HEADER", "STRING", "ULARGE_INTEGER", "UNICODE_STRING", "WORK_QUEUE_ITEM",
]  # fmt: skip


class STRING(Struct):
    """A counted string of bytes."""

    c = "USHORT Length; USHORT MaximumLength; PVOID Buffer;"


ANSI_STRING = STRING


class UNICODE_STRING(Struct):
    """A counted string of UTF-16 units; the lengths are in bytes."""

    c = "USHORT Length; USHORT MaximumLength; PVOID Buffer;"


class OBJECT_ATTRIBUTES(Struct):
    """How an object is named to the Zw routines."""

    c = """
        ULONG Length; HANDLE RootDirectory; UNICODE_STRING *ObjectName; ULONG Attributes;
        PVOID SecurityDescriptor; PVOID SecurityQualityOfService;
    """


class GUID(Struct):
    """Identifies an interface; the first three members are little endian."""

    c = "ULONG Data1; USHORT Data2; USHORT Data3; UCHAR Data4[8];"


class LARGE_INTEGER(Struct, union=True):
    """A signed number of 64 bits."""

    c = "struct { ULONG LowPart; LONG HighPart; }; struct { ULONG LowPart; LONG HighPart; } u; LONGLONG QuadPart;"


class PHYSICAL_ADDRESS(Struct, union=True):
    """LARGE_INTEGER by the name that physical and bus addresses have."""

    c = LARGE_INTEGER.c


class ULARGE_INTEGER(Struct, union=True):
    """An unsigned number of 64 bits."""

    c = "struct { ULONG LowPart; ULONG HighPart; }; struct { ULONG LowPart; ULONG HighPart; } u; ULONGLONG QuadPart;"


class KSYSTEM_TIME(Struct):
    """A time that is read without a lock: High1Time is written last and High2Time first."""

    c = "ULONG LowPart; LONG High1Time; LONG High2Time;"


class LIST_ENTRY(Struct):
    """A link of a doubly linked list, or its head."""

    c = "struct _LIST_ENTRY *Flink; struct _LIST_ENTRY *Blink;"


class SINGLE_LIST_ENTRY(Struct):
    """A link of a singly linked list."""

    c = "struct _SINGLE_LIST_ENTRY *Next;"


class SLIST_ENTRY(Struct, align=16):
    """A link of an interlocked list."""

    c = "struct _SLIST_ENTRY *Next;"


class SLIST_HEADER(Struct, union=True, align=16):
    """The head of an interlocked list."""

    c = """
        struct { ULONGLONG Alignment; ULONGLONG Region; };
        struct {
            ULONGLONG Depth : 16; ULONGLONG Sequence : 48;
            ULONGLONG Reserved : 4; ULONGLONG NextEntry : 60;
        } HeaderX64;
    """


class RTL_BITMAP(Struct):
    """Bits in somebody's buffer."""

    c = "ULONG SizeOfBitMap; ULONG *Buffer;"


class PROCESSOR_NUMBER(Struct):
    """A processor by its group and its number there."""

    c = "USHORT Group; UCHAR Number; UCHAR Reserved;"


class GROUP_AFFINITY(Struct):
    """Processors of one group."""

    c = "KAFFINITY Mask; USHORT Group; USHORT Reserved[3];"


class IO_STATUS_BLOCK(Struct):
    """How an I/O request ended."""

    c = "union { NTSTATUS Status; PVOID Pointer; }; ULONG_PTR Information;"


class DISPATCHER_HEADER(Struct):
    """The head of everything that can be waited for."""

    c = """
        union {
            LONG Lock;
            struct {
                UCHAR Type;
                union { UCHAR Signalling; UCHAR Absolute; UCHAR TimerControlFlags; UCHAR Abandoned; };
                union { UCHAR Size; UCHAR Hand; UCHAR ThreadControlFlags; };
                union { UCHAR DebugActive; UCHAR DpcActive; UCHAR TimerMiscFlags; };
            };
        };
        LONG SignalState; LIST_ENTRY WaitListHead;
    """


class KEVENT(Struct):
    """Type 0 is a notification event, 1 a synchronization event."""

    c = "DISPATCHER_HEADER Header;"


class KSEMAPHORE(Struct):
    """A semaphore; its count is Header.SignalState."""

    c = "DISPATCHER_HEADER Header; LONG Limit;"


class KMUTANT(Struct):
    """A mutex."""

    c = """
        DISPATCHER_HEADER Header; LIST_ENTRY MutantListEntry; PVOID OwnerThread;
        union { UCHAR MutantFlags; UCHAR Abandoned; }; UCHAR ApcDisable;
    """


KMUTEX = KMUTANT


class KTIMER(Struct):
    """A timer and the DPC that it queues."""

    c = """
        DISPATCHER_HEADER Header; ULARGE_INTEGER DueTime; LIST_ENTRY TimerListEntry; struct _KDPC *Dpc;
        USHORT Processor; USHORT TimerType; ULONG Period;
    """


class KDPC(Struct):
    """A deferred procedure call; DpcData is not NULL while it is queued."""

    c = """
        union { ULONG TargetInfoAsUlong; struct { UCHAR Type; UCHAR Importance; USHORT Number; }; };
        SINGLE_LIST_ENTRY DpcListEntry; KAFFINITY ProcessorHistory;
        PVOID DeferredRoutine; PVOID DeferredContext; PVOID SystemArgument1; PVOID SystemArgument2; PVOID DpcData;
    """


class KAPC(Struct):
    """An asynchronous procedure call; the tail of an IRP can be one."""

    c = """
        UCHAR Type; UCHAR AllFlags; UCHAR Size; UCHAR SpareByte1; ULONG SpareLong0; PVOID Thread; LIST_ENTRY ApcListEntry;
        PVOID KernelRoutine; PVOID RundownRoutine; PVOID NormalRoutine;
        PVOID NormalContext; PVOID SystemArgument1; PVOID SystemArgument2;
        CHAR ApcStateIndex; CHAR ApcMode; BOOLEAN Inserted;
    """


class KWAIT_BLOCK(Struct):
    """One wait for one object: the caller's own where KeWaitForMultipleObjects gets more than three objects."""

    c = """
        LIST_ENTRY WaitListEntry; UCHAR WaitType; UCHAR BlockState; USHORT WaitKey; LONG SpareLong;
        union { PVOID Thread; PVOID NotificationQueue; PVOID Dpc; }; PVOID Object; PVOID SparePtr;
    """


class FAST_MUTEX(Struct):
    """A fast mutex."""

    c = "LONG Count; PVOID Owner; ULONG Contention; KEVENT Event; ULONG OldIrql;"


KGUARDED_MUTEX = FAST_MUTEX  # the same since Windows 8


class KSPIN_LOCK(Struct):
    """A spin lock; as a member of other structures it is a number."""

    c = "ULONG_PTR Value;"


class KSPIN_LOCK_QUEUE(Struct):
    """A place in the queue of a queued spin lock."""

    c = "struct _KSPIN_LOCK_QUEUE *Next; KSPIN_LOCK *Lock;"


class KLOCK_QUEUE_HANDLE(Struct):
    """What KeAcquireInStackQueuedSpinLock keeps on the caller's stack."""

    c = "KSPIN_LOCK_QUEUE LockQueue; KIRQL OldIrql;"


class KDEVICE_QUEUE_ENTRY(Struct):
    """A place in a device queue."""

    c = "LIST_ENTRY DeviceListEntry; ULONG SortKey; BOOLEAN Inserted;"


class KDEVICE_QUEUE(Struct):
    """A device queue."""

    c = """
        CSHORT Type; CSHORT Size; LIST_ENTRY DeviceListHead; KSPIN_LOCK Lock;
        union { BOOLEAN Busy; struct { LONG64 Reserved : 8; LONG64 Hint : 56; }; };
    """


class EX_RUNDOWN_REF(Struct, union=True):
    """Run-down protection: twice the number of holders, and bit 0 once it is being run down."""

    c = "ULONG_PTR Count; PVOID Ptr;"


class IO_REMOVE_LOCK(Struct):
    """A remove lock as a driver built without DBG has it."""

    c = "struct { BOOLEAN Removed; BOOLEAN Reserved[3]; LONG IoCount; KEVENT RemoveEvent; } Common;"


class WORK_QUEUE_ITEM(Struct):
    """What ExQueueWorkItem queues."""

    c = "LIST_ENTRY List; PVOID WorkerRoutine; PVOID Parameter;"


# One declaration of the three kinds of look-aside list; they differ in alignment, and the older two in how they are named.
_LOOKASIDE = """
    struct {
        union { SLIST_HEADER ListHead; SINGLE_LIST_ENTRY SingleListHead; };
        USHORT Depth; USHORT MaximumDepth;
        ULONG TotalAllocates; union { ULONG AllocateMisses; ULONG AllocateHits; };
        ULONG TotalFrees; union { ULONG FreeMisses; ULONG FreeHits; };
        ENUM Type; ULONG Tag; ULONG Size;
        union { PVOID AllocateEx; PVOID Allocate; }; union { PVOID FreeEx; PVOID Free; };
        LIST_ENTRY ListEntry;
        ULONG LastTotalAllocates; union { ULONG LastAllocateMisses; ULONG LastAllocateHits; };
        ULONG Future[2];
    } L;
"""


class NPAGED_LOOKASIDE_LIST(Struct, align=64):
    """Blocks of one size from nonpaged pool."""

    c = _LOOKASIDE


class PAGED_LOOKASIDE_LIST(Struct, align=64):
    """Blocks of one size from paged pool."""

    c = _LOOKASIDE


class LOOKASIDE_LIST_EX(Struct):
    """Blocks of one size from any pool."""

    c = _LOOKASIDE

/* What the headers' inlined routines and the kernel's own make of the same structures. DriverEntry returns the line of the first
 * check that fails, or STATUS_SUCCESS. */
#include <ntddk.h>

#define CHECK(truth) do { if (!(truth)) return (NTSTATUS)(0xE0000000u | __LINE__); } while (0)
#define TAG 'tseT'

typedef struct { KEVENT Event; KDPC Dpc; KTIMER Timer; KSPIN_LOCK Lock; FAST_MUTEX Mutex; ULONG Dpcs; ULONG Order; } STATE;

static VOID Dpc(PKDPC dpc, PVOID context, PVOID first, PVOID second)
{
    STATE *state = context;
    UNREFERENCED_PARAMETER(second);
    if (dpc == &state->Dpc && first == (PVOID)7 && KeGetCurrentIrql() == DISPATCH_LEVEL)
        state->Dpcs += 1;
    KeSetEvent(&state->Event, IO_NO_INCREMENT, FALSE);
}

static VOID Expired(PKDPC dpc, PVOID context, PVOID first, PVOID second)
{
    STATE *state = context;
    UNREFERENCED_PARAMETER(dpc);
    UNREFERENCED_PARAMETER(first);
    UNREFERENCED_PARAMETER(second);
    state->Order = state->Order * 10 + 1;
}

static VOID Thread(PVOID context)
{
    STATE *state = context;
    ExAcquireFastMutex(&state->Mutex);
    state->Order = state->Order * 10 + 2;
    ExReleaseFastMutex(&state->Mutex);
    PsTerminateSystemThread(STATUS_DEVICE_BUSY);
    state->Order = 99; /* not reached */
}

static NTSTATUS Locks(STATE *state)
{
    KIRQL old;
    KLOCK_QUEUE_HANDLE handle;
    KeInitializeSpinLock(&state->Lock);
    KeAcquireSpinLock(&state->Lock, &old);
    CHECK(state->Lock != 0 && old == PASSIVE_LEVEL && KeGetCurrentIrql() == DISPATCH_LEVEL);
    KeReleaseSpinLock(&state->Lock, old);
    CHECK(state->Lock == 0 && KeGetCurrentIrql() == PASSIVE_LEVEL);
    KeAcquireInStackQueuedSpinLock(&state->Lock, &handle);
    KeReleaseInStackQueuedSpinLock(&handle);
    CHECK(state->Lock == 0);
    return STATUS_SUCCESS;
}

static NTSTATUS Waits(STATE *state)
{
    LARGE_INTEGER timeout;
    KeInitializeEvent(&state->Event, SynchronizationEvent, FALSE);
    KeInitializeDpc(&state->Dpc, Dpc, state);
    CHECK(KeInsertQueueDpc(&state->Dpc, (PVOID)7, NULL));
    CHECK(KeWaitForSingleObject(&state->Event, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS && state->Dpcs == 1);
    CHECK(!KeReadStateEvent(&state->Event) && state->Dpc.DpcData == NULL);
    timeout.QuadPart = -10000;
    CHECK(KeWaitForSingleObject(&state->Event, Executive, KernelMode, FALSE, &timeout) == STATUS_TIMEOUT);
    KeInitializeDpc(&state->Dpc, Expired, state);
    KeInitializeTimer(&state->Timer);
    CHECK(!KeSetTimer(&state->Timer, timeout, &state->Dpc));
    CHECK(KeWaitForSingleObject(&state->Timer, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    KeFlushQueuedDpcs();
    CHECK(state->Order == 1 && state->Timer.Header.SignalState == 1);
    return STATUS_SUCCESS;
}

static NTSTATUS Threads(STATE *state)
{
    HANDLE handle;
    PVOID thread;
    ExInitializeFastMutex(&state->Mutex);
    CHECK(NT_SUCCESS(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Thread, state)));
    CHECK(NT_SUCCESS(ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, &thread, NULL)));
    ExAcquireFastMutex(&state->Mutex);
    CHECK(KeGetCurrentIrql() == APC_LEVEL && state->Mutex.Count != 1 && thread != (PVOID)KeGetCurrentThread());
    ExReleaseFastMutex(&state->Mutex);
    CHECK(KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL) == STATUS_SUCCESS);
    CHECK(state->Order == 12);
    ObDereferenceObject(thread);
    return STATUS_SUCCESS;
}

static NTSTATUS Lists(STATE *state)
{
    DECLSPEC_ALIGN(16) static SLIST_HEADER head;
    static NPAGED_LOOKASIDE_LIST list;
    PSLIST_ENTRY entry;
    UNREFERENCED_PARAMETER(state);
    ExInitializeNPagedLookasideList(&list, NULL, NULL, 0, sizeof(SLIST_ENTRY) * 2, TAG, 0);
    entry = ExAllocateFromNPagedLookasideList(&list);
    CHECK(entry != NULL && list.L.TotalAllocates == 1);
    InitializeSListHead(&head);
    ExInterlockedPushEntrySList(&head, entry, NULL);
    CHECK(ExQueryDepthSList(&head) == 1 && ExInterlockedPopEntrySList(&head, NULL) == entry);
    ExFreeToNPagedLookasideList(&list, entry);
    ExDeleteNPagedLookasideList(&list);
    return STATUS_SUCCESS;
}

static NTSTATUS Clocks(STATE *state)
{
    LARGE_INTEGER before, after, frequency, wait;
    ULONGLONG interrupt = KeQueryInterruptTime();
    UNREFERENCED_PARAMETER(state);
    KeQuerySystemTime(&before);
    wait.QuadPart = -2 * (LONGLONG)KeQueryTimeIncrement();
    CHECK(NT_SUCCESS(KeDelayExecutionThread(KernelMode, FALSE, &wait)));
    KeQuerySystemTime(&after);
    CHECK(after.QuadPart - before.QuadPart == -wait.QuadPart);
    CHECK(KeQueryInterruptTime() - interrupt == (ULONGLONG)-wait.QuadPart);
    CHECK(KeQueryPerformanceCounter(&frequency).QuadPart > 0 && frequency.QuadPart == 10000000);
    CHECK(KeQueryActiveProcessorCountEx(0) == (ULONG)KeNumberProcessors);
    return STATUS_SUCCESS;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    NTSTATUS (*parts[])(STATE *) = {Locks, Waits, Threads, Lists, Clocks};
    NTSTATUS status = STATUS_SUCCESS;
    STATE *state = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(STATE), TAG);
    UNREFERENCED_PARAMETER(driver);
    UNREFERENCED_PARAMETER(path);
    if (!state)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(state, sizeof(STATE));
    for (ULONG i = 0; NT_SUCCESS(status) && i < sizeof parts / sizeof *parts; i++)
        status = parts[i](state);
    ExFreePoolWithTag(state, TAG);
    return status;
}

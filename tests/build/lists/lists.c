/* What it leaves as its DriverUnload takes a number and does one thing to a list of three, damaged before or not. */
#include <ntddk.h>

enum { REMOVE_ENTRY, REMOVE_HEAD, REMOVE_TAIL, INSERT_TAIL, INSERT_HEAD, APPEND_TAIL };

static LIST_ENTRY Head, Entries[3], More;

#define DAMAGED 0x10 /* the link that the function reads first does not lead back */
#define TWICE 0x20   /* RemoveEntryList of what was removed already */

static void Damage(ULONG What)
{
    switch (What) {
    case REMOVE_ENTRY:
        Entries[1].Flink->Blink = &Entries[0];
        break;
    case REMOVE_HEAD:
    case INSERT_HEAD:
        Entries[0].Blink = &Entries[2];
        break;
    case REMOVE_TAIL:
    case INSERT_TAIL:
        Entries[2].Flink = &Entries[0];
        break;
    case APPEND_TAIL:
        More.Blink = &Entries[1];
        break;
    }
}

static BOOLEAN Sound(ULONG Count)
{
    PLIST_ENTRY at;

    for (at = Head.Flink; at != &Head; at = at->Flink) {
        if (at->Flink->Blink != at || at->Blink->Flink != at || Count-- == 0) {
            return FALSE;
        }
    }
    return Count == 0;
}

static NTSTATUS Perform(ULONG request)
{
    ULONG what = request & 0xF, i;

    InitializeListHead(&Head);
    InitializeListHead(&More);
    for (i = 0; i < 3; i++) {
        InsertTailList(&Head, &Entries[i]);
    }
    if (request & TWICE) {
        RemoveEntryList(&Entries[1]);
    }
    if (request & DAMAGED) {
        Damage(what);
    }
    switch (what) {
    case REMOVE_ENTRY:
        return !RemoveEntryList(&Entries[1]) && Sound(2) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    case REMOVE_HEAD:
        return RemoveHeadList(&Head) == &Entries[0] && Sound(2) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    case REMOVE_TAIL:
        return RemoveTailList(&Head) == &Entries[2] && Sound(2) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    case INSERT_TAIL:
        InsertTailList(&Head, &More);
        return Head.Blink == &More && Sound(4) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    case INSERT_HEAD:
        InsertHeadList(&Head, &More);
        return Head.Flink == &More && Sound(4) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    case APPEND_TAIL:
        AppendTailList(&Head, &More);
        return Head.Blink == &More && Sound(4) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    }
    return STATUS_INVALID_PARAMETER;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = (PDRIVER_UNLOAD)(PVOID)Perform;
    return STATUS_SUCCESS;
}

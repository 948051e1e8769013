/* Uses of the headers that a driver for several processors and messages has. */
#include <ntddk.h>
#include <wdf.h>
#include <ntstrsafe.h>

DRIVER_INITIALIZE DriverEntry;

static KDEFERRED_ROUTINE Routine;
static KDPC Dpc;

static void NTAPI Routine(PKDPC Unused, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    UNREFERENCED_PARAMETER(Unused);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;
    WCHAR wide[16];
    UNICODE_STRING string = {0, sizeof(wide), wide};
    char text[32];

    if (RtlStringCbPrintfW(wide, 8, L"%d", 123456) != STATUS_BUFFER_OVERFLOW || wcscmp(wide, L"123") != 0) {
        return STATUS_UNSUCCESSFUL;
    }
    if (!NT_SUCCESS(RtlUnicodeStringPrintf(&string, L"%d %ws", 7, L"ab"))) {
        return STATUS_UNSUCCESSFUL;
    }
    DbgPrint("%wZ", &string);
    if (!NT_SUCCESS(RtlStringCchPrintfA(text, 32, "%d of %s", 3, "four")) || !NT_SUCCESS(RtlStringCbCatA(text, 32, "!"))) {
        return STATUS_UNSUCCESSFUL;
    }
    DbgPrint("%s, %u processors", text, KeQueryActiveProcessorCount(NULL));
    KeInitializeDpc(&Dpc, Routine, NULL);
    KeSetTargetProcessorDpc(&Dpc, 1);
    KeSetSystemAffinityThread(1);
    KeRevertToUserAffinityThread();
    WDF_DRIVER_CONFIG_INIT(&config, NULL);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

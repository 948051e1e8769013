/*
 * The entry point of a KMDF driver: binds to the framework before DriverEntry and unbinds after DriverUnload.
 * Names are those of the stub that the WDK links, so that debuggers and loaders find what they know.
 *
 * Limits: no notification of class extensions when DriverEntry fails.
 */
#include <ntddk.h>
#include <wdf.h>

#define NO_DISPATCH_OVERRIDE 2 /* WDF_DRIVER_GLOBALS.DriverFlags */
#define COMPONENT_IHVDRIVER 0x4D
#define PATH_CHARACTERS 260

void __security_init_cookie(void);

NTSYSAPI NTSTATUS NTAPI WdfVersionBind(PDRIVER_OBJECT, PUNICODE_STRING, PWDF_BIND_INFO, PWDF_DRIVER_GLOBALS *);
NTSYSAPI NTSTATUS NTAPI WdfVersionUnbind(PUNICODE_STRING, PWDF_BIND_INFO, PWDF_DRIVER_GLOBALS);
NTSYSAPI NTSTATUS NTAPI WdfVersionBindClass(PWDF_BIND_INFO, PWDF_DRIVER_GLOBALS, PWDF_CLASS_BIND_INFO);
NTSYSAPI void NTAPI WdfVersionUnbindClass(PWDF_BIND_INFO, PWDF_DRIVER_GLOBALS, PWDF_CLASS_BIND_INFO);

DRIVER_INITIALIZE DriverEntry, FxDriverEntry;
NTSTATUS FxDriverEntryWorker(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);
NTSTATUS FxStubInitTypes(void);
NTSTATUS FxStubBindClasses(PWDF_BIND_INFO BindInfo);
void FxStubUnbindClasses(PWDF_BIND_INFO BindInfo);
void FxStubDriverUnloadCommon(void);
DRIVER_UNLOAD FxStubDriverUnload;
void FxStubDriverMiniportUnload(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDRIVER Driver);

#pragma alloc_text(INIT, FxDriverEntry)
#pragma alloc_text(INIT, FxDriverEntryWorker)
#pragma alloc_text(INIT, FxStubInitTypes)
#pragma alloc_text(INIT, FxStubBindClasses)

PWDF_DRIVER_GLOBALS WdfDriverGlobals;

#if WdfFunctionTableNumEntries <= 438
WDFFUNC WdfFunctions[WdfFunctionTableNumEntries];
#define FUNCTION_TABLE WdfFunctions
#else
WDFFUNC *WdfFunctions;
#define FUNCTION_TABLE ((WDFFUNC *)&WdfFunctions)
#endif

/* What headers of 1.25 and later ask before they use something new. */
BOOLEAN WdfClientVersionHigherThanFramework;
ULONG WdfFunctionCount = WdfFunctionTableNumEntries;
ULONG WdfStructureCount;
size_t *WdfStructures;

#ifdef KMDF_MINIMUM_VERSION_REQUIRED
#if KMDF_VERSION_MINOR < 25
#error "KMDF_MINIMUM_VERSION_REQUIRED needs KMDF_VERSION_MINOR 25 or later"
#endif
ULONG WdfMinimumVersionRequired = KMDF_MINIMUM_VERSION_REQUIRED;
WDF_BIND_INFO2 WdfBindInfo2 = {
    {sizeof(WDF_BIND_INFO2), (PWCHAR)L"KmdfLibrary", {KMDF_VERSION_MAJOR, KMDF_VERSION_MINOR, 0},
     WdfFunctionTableNumEntries, FUNCTION_TABLE, NULL},
    &WdfMinimumVersionRequired, &WdfClientVersionHigherThanFramework, &WdfFunctionCount, &WdfStructureCount, &WdfStructures,
};
#define BIND_INFO (&WdfBindInfo2.V1)
#else
WDF_BIND_INFO WdfBindInfo = {
    sizeof(WDF_BIND_INFO), (PWCHAR)L"KmdfLibrary", {KMDF_VERSION_MAJOR, KMDF_VERSION_MINOR, 0},
    WdfFunctionTableNumEntries, FUNCTION_TABLE, NULL,
};
#define BIND_INFO (&WdfBindInfo)
#endif

typedef void (NTAPI *MINIPORT_UNLOAD)(PWDF_DRIVER_GLOBALS, WDFDRIVER);
MINIPORT_UNLOAD WdfDriverMiniportUnloadOverride;

WCHAR WdfDriverStubRegistryPathBuffer[PATH_CHARACTERS];
UNICODE_STRING WdfDriverStubRegistryPath = {0, sizeof(WdfDriverStubRegistryPathBuffer), WdfDriverStubRegistryPathBuffer};
PDRIVER_OBJECT WdfDriverStubDriverObject;
PDRIVER_UNLOAD WdfDriverStubDisplacedDriverUnload;
MINIPORT_UNLOAD WdfDriverStubOriginalWdfDriverMiniportUnload;

/* Whatever other objects put into …$b lies between the two ends, in 8-byte steps of padding. */

#pragma section(".kmdfclassbind$a", read, write)
#pragma section(".kmdfclassbind$c", read, write)
#pragma section(".kmdftypeinit$a", read, write)
#pragma section(".kmdftypeinit$c", read, write)

__declspec(allocate(".kmdfclassbind$a")) PVOID __KMDF_CLASS_BIND_START[2] = {0};
__declspec(allocate(".kmdfclassbind$c")) PVOID __KMDF_CLASS_BIND_END[1] = {0};
__declspec(allocate(".kmdftypeinit$a")) PVOID __KMDF_TYPE_INIT_START[2] = {0};
__declspec(allocate(".kmdftypeinit$c")) PVOID __KMDF_TYPE_INIT_END[1] = {0};

#define CLASS_BIND_V1 0x50
#define CLASS_BIND_V2 0x78

PVOID *FxStubClassesBound = __KMDF_CLASS_BIND_START; /* those before it are bound */

NTSTATUS FxStubBindClasses(PWDF_BIND_INFO BindInfo)
{
    PVOID *at = __KMDF_CLASS_BIND_START + RTL_NUMBER_OF(__KMDF_CLASS_BIND_START);
    while (at < __KMDF_CLASS_BIND_END) {
        PWDF_CLASS_BIND_INFO one = (PWDF_CLASS_BIND_INFO)at;
        NTSTATUS status;
        if (*at == NULL) {
            at++;
            continue;
        }
        if (one->Size != CLASS_BIND_V1 && one->Size != CLASS_BIND_V2) {
            return STATUS_INVALID_IMAGE_FORMAT;
        }
        if (one->ClientBindClass != NULL) {
            status = one->ClientBindClass(WdfVersionBindClass, BindInfo, WdfDriverGlobals, one);
        } else {
            status = WdfVersionBindClass(BindInfo, WdfDriverGlobals, one);
        }
        if (!NT_SUCCESS(status)) {
            return status;
        }
        at += one->Size / sizeof(*at);
        FxStubClassesBound = at;
    }
    return STATUS_SUCCESS;
}

void FxStubUnbindClasses(PWDF_BIND_INFO BindInfo)
{
    PVOID *at = __KMDF_CLASS_BIND_START + RTL_NUMBER_OF(__KMDF_CLASS_BIND_START);
    while (at < FxStubClassesBound) {
        PWDF_CLASS_BIND_INFO one = (PWDF_CLASS_BIND_INFO)at;
        if (*at == NULL) {
            at++;
            continue;
        }
        if (one->ClientUnbindClass != NULL) {
            one->ClientUnbindClass(WdfVersionUnbindClass, BindInfo, WdfDriverGlobals, one);
        } else {
            WdfVersionUnbindClass(BindInfo, WdfDriverGlobals, one);
        }
        at += one->Size / sizeof(*at);
    }
    FxStubClassesBound = __KMDF_CLASS_BIND_START;
}

NTSTATUS FxStubInitTypes(void)
{
    PVOID *at = __KMDF_TYPE_INIT_START + RTL_NUMBER_OF(__KMDF_TYPE_INIT_START);
    while (at < __KMDF_TYPE_INIT_END) {
        PWDF_OBJECT_CONTEXT_TYPE_INFO one = (PWDF_OBJECT_CONTEXT_TYPE_INFO)at;
        if (*at == NULL) {
            at++;
            continue;
        }
        if (one->Size != sizeof(*one)) {
            return STATUS_INVALID_IMAGE_FORMAT;
        }
        if (one->EvtDriverGetUniqueContextType != NULL) {
            one->UniqueType = one->EvtDriverGetUniqueContextType();
        }
        at += sizeof(*one) / sizeof(*at);
    }
    return STATUS_SUCCESS;
}

void FxStubDriverUnloadCommon(void)
{
    FxStubUnbindClasses(BIND_INFO);
    WdfVersionUnbind(&WdfDriverStubRegistryPath, BIND_INFO, WdfDriverGlobals);
}

void NTAPI FxStubDriverUnload(PDRIVER_OBJECT DriverObject)
{
    if (WdfDriverStubDisplacedDriverUnload != NULL && WdfDriverStubDisplacedDriverUnload != FxStubDriverUnload) {
        WdfDriverStubDisplacedDriverUnload(DriverObject);
    }
    FxStubDriverUnloadCommon();
}

void NTAPI FxStubDriverMiniportUnload(PWDF_DRIVER_GLOBALS DriverGlobals, WDFDRIVER Driver)
{
    WdfDriverStubOriginalWdfDriverMiniportUnload(DriverGlobals, Driver);
    FxStubDriverUnloadCommon();
}

NTSTATUS FxDriverEntryWorker(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;

    if (DriverObject == NULL) { /* an export driver: nobody to bind for */
        return DriverEntry(DriverObject, RegistryPath);
    }
    WdfDriverStubDriverObject = DriverObject;
    RtlCopyUnicodeString(&WdfDriverStubRegistryPath, RegistryPath);

    status = WdfVersionBind(DriverObject, &WdfDriverStubRegistryPath, BIND_INFO, &WdfDriverGlobals);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WdfDriverStubOriginalWdfDriverMiniportUnload = (MINIPORT_UNLOAD)WdfFunctions[WdfDriverMiniportUnloadTableIndex];
    WdfDriverMiniportUnloadOverride = WdfDriverStubOriginalWdfDriverMiniportUnload;

    status = FxStubBindClasses(BIND_INFO);
    if (NT_SUCCESS(status)) {
        status = FxStubInitTypes();
    }
    if (NT_SUCCESS(status)) {
        status = DriverEntry(DriverObject, RegistryPath);
        if (!NT_SUCCESS(status)) {
            DbgPrintEx(COMPONENT_IHVDRIVER, DPFLTR_ERROR_LEVEL, "%wZ: DriverEntry returned 0x%08X\n", RegistryPath, status);
        }
    }
    if (!NT_SUCCESS(status)) {
        FxStubDriverUnloadCommon();
        return status;
    }

    if (WdfDriverGlobals->DisplaceDriverUnload) {
        if (DriverObject->DriverUnload != NULL) {
            WdfDriverStubDisplacedDriverUnload = DriverObject->DriverUnload;
        }
        DriverObject->DriverUnload = FxStubDriverUnload;
    } else if (WdfDriverGlobals->DriverFlags & NO_DISPATCH_OVERRIDE) {
        WdfDriverMiniportUnloadOverride = FxStubDriverMiniportUnload;
    }
    return status;
}

__attribute__((no_stack_protector)) NTSTATUS NTAPI FxDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    __security_init_cookie();
    return FxDriverEntryWorker(DriverObject, RegistryPath);
}

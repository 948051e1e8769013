/* The entry point of a WDM driver: the cookie is checked, then DriverEntry runs. */
#include <ntddk.h>

void __security_init_cookie(void);
DRIVER_INITIALIZE DriverEntry, GsDriverEntry;

#pragma alloc_text(INIT, GsDriverEntry)

__attribute__((no_stack_protector)) NTSTATUS NTAPI GsDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    __security_init_cookie();
    return DriverEntry(DriverObject, RegistryPath);
}

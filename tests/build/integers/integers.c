/* Checked arithmetic of ntintsafe.h, for each kind a sum that just fits and one that just does not. */
#include <ntddk.h>
#include <ntintsafe.h>

#define CHECK(status, Type, expected, call)                                         \
    do {                                                                            \
        Type result = 1;                                                            \
        NTSTATUS told = (call);                                                     \
        if (told != (status) || result != (Type)(expected)) {                       \
            DbgPrint(#call ": %08x, %I64x", told, (ULONGLONG)result);               \
            wrong++;                                                                \
        }                                                                           \
        count++;                                                                    \
    } while (0)

#define FITS(Type, expected, call) CHECK(STATUS_SUCCESS, Type, expected, call)
#define OVERFLOWS(Type, call) CHECK(STATUS_INTEGER_OVERFLOW, Type, -1, call)

DRIVER_INITIALIZE DriverEntry;

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    ULONG wrong = 0, count = 0;

    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    FITS(USHORT, 0xFFFF, RtlUShortAdd(0xFFFE, 1, &result));
    OVERFLOWS(USHORT, RtlUShortAdd(0xFFFF, 1, &result));
    OVERFLOWS(USHORT, RtlUShortSub(1, 2, &result));
    OVERFLOWS(USHORT, RtlUShortMult(0x100, 0x100, &result));
    FITS(ULONG, 0xFFFFFFFF, RtlULongAdd(0xFFFFFFFE, 1, &result));
    OVERFLOWS(ULONG, RtlULongAdd(0xFFFFFFFF, 1, &result));
    FITS(ULONG, 0, RtlULongSub(2, 2, &result));
    OVERFLOWS(ULONG, RtlULongSub(2, 3, &result));
    FITS(ULONG, 0xFFFE0001, RtlULongMult(0xFFFF, 0xFFFF, &result));
    OVERFLOWS(ULONG, RtlULongMult(0x10000, 0x10000, &result));
    OVERFLOWS(UINT, RtlUIntAdd(0xFFFFFFFF, 2, &result));
    FITS(UINT_PTR, ~0ULL, RtlUIntPtrAdd(~0ULL - 1, 1, &result));
    OVERFLOWS(UINT_PTR, RtlUIntPtrAdd(~0ULL, 1, &result));
    OVERFLOWS(ULONG_PTR, RtlULongPtrAdd(~0ULL, 1, &result));
    OVERFLOWS(size_t, RtlSizeTAdd(~0ULL, 1, &result));
    OVERFLOWS(size_t, RtlSizeTSub(1, 2, &result));
    FITS(size_t, 0x100000000ULL, RtlSizeTMult(0x10000, 0x10000, &result));
    OVERFLOWS(size_t, RtlSizeTMult(1ULL << 32, 1ULL << 32, &result));
    OVERFLOWS(ULONGLONG, RtlULongLongAdd(~0ULL, 1, &result));
    OVERFLOWS(ULONGLONG, RtlULongLongSub(0, 1, &result));
    OVERFLOWS(ULONGLONG, RtlULongLongMult(~0ULL, 2, &result));
    FITS(USHORT, 0xFFFF, RtlULongToUShort(0xFFFF, &result));
    OVERFLOWS(USHORT, RtlULongToUShort(0x10000, &result));
    FITS(ULONG, 0xFFFFFFFF, RtlULongLongToULong(0xFFFFFFFF, &result));
    OVERFLOWS(ULONG, RtlULongLongToULong(1ULL << 32, &result));
    OVERFLOWS(ULONG, RtlSizeTToULong(1ULL << 32, &result));
    OVERFLOWS(ULONG, RtlLongToULong(-1, &result));
    OVERFLOWS(LONG, RtlULongToLong(0x80000000, &result));
    FITS(LONG, 0x7FFFFFFF, RtlULongToLong(0x7FFFFFFF, &result));
    OVERFLOWS(LONG, RtlLongAdd(0x7FFFFFFF, 1, &result));
    OVERFLOWS(LONG, RtlLongSub(-0x7FFFFFFF - 1, 1, &result));
    OVERFLOWS(LONGLONG, RtlLongLongMult(1LL << 62, 2, &result));
    DbgPrint("%u of %u are wrong", wrong, count);
    return STATUS_SUCCESS;
}

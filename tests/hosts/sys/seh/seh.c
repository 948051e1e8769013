/* What test_exceptions.py calls: DriverEntry is handed a request and a place for the result. */
#include <ntddk.h>

#define NOINLINE __attribute__((noinline))
#define WORD ULONG_PTR

static volatile WORD trail; /* a digit for each block that ran */
static volatile ULONG never;

static void mark(WORD digit) { trail = trail * 16 + digit; }
NOINLINE static void poke(WORD address) { *(volatile ULONG *)address = 5; }
NOINLINE static ULONG divide(ULONG a, ULONG b) { return a / b; }
NOINLINE static void raise_it(NTSTATUS status) { ExRaiseStatus(status); }

NOINLINE static WORD handled(WORD address)
{
    WORD result = 1;
    __try {
        poke(address);
        result = 2;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        result = (ULONG)_exception_code();
    }
    return result;
}

static LONG inspect(EXCEPTION_POINTERS *pointers, WORD *seen)
{
    seen[0] = (ULONG)pointers->ExceptionRecord->ExceptionCode;
    seen[1] = pointers->ExceptionRecord->ExceptionInformation[0];
    seen[2] = pointers->ExceptionRecord->ExceptionInformation[1];
    seen[3] = pointers->ContextRecord->Rip == (WORD)pointers->ExceptionRecord->ExceptionAddress;
    return EXCEPTION_EXECUTE_HANDLER;
}

NOINLINE static WORD filtered(WORD address)
{
    WORD seen[4] = {0, 0, 0, 0}, kept = address ^ 0x55;
    __try {
        poke(address);
    } __except (inspect((EXCEPTION_POINTERS *)_exception_info(), seen)) {
        return kept == (address ^ 0x55) && seen[0] == 0xC0000005 && seen[1] == 1 && seen[2] == address && seen[3];
    }
    return 99;
}

static LONG mend(EXCEPTION_POINTERS *pointers)
{
    pointers->ContextRecord->Rcx = 7;
    pointers->ContextRecord->Rdx = 0;
    pointers->ContextRecord->Rip += 2; /* behind a div */
    pointers->ContextRecord->Rax = 77;
    return EXCEPTION_CONTINUE_EXECUTION;
}

NOINLINE static WORD mended(void)
{
    WORD result = 0;
    __try {
        result = divide(5, never);
    } __except (mend((EXCEPTION_POINTERS *)_exception_info())) {
        result = 1;
    }
    return result;
}

NOINLINE static void inner(WORD address)
{
    __try {
        mark(1);
        poke(address);
        mark(9);
    } __finally {
        mark(_abnormal_termination() ? 2 : 8);
    }
}

NOINLINE static void middle(WORD address)
{
    __try {
        inner(address);
    } __except (mark(3), EXCEPTION_CONTINUE_SEARCH) {
        mark(0xF);
    }
}

NOINLINE static WORD nested(WORD address)
{
    trail = 0;
    __try {
        __try {
            middle(address);
        } __finally {
            mark(5);
        }
    } __except (mark(4), EXCEPTION_EXECUTE_HANDLER) {
        mark(6);
    }
    return trail;
}

NOINLINE static WORD raised(void)
{
    __try {
        raise_it(STATUS_INSUFFICIENT_RESOURCES);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return (ULONG)_exception_code();
    }
    return 0;
}

NOINLINE static WORD through(WORD routine, WORD argument)
{
    WORD result = 0;
    __try {
        result = ((WORD (NTAPI *)(WORD))routine)(argument);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        result = 0x1000 + (_exception_code() & 0xFF);
    }
    return result;
}

NOINLINE static WORD deeper(volatile WORD *p)
{
    volatile WORD room[32];
    room[0] = *p;
    return never == 0 ? deeper(room) + room[1] : 0;
}

NOINLINE static WORD insisting(void)
{
    __try {
        raise_it(STATUS_UNSUCCESSFUL);
    } __except (EXCEPTION_CONTINUE_EXECUTION) {
        return 1;
    }
    return 2;
}

NOINLINE static WORD collided(WORD address)
{
    trail = 0;
    __try {
        __try {
            __try {
                poke(address);
            } __finally {
                mark(1);
                if (never == 0) {
                    raise_it(STATUS_UNSUCCESSFUL);
                }
            }
        } __finally {
            mark(2);
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        mark(_exception_code() & 0xF);
    }
    return trail;
}

NOINLINE static WORD smash(WORD n) { volatile UCHAR b[64]; for (WORD i = 0; i < n; i++) b[i] = (UCHAR)i; return b[n & 63]; }

typedef struct { WORD kind, a, b; } REQUEST;

DRIVER_INITIALIZE DriverEntry;
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT object, PUNICODE_STRING path)
{
    REQUEST *q = (REQUEST *)object;
    WORD *result = (WORD *)path, one = 0;
    switch (q->kind) {
    case 0: *result = handled(q->a); break;
    case 1: *result = filtered(q->a); break;
    case 2: *result = mended(); break;
    case 3: *result = nested(q->a); break;
    case 4: *result = raised(); break;
    case 5: *result = through(q->a, q->b); break;
    case 6: poke(q->a); break;
    case 7: *result = deeper(&one); break;
    case 8: *result = smash(q->a); break;
    case 9: raise_it((NTSTATUS)q->a); break;
    case 10: *result = ((WORD (NTAPI *)(WORD))q->a)(q->b); break;
    case 11: while (!*(volatile WORD *)q->a) { } *result = 11; break;
    case 12: for (;;) { one = one * 3 + 1; *(volatile WORD *)result = one; } break;
    case 13: *result = divide(5, never); break;
    case 14: __debugbreak(); break;
    case 15: *result = insisting(); break;
    case 16: *result = collided(q->a); break;
    }
    return STATUS_SUCCESS;
}

/* Linked into every driver that `dirql build` makes: stack cookie, load configuration, stack probe, build stamp. */
#include <ntddk.h>

#define DEFAULT_COOKIE 0x00002B992DDFA232ULL /* what the image holds; the loader finds it by the load configuration and replaces it */
#define COOKIE_MISMATCH 2                    /* fail fast codes */
#define COOKIE_NOT_SET 6

ULONG_PTR __security_cookie = DEFAULT_COOKIE;
ULONG_PTR __security_cookie_complement = ~DEFAULT_COOKIE;
extern ULONG_PTR __stack_chk_guard __attribute__((alias("__security_cookie"))); /* clang's name of it on this target */

int _fltused = 0x9875; /* a driver with a floating point constant refers to it */

/* "dirql build" and a digest of all that went into the image: by this, dirql knows its own and what is up to date. */
const char DirqlBuildStamp[] __attribute__((used)) = "dirql build " DIRQL_BUILD_STAMP;

typedef struct LOAD_CONFIG {
    ULONG Size;
    ULONG TimeDateStamp;
    ULONG Version;
    ULONG GlobalFlags[2];
    ULONG CriticalSectionDefaultTimeout;
    ULONG64 Unused[6];
    ULONG ProcessHeapFlags;
    USHORT CSDVersion;
    USHORT DependentLoadFlags;
    ULONG64 EditList;
    ULONG_PTR *SecurityCookie;
    ULONG64 SEHandlerTable;
    ULONG64 SEHandlerCount;
} LOAD_CONFIG;

C_ASSERT(FIELD_OFFSET(LOAD_CONFIG, SecurityCookie) == 0x58 && sizeof(LOAD_CONFIG) == 0x70);

const LOAD_CONFIG _load_config_used __attribute__((used)) = {.Size = sizeof(LOAD_CONFIG), .SecurityCookie = &__security_cookie};

static __attribute__((noreturn)) void fail_fast(ULONG code)
{
    __asm__ volatile("int $0x29" ::"c"(code));
    __builtin_unreachable();
}

__attribute__((noreturn)) void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
    fail_fast(COOKIE_MISMATCH);
}

void __security_init_cookie(void);
__attribute__((no_stack_protector)) void __security_init_cookie(void)
{
    if (__security_cookie == 0 || __security_cookie == DEFAULT_COOKIE) {
        fail_fast(COOKIE_NOT_SET);
    }
    __security_cookie_complement = ~__security_cookie;
}

/* What code for the MSVC ABI calls, with the cookie it found in RCX; changes no register if it is the right one. */
__asm__(".globl __security_check_cookie\n"
        ".def __security_check_cookie; .scl 2; .type 32; .endef\n"
        "__security_check_cookie:\n"
        "    cmpq __security_cookie(%rip), %rcx\n"
        "    jne 1f\n"
        "    retq\n"
        "1:  movl $2, %ecx\n"
        "    int $0x29\n");

/* Touches every page of the frame of RAX bytes that the caller is about to make; changes no register. */
__asm__(".globl ___chkstk_ms\n"
        ".def ___chkstk_ms; .scl 2; .type 32; .endef\n"
        ".seh_proc ___chkstk_ms\n"
        "___chkstk_ms:\n"
        "    pushq %rcx\n"
        "    .seh_pushreg %rcx\n"
        "    pushq %rax\n"
        "    .seh_pushreg %rax\n"
        "    .seh_endprologue\n"
        "    leaq 24(%rsp), %rcx\n"
        "1:  cmpq $0x1000, %rax\n"
        "    jbe 2f\n"
        "    subq $0x1000, %rcx\n"
        "    testb $0, (%rcx)\n"
        "    subq $0x1000, %rax\n"
        "    jmp 1b\n"
        "2:  subq %rax, %rcx\n"
        "    testb $0, (%rcx)\n"
        "    popq %rax\n"
        "    popq %rcx\n"
        "    retq\n"
        "    .seh_endproc\n");

"""Processor state: exceptions and their contexts, the tables of unwinding, and what gs and the shared page show (x64).

CONTEXT, EXCEPTION_RECORD, RUNTIME_FUNCTION and DISPATCHER_CONTEXT as winnt.h and the "x64 exception handling" page have them;
KUSER_SHARED_DATA and KPCR as ntddk.h and wdm.h do. Of KPRCB, which follows KPCR, no public header tells more than the two members
that inlined routines read, gs:[0x184] and gs:[0x188]; where MxCsr, Number and the idle thread lie is a model choice.
"""

from __future__ import annotations

from dirql.hosts.sys.nt_structs import base as base  # its structures are members here
from dirql.hosts.sys.structs import Struct

__all__ = [
    "CONTEXT", "DISPATCHER_CONTEXT", "EXCEPTION_POINTERS", "EXCEPTION_RECORD", "KPCR", "KPRCB", "KUSER_SHARED_DATA", "M128A",
    "NT_TIB", "RUNTIME_FUNCTION", "XSAVE_FORMAT",
]  # fmt: skip


class M128A(Struct, align=16):
    """A register of 128 bits."""

    c = "ULONGLONG Low; LONGLONG High;"


class XSAVE_FORMAT(Struct, align=16):
    """What FXSAVE stores."""

    c = """
        USHORT ControlWord; USHORT StatusWord; UCHAR TagWord; UCHAR Reserved1; USHORT ErrorOpcode;
        ULONG ErrorOffset; USHORT ErrorSelector; USHORT Reserved2; ULONG DataOffset; USHORT DataSelector; USHORT Reserved3;
        ULONG MxCsr; ULONG MxCsr_Mask; M128A FloatRegisters[8]; M128A XmmRegisters[16]; UCHAR Reserved4[96];
    """


class CONTEXT(Struct, align=16):
    """The registers of a thread."""

    c = """
        ULONG64 P1Home; ULONG64 P2Home; ULONG64 P3Home; ULONG64 P4Home; ULONG64 P5Home; ULONG64 P6Home;
        ULONG ContextFlags; ULONG MxCsr;
        USHORT SegCs; USHORT SegDs; USHORT SegEs; USHORT SegFs; USHORT SegGs; USHORT SegSs; ULONG EFlags;
        ULONG64 Dr0; ULONG64 Dr1; ULONG64 Dr2; ULONG64 Dr3; ULONG64 Dr6; ULONG64 Dr7;
        ULONG64 Rax; ULONG64 Rcx; ULONG64 Rdx; ULONG64 Rbx; ULONG64 Rsp; ULONG64 Rbp; ULONG64 Rsi; ULONG64 Rdi;
        ULONG64 R8; ULONG64 R9; ULONG64 R10; ULONG64 R11; ULONG64 R12; ULONG64 R13; ULONG64 R14; ULONG64 R15;
        ULONG64 Rip;
        union {
            XSAVE_FORMAT FltSave;
            struct {
                M128A Header[2]; M128A Legacy[8];
                M128A Xmm0; M128A Xmm1; M128A Xmm2; M128A Xmm3; M128A Xmm4; M128A Xmm5; M128A Xmm6; M128A Xmm7;
                M128A Xmm8; M128A Xmm9; M128A Xmm10; M128A Xmm11; M128A Xmm12; M128A Xmm13; M128A Xmm14; M128A Xmm15;
            };
        };
        M128A VectorRegister[26]; ULONG64 VectorControl;
        ULONG64 DebugControl; ULONG64 LastBranchToRip; ULONG64 LastBranchFromRip;
        ULONG64 LastExceptionToRip; ULONG64 LastExceptionFromRip;
    """


class EXCEPTION_RECORD(Struct):
    """What happened, and where."""

    c = """
        NTSTATUS ExceptionCode; ULONG ExceptionFlags; struct _EXCEPTION_RECORD *ExceptionRecord; PVOID ExceptionAddress;
        ULONG NumberParameters; ULONG_PTR ExceptionInformation[15];
    """


class EXCEPTION_POINTERS(Struct):
    """What an exception filter is handed."""

    c = "EXCEPTION_RECORD *ExceptionRecord; CONTEXT *ContextRecord;"


class RUNTIME_FUNCTION(Struct):
    """A function's row in .pdata, as offsets from the image."""

    c = "ULONG BeginAddress; ULONG EndAddress; ULONG UnwindData;"


class DISPATCHER_CONTEXT(Struct):
    """What a language's handler is told of the frame that it handles."""

    c = """
        ULONG64 ControlPc; ULONG64 ImageBase; RUNTIME_FUNCTION *FunctionEntry; ULONG64 EstablisherFrame; ULONG64 TargetIp;
        CONTEXT *ContextRecord; PVOID LanguageHandler; PVOID HandlerData; PVOID HistoryTable; ULONG ScopeIndex; ULONG Fill0;
    """


class NT_TIB(Struct):
    """The head of a thread's block in user mode, and of the processor's in the kernel."""

    c = """
        PVOID ExceptionList; PVOID StackBase; PVOID StackLimit; PVOID SubSystemTib; union { PVOID FiberData; ULONG Version; };
        PVOID ArbitraryUserPointer; struct _NT_TIB *Self;
    """


class KPCR(Struct):
    """A processor's own page, at gs:[0]; a KPRCB follows it, at gs:[0x180]."""

    c = """
        union {
            NT_TIB NtTib;
            struct {
                PVOID GdtBase; PVOID TssBase; ULONG64 UserRsp; struct _KPCR *Self; struct _KPRCB *CurrentPrcb;
                PVOID LockArray; PVOID Used_Self;
            };
        };
        PVOID IdtBase; ULONG64 Unused[2];
        KIRQL Irql; UCHAR SecondLevelCacheAssociativity; UCHAR ObsoleteNumber; UCHAR Fill0; ULONG Unused0[3];
        USHORT MajorVersion; USHORT MinorVersion; ULONG StallScaleFactor; PVOID Unused1[3];
        ULONG KernelReserved[15]; ULONG SecondLevelCacheSize; ULONG HalReserved[16]; ULONG Unused2;
        PVOID KdVersionBlock; PVOID Unused3; ULONG PcrAlign1[24];
    """


class KPRCB(Struct):
    """The beginning of a processor's control block."""

    c = """
        ULONG MxCsr; UCHAR LegacyNumber; UCHAR ReservedMustBeZero; BOOLEAN InterruptRequest; BOOLEAN IdleHalt;
        PVOID CurrentThread; PVOID NextThread; PVOID IdleThread; UCHAR NestingLevel; UCHAR ClockOwner; UCHAR PendingTickFlags;
        UCHAR IdleState; ULONG Number;
    """


class KUSER_SHARED_DATA(Struct):
    """The page that everybody may read, at 0xFFFFF78000000000 in the kernel: times, versions and counts of its public part."""

    c = """
        ULONG TickCountLowDeprecated; ULONG TickCountMultiplier;
        KSYSTEM_TIME InterruptTime; KSYSTEM_TIME SystemTime; KSYSTEM_TIME TimeZoneBias;
        USHORT ImageNumberLow; USHORT ImageNumberHigh; WCHAR NtSystemRoot[260];
        ULONG MaxStackTraceDepth; ULONG CryptoExponent; ULONG TimeZoneId; ULONG LargePageMinimum;
        ULONG AitSamplingValue; ULONG AppCompatFlag; ULONGLONG RNGSeedVersion; ULONG GlobalValidationRunlevel;
        LONG TimeZoneBiasStamp; ULONG NtBuildNumber;
        ENUM NtProductType; BOOLEAN ProductTypeIsValid; BOOLEAN Reserved0[1]; USHORT NativeProcessorArchitecture;
        ULONG NtMajorVersion; ULONG NtMinorVersion; BOOLEAN ProcessorFeatures[64];
        ULONG Reserved1; ULONG Reserved3; ULONG TimeSlip; ENUM AlternativeArchitecture; ULONG BootId;
        LARGE_INTEGER SystemExpirationDate; ULONG SuiteMask; BOOLEAN KdDebuggerEnabled; UCHAR MitigationPolicies;
        USHORT CyclesPerYield; ULONG ActiveConsoleId; ULONG DismountCount; ULONG ComPlusPackage;
        ULONG LastSystemRITEventTickCount; ULONG NumberOfPhysicalPages; BOOLEAN SafeBootMode;
        UCHAR VirtualizationFlags; UCHAR Reserved12[2];
        ULONG SharedDataFlags; ULONG DataFlagsPad[1]; ULONGLONG TestRetInstruction; LONGLONG QpcFrequency; ULONG SystemCall;
        ULONG Reserved2; ULONGLONG SystemCallPad[2];
        union { KSYSTEM_TIME TickCount; ULONG64 TickCountQuad; ULONG TickCountPad[4]; };
        ULONG Cookie; ULONG CookiePad[1]; LONGLONG ConsoleSessionForegroundProcessId; ULONGLONG TimeUpdateLock;
        ULONGLONG BaselineSystemTimeQpc; ULONGLONG BaselineInterruptTimeQpc; ULONGLONG QpcSystemTimeIncrement;
        ULONGLONG QpcInterruptTimeIncrement; UCHAR QpcSystemTimeIncrementShift; UCHAR QpcInterruptTimeIncrementShift;
        USHORT UnparkedProcessorCount; ULONG EnclaveFeatureMask[4]; ULONG TelemetryCoverageRound; USHORT UserModeGlobalLogger[16];
        ULONG ImageFileExecutionOptions; ULONG LangGenerationCount; ULONGLONG Reserved4; ULONG64 InterruptTimeBias;
        ULONG64 QpcBias; ULONG ActiveProcessorCount; UCHAR ActiveGroupCount; UCHAR Reserved9; USHORT QpcData;
        LARGE_INTEGER TimeZoneBiasEffectiveStart; LARGE_INTEGER TimeZoneBiasEffectiveEnd;
    """

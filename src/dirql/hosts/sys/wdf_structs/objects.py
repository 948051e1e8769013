"""Binding to the framework, drivers, objects and their contexts (facts §6.2)."""

from __future__ import annotations

from dirql.hosts.sys.structs import Struct

__all__ = [
    "WDF_BIND_INFO", "WDF_BIND_INFO2", "WDF_CLASS_BIND_INFO", "WDF_CUSTOM_TYPE_CONTEXT", "WDF_DRIVER_CONFIG",
    "WDF_DRIVER_GLOBALS", "WDF_DRIVER_VERSION_AVAILABLE_PARAMS", "WDF_OBJECT_ATTRIBUTES", "WDF_OBJECT_CONTEXT_TYPE_INFO",
]  # fmt: skip


class WDF_BIND_INFO(Struct):
    """What a driver's stub hands to WdfVersionBind; FuncTable is an array, or since KMDF 1.15 where its address goes."""

    c = """
        ULONG Size; PVOID Component; struct { ULONG Major; ULONG Minor; ULONG Build; } Version; ULONG FuncCount;
        PVOID FuncTable; PVOID Module;
    """


class WDF_BIND_INFO2(Struct):
    """The bind information of stubs since KMDF 1.25 that can run on an older framework."""

    c = """
        WDF_BIND_INFO V1; ULONG *MinimumVersionRequired; BOOLEAN *ClientVersionHigherThanFramework;
        ULONG *FuncCount; ULONG *StructCount; SIZE_T *StructTable;
    """


class WDF_CLASS_BIND_INFO(Struct):
    """How a driver binds to a class extension."""

    c = """
        ULONG Size; PVOID ClassName; struct { ULONG Major; ULONG Minor; ULONG Build; } Version;
        PVOID FunctionTable; ULONG FunctionTableCount; PVOID ClassBindInfo; PVOID ClientBindClass; PVOID ClientUnbindClass;
        PVOID ClassModule;
    """


class WDF_DRIVER_GLOBALS(Struct):
    """The first argument of every framework routine."""

    c = "PVOID Driver; ULONG DriverFlags; ULONG DriverTag; CHAR DriverName[32]; BOOLEAN DisplaceDriverUnload;"


class WDF_DRIVER_CONFIG(Struct):
    """For WdfDriverCreate."""

    c = "ULONG Size; PVOID EvtDriverDeviceAdd; PVOID EvtDriverUnload; ULONG DriverInitFlags; ULONG DriverPoolTag;"


class WDF_DRIVER_VERSION_AVAILABLE_PARAMS(Struct):
    """For WdfDriverIsVersionAvailable."""

    c = "ULONG Size; ULONG MajorVersion; ULONG MinorVersion;"


class WDF_OBJECT_ATTRIBUTES(Struct):
    """For every routine that creates an object."""

    c = """
        ULONG Size; PVOID EvtCleanupCallback; PVOID EvtDestroyCallback; ENUM ExecutionLevel; ENUM SynchronizationScope;
        PVOID ParentObject; SIZE_T ContextSizeOverride; struct _WDF_OBJECT_CONTEXT_TYPE_INFO *ContextTypeInfo;
    """


class WDF_OBJECT_CONTEXT_TYPE_INFO(Struct):
    """A type of context; known by its UniqueType's address."""

    c = """
        ULONG Size; CHAR *ContextName; SIZE_T ContextSize; struct _WDF_OBJECT_CONTEXT_TYPE_INFO *UniqueType;
        PVOID EvtDriverGetUniqueContextType;
    """


class WDF_CUSTOM_TYPE_CONTEXT(Struct):
    """The context of a custom type."""

    c = "ULONG Size; ULONG_PTR Data;"

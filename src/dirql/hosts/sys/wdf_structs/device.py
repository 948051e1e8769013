"""Devices: Plug and Play, power, interfaces (facts §6.2)."""

from __future__ import annotations

from dirql.hosts.sys import nt_structs as nt_structs  # its structures are members here
from dirql.hosts.sys.structs import Struct

__all__ = [
    "WDF_DEVICE_PNP_CAPABILITIES", "WDF_DEVICE_PNP_NOTIFICATION_DATA", "WDF_DEVICE_POWER_CAPABILITIES",
    "WDF_DEVICE_POWER_NOTIFICATION_DATA", "WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS",
    "WDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA", "WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS", "WDF_DEVICE_PROPERTY_DATA",
    "WDF_DEVICE_STATE", "WDF_FDO_EVENT_CALLBACKS", "WDF_FILEOBJECT_CONFIG", "WDF_IO_TYPE_CONFIG", "WDF_PDO_EVENT_CALLBACKS",
    "WDF_PNPPOWER_EVENT_CALLBACKS", "WDF_POWER_POLICY_EVENT_CALLBACKS", "WDF_QUERY_INTERFACE_CONFIG",
    "WDF_REMOVE_LOCK_OPTIONS",
]  # fmt: skip


class WDF_PNPPOWER_EVENT_CALLBACKS(Struct):
    """For WdfDeviceInitSetPnpPowerEventCallbacks; up to KMDF 1.9 without the last."""

    c = """
        ULONG Size; PVOID EvtDeviceD0Entry; PVOID EvtDeviceD0EntryPostInterruptsEnabled; PVOID EvtDeviceD0Exit;
        PVOID EvtDeviceD0ExitPreInterruptsDisabled; PVOID EvtDevicePrepareHardware; PVOID EvtDeviceReleaseHardware;
        PVOID EvtDeviceSelfManagedIoCleanup; PVOID EvtDeviceSelfManagedIoFlush; PVOID EvtDeviceSelfManagedIoInit;
        PVOID EvtDeviceSelfManagedIoSuspend; PVOID EvtDeviceSelfManagedIoRestart; PVOID EvtDeviceSurpriseRemoval;
        PVOID EvtDeviceQueryRemove; PVOID EvtDeviceQueryStop; PVOID EvtDeviceUsageNotification;
        PVOID EvtDeviceRelationsQuery; PVOID EvtDeviceUsageNotificationEx;
    """


class WDF_POWER_POLICY_EVENT_CALLBACKS(Struct):
    """For WdfDeviceInitSetPowerPolicyEventCallbacks."""

    c = """
        ULONG Size; PVOID EvtDeviceArmWakeFromS0; PVOID EvtDeviceDisarmWakeFromS0; PVOID EvtDeviceWakeFromS0Triggered;
        PVOID EvtDeviceArmWakeFromSx; PVOID EvtDeviceDisarmWakeFromSx; PVOID EvtDeviceWakeFromSxTriggered;
        PVOID EvtDeviceArmWakeFromSxWithReason;
    """


class WDF_FDO_EVENT_CALLBACKS(Struct):
    """For WdfFdoInitSetEventCallbacks."""

    c = """
        ULONG Size; PVOID EvtDeviceFilterAddResourceRequirements; PVOID EvtDeviceFilterRemoveResourceRequirements;
        PVOID EvtDeviceRemoveAddedResources;
    """


class WDF_PDO_EVENT_CALLBACKS(Struct):
    """For WdfPdoInitSetEventCallbacks."""

    c = """
        ULONG Size; PVOID EvtDeviceResourcesQuery; PVOID EvtDeviceResourceRequirementsQuery; PVOID EvtDeviceEject;
        PVOID EvtDeviceSetLock; PVOID EvtDeviceEnableWakeAtBus; PVOID EvtDeviceDisableWakeAtBus; PVOID EvtDeviceReportedMissing;
    """


class WDF_FILEOBJECT_CONFIG(Struct):
    """For WdfDeviceInitSetFileObjectConfig."""

    c = """
        ULONG Size; PVOID EvtDeviceFileCreate; PVOID EvtFileClose; PVOID EvtFileCleanup;
        ENUM AutoForwardCleanupClose; ENUM FileObjectClass;
    """


class WDF_IO_TYPE_CONFIG(Struct):
    """For WdfDeviceInitSetIoTypeEx."""

    c = "ULONG Size; ENUM ReadWriteIoType; ENUM DeviceControlIoType; ULONG DirectTransferThreshold;"


class WDF_REMOVE_LOCK_OPTIONS(Struct):
    """For WdfDeviceInitSetRemoveLockOptions."""

    c = "ULONG Size; ULONG Flags;"


class WDF_DEVICE_STATE(Struct):
    """For WdfDeviceSetDeviceState; before KMDF 1.31 without the last."""

    c = """
        ULONG Size; ENUM Disabled; ENUM DontDisplayInUI; ENUM Failed; ENUM NotDisableable; ENUM Removed;
        ENUM ResourcesChanged; ENUM AssignedToGuest;
    """


class WDF_DEVICE_PNP_CAPABILITIES(Struct):
    """For WdfDeviceSetPnpCapabilities."""

    c = """
        ULONG Size; ENUM LockSupported; ENUM EjectSupported; ENUM Removable; ENUM DockDevice; ENUM UniqueID;
        ENUM SilentInstall; ENUM SurpriseRemovalOK; ENUM HardwareDisabled; ENUM NoDisplayInUI; ULONG Address; ULONG UINumber;
    """


class WDF_DEVICE_POWER_CAPABILITIES(Struct):
    """For WdfDeviceSetPowerCapabilities."""

    c = """
        ULONG Size; ENUM DeviceD1; ENUM DeviceD2; ENUM WakeFromD0; ENUM WakeFromD1; ENUM WakeFromD2; ENUM WakeFromD3;
        ENUM DeviceState[7]; ENUM DeviceWake; ENUM SystemWake; ULONG D1Latency; ULONG D2Latency; ULONG D3Latency;
        ENUM IdealDxStateForSx;
    """


class WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS(Struct):
    """For WdfDeviceAssignS0IdleSettings."""

    c = """
        ULONG Size; ENUM IdleCaps; ENUM DxState; ULONG IdleTimeout; ENUM UserControlOfIdleSettings; ENUM Enabled;
        ENUM PowerUpIdleDeviceOnSystemWake; ENUM IdleTimeoutType; ENUM ExcludeD3Cold;
    """


class WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS(Struct):
    """For WdfDeviceAssignSxWakeSettings."""

    c = """
        ULONG Size; ENUM DxState; ENUM UserControlOfWakeSettings; ENUM Enabled;
        BOOLEAN ArmForWakeIfChildrenAreArmedForWake; BOOLEAN IndicateChildWakeOnParentWake;
    """


# One shape under three names: a state machine went from one state to another.
_NOTIFICATION = """
    ENUM Type;
    union {
        struct { ENUM CurrentState; ENUM NewState; } EnterState;
        struct { ENUM CurrentState; } PostProcessState;
        struct { ENUM CurrentState; ENUM NewState; } LeaveState;
    } Data;
"""


class WDF_DEVICE_PNP_NOTIFICATION_DATA(Struct):
    """For a callback on the Plug and Play states."""

    c = _NOTIFICATION


class WDF_DEVICE_POWER_NOTIFICATION_DATA(Struct):
    """For a callback on the power states."""

    c = _NOTIFICATION


class WDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA(Struct):
    """For a callback on the power policy states."""

    c = _NOTIFICATION


class WDF_DEVICE_PROPERTY_DATA(Struct):
    """For WdfDeviceAssignProperty and WdfDeviceAllocAndQueryPropertyEx."""

    c = "ULONG Size; PVOID PropertyKey; ULONG Lcid; ULONG Flags;"


class WDF_QUERY_INTERFACE_CONFIG(Struct):
    """For WdfDeviceAddQueryInterface."""

    c = """
        ULONG Size; INTERFACE *Interface; GUID *InterfaceType; BOOLEAN SendQueryToParentStack;
        PVOID EvtDeviceProcessQueryInterfaceRequest; ENUM ImportInterface;
    """

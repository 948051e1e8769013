"""NTSTATUS values, their names, and the exception."""

from __future__ import annotations

import pytest

from dirql import ntstatus


@pytest.mark.parametrize(
    ("status", "name", "success"),
    [
        (0, "STATUS_SUCCESS", True), (0x102, "STATUS_TIMEOUT", True), (0x103, "STATUS_PENDING", True),
        (0x8000_0005, "STATUS_BUFFER_OVERFLOW", False), (0xC000_000D, "STATUS_INVALID_PARAMETER", False),
        (-0x3FFF_FFF3, "STATUS_INVALID_PARAMETER", False), (0xC000_00EF, "STATUS_INVALID_PARAMETER_1", False),
        (0xC000_00F8, "STATUS_INVALID_PARAMETER_10", False), (0xC000_0182, "STATUS_DEVICE_CONFIGURATION_ERROR", False),
        (0xC020_0209, "STATUS_WDF_OBJECT_ATTRIBUTES_INVALID", False), (0xC0DE_0001, "0xc0de0001", False),
        (0x4000_0000, "STATUS_OBJECT_NAME_EXISTS", True), (0x4000_0001, "0x40000001", True),
    ],
)  # fmt: skip
def test_a_status_has_a_name_and_a_sense(status: int, name: str, success: bool) -> None:
    assert (ntstatus.name_of(status), ntstatus.nt_success(status)) == (name, success)


def test_every_status_is_exported_once_and_fits_32_bits() -> None:
    values = {name: getattr(ntstatus, name) for name in vars(ntstatus) if name.startswith("STATUS_")}
    assert len(set(values.values())) == len(values)
    assert set(values) <= set(ntstatus.__all__)
    assert all(0 <= value < 1 << 32 for value in values.values())


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ntstatus.StatusError(0xC000_009A, "no vectors"), "STATUS_INSUFFICIENT_RESOURCES (0xc000009a): no vectors"),
        (ntstatus.StatusError(0xC000_009A), "STATUS_INSUFFICIENT_RESOURCES (0xc000009a)"),
        (ntstatus.StatusError(0xC0DE_0001, "own"), "0xc0de0001: own"),
    ],
)
def test_a_status_error_tells_name_value_and_reason(error: ntstatus.StatusError, text: str) -> None:
    assert str(error) == text

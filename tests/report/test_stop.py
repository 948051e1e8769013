"""How a run ended early, as text."""

from __future__ import annotations

from dirql.kernel.stop import BugCheck, Details, Hang, Stop
from dirql.report.page import Page
from dirql.report.stop import show_stop

DETAILS = Details("mov dword ptr [rcx], 5", {"rax": 1, "rcx": 0x18, "rip": 0xFFFF_F801_0000_24CC, "eflags": 0x246},
                  ("nic.sys!EvtIsr+0x1a (nic.c:12)", "--- cpu3, interrupt3 ---"))  # fmt: skip


def shown(stop: Stop | None, width: int = 80) -> list[str]:
    page = Page(False, width)
    show_stop(page, stop.as_json() if stop is not None else None)
    return page.text().split("\n")


def test_a_bugcheck_of_an_image_shows_its_calls_and_the_processor() -> None:
    stop = BugCheck(0xD1, 0x18, 5, 1, 0xFFFF_F801_0000_24CC, why="writes 0x18: a NULL pointer")
    stop.details = DETAILS
    assert shown(stop) == [
        "",
        "Bugcheck",
        "  DRIVER_IRQL_NOT_LESS_OR_EQUAL (d1), arguments 0x18, 0x5, 0x1,",
        "    0xfffff801000024cc",
        "  writes 0x18: a NULL pointer",
        "",
        "Stack  the innermost call first",
        "  nic.sys!EvtIsr+0x1a (nic.c:12)",
        "  --- cpu3, interrupt3 ---",
        "",
        "Processor  mov dword ptr [rcx], 5",
        "  rax=0000000000000001 rcx=0000000000000018 rip=fffff801000024cc",
        "       eflags=00000246",
    ]


def test_a_hang_of_a_python_driver_has_neither() -> None:
    assert shown(Hang("deadlock", "cpu0 spins")) == ["", "Hang  deadlock", "  cpu0 spins"]


def test_a_run_that_went_to_its_end_shows_nothing() -> None:
    assert shown(None) == [""]


def test_a_narrow_page_has_one_register_to_a_line() -> None:
    stop = BugCheck(0xD1, why="x")
    stop.details = DETAILS
    assert shown(stop, 24)[-4:] == [
        "  rax=0000000000000001", "  rcx=0000000000000018", "  rip=fffff801000024cc", "       eflags=00000246",
    ]  # fmt: skip

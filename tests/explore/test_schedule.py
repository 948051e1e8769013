"""A schedule is a value that one can print and paste."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirql.errors import UsageError
from dirql.explore import Decision, Schedule
from dirql.explore.schedule import path_of

NUMBERS = st.lists(st.integers(0, 3) | st.integers(0, 999_999), max_size=40)
CHOICES = NUMBERS.map(lambda taken: (*taken, 1) if taken else ())
HASH = st.text("0123456789abcdef", min_size=8, max_size=8)
KEYS = st.dictionaries(st.text("abc-", min_size=1, max_size=5), st.text("aZ09_+-", min_size=1, max_size=8), max_size=3)


@given(CHOICES, HASH, HASH, KEYS)
def test_what_was_printed_can_be_pasted(choices: tuple[int, ...], basis: str, path: str, keys: dict[str, str]) -> None:
    for schedule in (Schedule(choices, basis, path, keys), Schedule(choices, keys=keys)):
        assert Schedule.parse(str(schedule)) == schedule


@given(st.text(max_size=30) | st.text("0123456789.:@,=abcdef", max_size=30))
def test_anything_else_is_a_usage_error_or_a_schedule(text: str) -> None:
    try:
        schedule = Schedule.parse(text)
    except UsageError as problem:
        assert str(problem).startswith("schedule ")
    else:
        assert Schedule.parse(str(schedule)) == schedule


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "schedule : '' is no choice; write numbers with dots, as in 0.1.1.0:4.2"),
        ("0.x", "schedule 0.x: 'x' is no choice; write numbers with dots, as in 0.1.1.0:4.2"),
        ("1@12", "schedule 1@12: '12' is not BASIS.PATH; paste the whole of what explore printed"),
        ("1,from", "schedule 1,from: 'from' is no key=value; paste the whole of what explore printed"),
        ("0:999999.0:999999", "schedule 0:999999.0:999999: more than 1000000 choices; paste one that explore printed"),
    ],
)
def test_what_is_no_schedule_says_what_to_write(text: str, why: str) -> None:
    with pytest.raises(UsageError) as problem:
        Schedule.parse(text)
    assert str(problem.value) == why


@pytest.mark.parametrize(
    ("choices", "text"),
    [((), "0"), ((0, 1, 1, 0, 2), "0.1.1.0.2"), ((0,) * 37 + (1,), "0:37.1"), ((2,) * 4 + (1, 0, 0, 0, 1), "2:4.1.0.0.0.1")],
)
def test_equal_choices_in_a_row_are_written_once(choices: tuple[int, ...], text: str) -> None:
    assert str(Schedule(choices)) == text


def test_the_path_hashes_options_and_choices_but_not_what_came_before_them() -> None:
    one = Decision(("cpu0", "cpu1"), 1)
    assert path_of([one]) == path_of([one._replace(before="KeRaiseIrql")])
    others = [[], [one], [one._replace(taken=0)], [one._replace(ids=("cpu0", "cpu2"))]]
    assert len({path_of(other) for other in others}) == 4

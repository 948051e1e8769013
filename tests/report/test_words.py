"""Numbers, sets and runs as the report writes them."""

from __future__ import annotations

import pytest

from dirql.report.words import clean, compressed, count, plural, ranges, serves


@pytest.mark.parametrize(("numbers", "words"), [((), "-"), ((3,), "3"), ((0, 1, 2, 5), "0-2, 5"), ((5, 4, 5), "4-5")])
def test_a_set_is_written_as_ranges(numbers: tuple[int, ...], words: str) -> None:
    assert ranges(numbers) == words


@pytest.mark.parametrize(("number", "words"), [(0, "-"), (7, "7"), (1234567, "1,234,567")])
def test_a_count_has_separators_and_nothing_is_a_dash(number: int, words: str) -> None:
    assert count(number) == words


@pytest.mark.parametrize(("number", "words"), [(0, "0 reads"), (1, "1 read"), (2000, "2,000 reads")])
def test_one_thing_is_singular(number: int, words: str) -> None:
    assert plural(number, "read") == words


@pytest.mark.parametrize(("sources", "words"), [
    (("queue 0",), "queue 0"),
    (("queue 0, queue 1", "queue 2", "admin"), "queues 0-2, admin"),
    (("queues [0, 4]", "admin"), "queues [0, 4], admin"),
    (("admin", "lane 3", "lane 5"), "admin, lane 3, 5"),
    ((), ""),
])  # fmt: skip
def test_numbered_sources_are_told_together(sources: tuple[str, ...], words: str) -> None:
    assert serves(sources) == words


@pytest.mark.parametrize(("words", "told"), [
    ([], []), (["a"], ["a"]), (["a", "a", "a", "b"], ["a ×3", "b"]), (["a", "b", "a", "b"], ["(a → b) ×2"]),
    (["x", *["d", "e", "e", "f"] * 3, "y"], ["x", "(d → e ×2 → f) ×3", "y"]),
])  # fmt: skip
def test_repeated_callbacks_are_told_once(words: list[str], told: list[str]) -> None:
    assert compressed(words) == told


def test_a_terminal_obeys_nothing_that_a_driver_says() -> None:
    assert clean("a\x1b[2Jb\n") == "a�[2Jb�"

"""The cards of the examples and of the corpus take whatever a driver writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.hosts.python import load_object
from dirql.system import System

HERE = Path(__file__).parents[2]


@pytest.mark.parametrize("folder", ["examples/explore", "tests/corpus/cards"])
@pytest.mark.parametrize(("queue", "left"), [(0, ["queue 1: 1 jobs"]), (1, ["queue 0: 1 jobs"]), (2, None), (3, None)])
def test_the_register_of_a_queue_that_the_card_has_not_does_nothing(folder: str, queue: int, left: list[str] | None) -> None:
    card = System().plug(load_object("jobs.py:Jobs", HERE / folder)(queues=2))
    card.config_write(0x04, 2, 0x0002)  # memory space
    for number in range(2):
        card.submit(number)
    card.bar_write(0, 0x10 + 4 * queue, 4, 5)
    assert card.unserved() == (left or ["queue 0: 1 jobs", "queue 1: 1 jobs"])

"""Makes a failing schedule small: the fewest choices that are not what would have happened anyway, failing in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dirql.explore.outcome import Outcome
from dirql.explore.root import Root
from dirql.explore.tactics import Follow

__all__ = ["shrink"]

Choices = tuple[int, ...]


def shrink(
    root: Root, failing: Outcome, fails: Callable[[Outcome], bool], enough: Callable[[], bool] = lambda: False,
    tries: int = 400,
) -> Outcome:
    """The smallest found in so many tries, or until it is `enough`: one that is smaller and fails as `fails` says, again and
    again until none is."""
    best = failing
    seen = {_trimmed(best.choices)}
    progress = True
    while progress:
        progress = False
        for candidate in _smaller(_trimmed(best.choices)):
            if candidate in seen:
                continue
            if not tries or enough():
                return best
            seen.add(candidate)
            tries -= 1
            outcome = root.play(Follow(candidate))
            if not outcome.abandoned and fails(outcome) and _size(outcome.choices) < _size(best.choices):
                best, progress = outcome, True
                break
    return best


def _smaller(choices: Choices) -> Iterator[Choices]:
    """Shorter ones first, then with one deviation less, then with a deviation at another place or by a lower number."""
    taken = [i for i, number in enumerate(choices) if number]
    half = len(taken) // 2
    while half:
        for start in range(0, len(taken), half):
            gone = set(taken[start : start + half])
            yield _trimmed(tuple(0 if i in gone else number for i, number in enumerate(choices)))
        half //= 2
    for i in taken:
        yield _trimmed((*choices[:i], *choices[i + 1 :]))
    for i in taken:
        for number in range(1, choices[i]):
            yield (*choices[:i], number, *choices[i + 1 :])
    for i in range(len(choices)):
        if not choices[i]:
            yield (*choices[:i], *choices[i + 1 :])


def _size(choices: Choices) -> tuple[int, int, int]:
    choices = _trimmed(choices)
    return sum(map(bool, choices)), len(choices), sum(choices)


def _trimmed(choices: Choices) -> Choices:
    end = len(choices)
    while end and not choices[end - 1]:
        end -= 1
    return choices[:end]

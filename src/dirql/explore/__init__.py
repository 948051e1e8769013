"""Every order of events: schedules as values, searches over them, and what fails, made small."""

from dirql.explore.depth_first import DepthFirst
from dirql.explore.explorer import Explorer, Found, Unstable
from dirql.explore.outcome import Failure, Outcome
from dirql.explore.root import Forked, Rewound, Root, Scratch, root_of
from dirql.explore.schedule import Decision, Schedule
from dirql.explore.search import PctSearch, RandomSearch, RoundRobinSearch, Search
from dirql.explore.tactics import Follow, Natural
from dirql.explore.trial import Plan, Trial

__all__ = [
    "Decision", "DepthFirst", "Explorer", "Failure", "Follow", "Forked", "Found", "Natural", "Outcome", "PctSearch", "Plan",
    "RandomSearch", "Rewound", "Root", "RoundRobinSearch", "Schedule", "Scratch", "Search", "Trial", "Unstable", "root_of",
]  # fmt: skip

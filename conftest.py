"""What every test gets: property tests that are the same everywhere, without deadlines and without a database on disk."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "dirql",
    database=None,
    deadline=None,  # no test has a timing limit
    derandomize=True,  # the same inputs on every machine: a failure here is a failure there
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("dirql")

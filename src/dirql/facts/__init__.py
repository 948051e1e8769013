"""Facts with a source each, as tables; the first line of every table names where it comes from."""

from dirql.facts.routines import Routine, routine, routines

__all__ = ["Routine", "routine", "routines"]

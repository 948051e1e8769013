"""What makes a driver wrong: the rules, as data, and the checks that need more than one place of a run to see it."""

from dirql.verify.rule import Rule, rule, rules

__all__ = ["Rule", "rule", "rules"]

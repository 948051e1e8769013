"""The figures of the README's performance table, measured on this machine beside their peers."""

from dirql.bench.command import bench
from dirql.bench.figures import FIGURES

__all__ = ["FIGURES", "bench"]

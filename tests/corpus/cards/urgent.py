"""The card of jobs.py under another device ID: its INF gives it a higher priority."""

from jobs import Jobs


class Urgent(Jobs, device=0x1112):
    """The same in all else."""

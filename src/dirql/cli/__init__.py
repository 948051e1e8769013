"""The command line: `dirql`, one module per command. What a command needs is imported when it runs."""

from dirql.cli.app import main

__all__ = ["main"]

"""From C to a `.sys` on any system, with the compiler that pip installs."""

from dirql.build.driver import Built, build_driver, input_files
from dirql.build.errors import BuildError, CompileError

__all__ = ["BuildError", "Built", "CompileError", "build_driver", "input_files"]

"""The Python host: finds a driver class or a model in a file of the user's, and says what is wrong with it in one line."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from dirql.errors import DirqlError, InputError, UsageError
from dirql.wdf.driver import Driver

__all__ = ["load_object", "load_python_driver"]


def load_object(reference: str, base: Path, kind: type | None = None) -> Any:
    """What `file.py:Name` names; relative to `base`. Without `:Name` the file's only class of `kind`."""
    file, _, name = reference.partition(":")
    path = base / file
    module = _load(path)
    if name:
        if not hasattr(module, name):
            names = ", ".join(n for n, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__)
            raise InputError(str(path), "", f"there is no {name!r}", f"it defines {names or 'no class'}")
        return getattr(module, name)
    found = [
        v for v in vars(module).values()
        if inspect.isclass(v) and v.__module__ == module.__name__ and (kind is None or issubclass(v, kind))
    ]  # fmt: skip
    if len(found) != 1:
        names = ", ".join(c.__name__ for c in found) or "none"
        what = kind.__name__ if kind is not None else "class"
        raise InputError(str(path), "", f"one {what} is wanted and it defines {names}", f"write {file}:NAME")
    return found[0]


def load_python_driver(reference: str, base: Path) -> type[Driver]:
    """The `Driver` subclass that `file.py:Class` (or `file.py`) names."""
    found = load_object(reference, base, Driver)
    file, _, name = reference.partition(":")
    if not (inspect.isclass(found) and issubclass(found, Driver)):
        raise InputError(str(base / file), _line_of(found), f"{name} is no dirql.wdf.Driver subclass", "name one that is")
    try:
        found.require_callbacks()
    except UsageError as error:
        raise InputError(str(base / file), _line_of(found), str(error)) from None
    return found


def _load(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(str(path), "", "no such file", "paths are relative to the scenario's folder")
    name = f"_dirql_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(str(path), "", "it is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    known = set(sys.modules)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except DirqlError as error:
        raise _placed(path, str(error)) from None
    except SyntaxError as error:
        where = str(error.lineno) if error.lineno else ""
        raise InputError(str(error.filename or path), where, f"syntax error: {error.msg}", "correct it") from None
    except SystemExit as error:
        remedy = 'put what is not for dirql under if __name__ == "__main__":'
        raise InputError(str(path), _line_in(error, path), f"leaves with sys.exit({error.code!r})", remedy) from None
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        remedy = f"install {error.name} for the Python that runs dirql, or put it beside the file"
        raise InputError(str(path), _line_in(error, path), f"there is no module {error.name}", remedy) from error
    except BaseException as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise InputError(str(path), _line_in(error, path), what, "correct it") from error
    finally:
        sys.path.remove(str(path.parent))
        _forget(set(sys.modules) - known, path.parent)
    return module


def _forget(names: set[str], folder: Path) -> None:
    """The next file's `registers` or `driver` is another one: what was imported from beside this file keeps no name."""
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).parent == folder:
            del sys.modules[name]


def _placed(path: Path, message: str) -> InputError:
    """A message that begins with this file and a line has its place already."""
    file, _, rest = message.partition(":")
    line, _, problem = rest.partition(": ")
    if file == path.name and line.isdigit():
        return InputError(str(path), line, problem)
    return InputError(str(path), "", message)


def _line_in(error: BaseException, path: Path) -> str:
    line, trace = 0, error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).absolute() == path.absolute():
            line = trace.tb_lineno
        trace = trace.tb_next
    return str(line) if line else ""


def _line_of(found: object) -> str:
    """Where a class of a user's file begins."""
    try:
        return str(inspect.getsourcelines(found)[1]) if inspect.isclass(found) or inspect.isfunction(found) else ""
    except (OSError, TypeError):
        return ""

"""Where drivers run: Python classes, and (later) Windows images."""

from dirql.hosts.python import load_object, load_python_driver

__all__ = ["load_object", "load_python_driver"]

"""The device models that ship."""

from dirql.device.models.edu import Edu
from dirql.device.models.mqueue import MultiQueue

__all__ = ["Edu", "MultiQueue"]

"""What a driver image uses, and which of it dirql models, found without running it."""

from dirql.check.image_check import check_file, check_image
from dirql.check.modelled import Modelled, modelled_names
from dirql.check.report import Checked, Lookup, Use

__all__ = ["Checked", "Lookup", "Modelled", "Use", "check_file", "check_image", "modelled_names"]

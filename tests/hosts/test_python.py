"""A user's file with a driver or a model in it, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirql.errors import InputError
from dirql.hosts.python import load_object

MODEL = "from dirql.device import Device\n\n\nclass Card(Device, vendor=1, device=2):\n    def reset(self):\n        pass\n"


@pytest.mark.parametrize(("text", "told"), [
    ("\nraise GeneratorExit\n", "2: GeneratorExit; correct it"),
    ("class Mine(BaseException):\n    pass\n\n\nraise Mine('oh')\n", "5: Mine: oh; correct it"),
    ("import asyncio\nraise asyncio.CancelledError('stop')\n", "2: CancelledError: stop; correct it"),
    (MODEL, "5: Card.reset is dirql's own attribute of a Device; choose another name, or override on_reset"),
])  # fmt: skip
def test_what_a_file_does_wrong_is_told_in_one_line_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "card.py").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        load_object("card.py", tmp_path)
    assert str(caught.value) == f"{tmp_path / 'card.py'}:{told}"


def test_the_users_own_interruption_is_none_of_a_files_mistakes(tmp_path: Path) -> None:
    (tmp_path / "card.py").write_text("raise KeyboardInterrupt\n", "utf-8")
    with pytest.raises(KeyboardInterrupt):
        load_object("card.py", tmp_path)

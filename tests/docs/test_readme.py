"""What the pages show is what the commands print: README.md and docs/*.md. DIRQL_UPDATE_DOCS=1 writes the pages anew."""

from __future__ import annotations

import os

UPDATE = os.environ.get("DIRQL_UPDATE_DOCS") == "1"


def test_a_block_shows_what_its_commands_print(pages, block):
    printed = pages.rewritten(block)
    if UPDATE:
        page = pages.ROOT / block.page
        page.write_text(pages.put(page.read_text("utf-8"), block, printed), "utf-8")
    else:
        assert printed == block.shown


def test_a_table_is_what_the_code_says(pages, table_page):
    page = pages.ROOT / table_page
    text = page.read_text("utf-8")
    made = pages.regenerated(text)
    if UPDATE:
        page.write_text(made, "utf-8")
    else:
        assert made == text


def test_every_link_leads_to_a_file(pages):
    missing = []
    for page in pages.pages():
        for target in pages.LINK.findall(page.read_text("utf-8")):
            if not target.startswith(("http", "#")) and not (page.parent / target.partition("#")[0]).exists():
                missing.append(f"{page.name}: {target}")
    assert missing == []


def test_every_routine_of_the_code_has_a_row(pages):
    page = (pages.ROOT / "docs" / "c-python.md").read_text("utf-8")
    missing = {pages.c_name(row) for row, _ in pages.declared_routines() if f"| `{pages.c_name(row)}` |" not in page}
    assert missing == set()


def test_every_module_with_a_model_choice_is_listed_and_the_other_way_round(pages):
    page = (pages.ROOT / "docs" / "model-choices.md").read_text("utf-8")
    listed = set(pages.SOURCE_NAME.findall(page))
    files = [f for f in sorted(pages.SOURCE.rglob("*")) if f.suffix in (".py", ".csv")]
    saying = {pages.relative(f) for f in files if "model choice" in " ".join(f.read_text("utf-8").lower().split())}
    assert listed == saying

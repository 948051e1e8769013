"""Drivers from the compiler, for each form that KMDF's function table has had, with and without optimisation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dirql.check import check_file

FORMS = [
    ((), "1.33", 458, True),
    (("KMDF_VERSION_MINOR=15",), "1.15", 444, True),
    (("KMDF_VERSION_MINOR=11",), "1.11", 432, False),
    (("KMDF_MINIMUM_VERSION_REQUIRED=25",), "1.33", 458, True),
]


@pytest.mark.parametrize(("defines", "version", "count", "by_pointer"), FORMS)
def test_every_framework_function_that_is_called_is_found_and_no_other(
    compiled: Callable[..., Path], called: set[str], defines: tuple[str, ...], version: str, count: int, by_pointer: bool
) -> None:
    found = check_file(compiled(*defines))
    assert {use.name for use in found.functions} == called
    assert found.unresolved == ()
    assert found.binding is not None
    assert (found.binding.version, found.binding.count, found.binding.by_pointer) == (version, count, by_pointer)


def test_a_call_is_told_by_function_and_line_of_the_driver_and_not_of_the_header(compiled: Callable[..., Path]) -> None:
    uses = {use.name: use for use in check_file(compiled()).functions}
    assert uses["WdfDriverCreate"].count == 1
    (place,) = uses["WdfDriverCreate"].places
    assert place.startswith("card.sys!DriverEntry+0x") and place.endswith("(fast.c:36)")
    assert uses["WdfObjectDelete"].places[0].endswith("(slow.c:13)")


def test_imports_are_modelled_or_not_and_have_places(compiled: Callable[..., Path]) -> None:
    found = check_file(compiled(unknown=True))
    uses = {str(use): use for use in found.imports}
    assert uses["ntoskrnl!DbgPrint"].modelled and uses["ntoskrnl!DbgPrint"].count == 2
    unknown = uses["ntoskrnl!PsWrapApcWow64Thread"]
    assert not unknown.modelled
    assert unknown.places[0].startswith("card.sys!Unknown+0x") and unknown.places[0].endswith("(unknown.c:7)")
    assert not found.modelled


def test_an_index_that_is_worked_out_at_run_time_is_told_with_its_place(compiled: Callable[..., Path]) -> None:
    ((place, why),) = check_file(compiled(unknown=True)).unresolved
    assert place.startswith("card.sys!Unknown+0x") and place.endswith("(unknown.c:8)")
    assert why == "the index into the function table is worked out at run time"


def test_names_for_mmgetsystemroutineaddress_are_read_from_the_stack_and_from_data(compiled: Callable[..., Path]) -> None:
    lookups = check_file(compiled()).lookups
    assert [(one.name, one.modelled) for one in lookups] == [("KeNameOfTheFuture", False), ("KeStallExecutionProcessor", True)]
    assert lookups[0].place.startswith("card.sys!EvtDriverDeviceAdd+0x")


def test_sections_symbols_and_notes_are_told(compiled: Callable[..., Path]) -> None:
    found = check_file(compiled())
    assert found.symbols == "card.pdb"
    told = {each["name"]: each for each in found.as_json()["sections"]}  # type: ignore[attr-defined]
    assert told["PAGE"]["pageable"] and told["INIT"]["discardable"] and not told[".text"]["pageable"]
    assert found.notes == ()


def test_without_its_pdb_places_are_told_by_section(compiled: Callable[..., Path], tmp_path: Path) -> None:
    alone = tmp_path / "card.sys"
    alone.write_bytes(compiled().read_bytes())
    found = check_file(alone)
    assert found.symbols == ""
    assert found.notes == ("card.sys has no symbols: there is no card.pdb beside it; addresses are told by section",)
    assert {use.places[0].partition("+0x")[0] for use in found.functions} == {"card.sys"}

"""What an exploration says of driver images (.sys): where they stop, how much of their code ran, what they are made from."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from dirql.explore import Explorer, Forked, Natural, Plan, RandomSearch, Rewound, Root, Scratch, root_of
from dirql.explore.basis import basis_of
from dirql.explore.batch import Result, Settings
from dirql.explore.campaign import Campaign, identity_of
from dirql.explore.journal import Journal
from dirql.explore.tactics import Random
from dirql.scenario.values import Scenario

CORPUS = Path(__file__).parents[1] / "corpus"
WHERE = {
    "message_table_one_short": r"wrong\.sys!EvtDevicePrepareHardware\+0x[0-9a-f]+ \(wrong\.c:46\)",
    "lock_never_created_after_short_grant": r"wrong\.sys!EvtInterruptDpc\+0x[0-9a-f]+ WdfSpinLockAcquire \(inlined\) \(.+\)",
}


def plan_of(name: str, begin: str = "start") -> Plan:
    return Plan(Scenario.load(CORPUS / "c" / name / "scenario.toml"), begin)


@pytest.mark.parametrize(("name", "where"), WHERE.items(), ids=WHERE)
def test_a_bugcheck_of_an_image_has_a_place(name: str, where: str) -> None:
    (failure,) = Scratch(plan_of(name)).play(Natural()).failures
    assert failure.rule.startswith("bugcheck-") and re.fullmatch(where, failure.where)
    assert failure.sentence.endswith(f"({failure.where})")


def test_two_faults_of_one_code_are_two_failures() -> None:
    plan = plan_of("request_completed_by_dpc_and_cancel")
    explorer = Explorer(plan, root_of(plan)[0], RandomSearch(0), check_every=0)
    explorer.run(300, lambda: len(explorer.found) == 2)
    (rule, cancelled), (same, completed) = sorted(explorer.found)
    assert (rule, same, cancelled) == ("bugcheck-0x10d", "bugcheck-0x10d", "wdf!WdfRequestComplete")
    assert completed.startswith("wrong.sys!EvtInterruptDpc+")


@pytest.mark.parametrize("begin", ["start", "work"])
@pytest.mark.parametrize("kind", [Rewound, Forked])
def test_the_code_that_ran_is_the_same_from_every_root(kind: type[Rewound | Forked], begin: str) -> None:
    def ran(root: Root) -> tuple[object, object]:
        for seed in range(2):
            root.play(Random(seed))
        (image,) = root.images
        return root.ran, image.coverage(root.ran)

    plan = plan_of("isr_flag_drops_second_message", begin)
    assert ran(kind(plan)) == ran(Scratch(plan))


def test_a_schedule_tells_only_what_no_schedule_before_it_came_to() -> None:
    root = Rewound(plan_of("isr_flag_drops_second_message"))
    first, again = root.play(Natural()), root.play(Natural())
    assert first.ran and not again.ran and root.ran == first.ran


def test_a_campaign_counts_blocks_and_its_journal_has_them(tmp_path: Path) -> None:
    plan, settings = plan_of("isr_flag_drops_second_message"), Settings("random", check_every=0)
    told: list[Any] = []
    for _ in range(2):  # the second one plays nothing
        journal = Journal(tmp_path / "j.jsonl", identity_of(plan, settings, False))
        campaign = Campaign(plan, settings, 5, Rewound(plan), journal=journal)
        campaign.run()
        told.append(campaign.coverage.as_json()["blocks"])
    assert told[0] == told[1] and 0 < told[0]["ran"] < told[0]["all"]


def test_what_ran_are_the_drivers_own_routines() -> None:
    plan = plan_of("isr_flag_drops_second_message")
    root = Scratch(plan)
    (image,) = root.images
    root.play(Natural())
    names = {image.words(address).partition("!")[2].partition("+")[0] for address, _ in root.ran}
    assert {"DriverEntry", "EvtDriverDeviceAdd", "EvtInterruptIsr", "EvtInterruptDpc"} <= names
    assert image.coverage([]) == (0, image.coverage(root.ran)[1])


def test_a_result_in_a_journal_has_the_code_that_ran() -> None:
    assert Result.from_json(Result(ran={(1 << 40, 7), (5, 1)}).as_json()) == Result(ran={(1 << 40, 7), (5, 1)})


@pytest.mark.parametrize("name", ["common/card.h", "isr_flag_drops_second_message/wrong/wrong.c"])
def test_a_schedule_is_of_the_files_that_are_included_too(tmp_path: Path, name: str) -> None:
    for one in ("c/common", "c/isr_flag_drops_second_message", "cards"):
        shutil.copytree(CORPUS / one, tmp_path / one)
    plan = Plan(Scenario.load(tmp_path / "c/isr_flag_drops_second_message/scenario.toml"))
    before = basis_of(plan)
    with (tmp_path / "c" / name).open("a") as file:
        file.write("/* changed */")
    assert before == basis_of(plan_of("isr_flag_drops_second_message")) != basis_of(plan)

"""Basic blocks of code."""

from __future__ import annotations

import pytest

from dirql.hosts.sys.blocks import basic_blocks, covered

# 0x1000: test eax, eax; je 0x1007; inc eax; nop (0x1006); ret (0x1007); int3; int3; 0x100a: mov eax, ecx; jmp 0x1000
CODE = bytes.fromhex("85c0 7403 ffc0 90 c3 cc cc 89c8 ebf2")


def test_a_block_begins_at_a_function_behind_a_branch_and_where_one_goes() -> None:
    assert basic_blocks([(0x1000, CODE)]) == [0x1000, 0x1004, 0x1007, 0x100A]


def test_what_goes_out_of_all_functions_is_no_block() -> None:
    assert basic_blocks([(0x1000, bytes.fromhex("eb 10"))]) == [0x1000]


@pytest.mark.parametrize(
    ("ran", "blocks"),
    [
        ([], set()), ([(0x1000, 4)], {0x1000}), ([(0x1004, 4)], {0x1004, 0x1007}), ([(0x1005, 2)], set()),
        ([(0, 0x2000)], {0x1000, 0x1004, 0x1007, 0x100A}),
    ],
)  # fmt: skip
def test_a_line_that_ran_covers_the_blocks_that_begin_in_it(ran: list[tuple[int, int]], blocks: set[int]) -> None:
    assert covered([0x1000, 0x1004, 0x1007, 0x100A], ran) == blocks

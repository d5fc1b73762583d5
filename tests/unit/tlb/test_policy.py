# SPDX-License-Identifier: GPL-2.0-or-later
from emu.tlb.cache import TlbArray
from emu.tlb.policy import POLICIES, lru
from tests.helpers.bench import array


def test_lru_gives_up_the_slot_whose_last_use_is_the_longest_ago() -> None:
    ways = TlbArray(array(entries=4)).slots[0]
    for slot, stamp in zip(ways, (7, 3, 9, 5), strict=True):
        slot.stamp = stamp
    assert lru(ways, 0) is ways[1]


def test_the_policies_go_by_the_names_that_geometries_use() -> None:
    assert POLICIES["lru"] is lru

# SPDX-License-Identifier: GPL-2.0-or-later
"""What a packet costs on each path: the order of the four, and what the letter overlooked."""

import pytest

from emu.bench.path_costs import PATHS, SIZES, PathCost, measure_path

pytestmark = pytest.mark.nightly  # the lesson `verdict` measures the same in every run


@pytest.fixture(scope="module")
def costs() -> dict[tuple[str, int], PathCost]:
    return {(path, size): measure_path(path, size, 4) for path in PATHS for size in SIZES}


def test_the_kernels_own_rules_are_the_cheapest_and_a_mapping_for_each_packet_the_dearest(
    costs: dict[tuple[str, int], PathCost],
) -> None:
    for size in SIZES:
        by_cost = sorted(PATHS, key=lambda path: costs[path, size].instructions)
        assert (by_cost[0], by_cost[-1]) == ("kernel", "ukshm")


def test_only_a_copy_costs_more_for_a_larger_packet(costs: dict[tuple[str, int], PathCost]) -> None:
    grows = [path for path in PATHS if costs[path, 1500].instructions > costs[path, 64].instructions]
    assert grows == ["copy"]


def test_a_reverse_syscall_pays_with_an_invalidation_and_a_walk_for_each_packet(
    costs: dict[tuple[str, int], PathCost],
) -> None:
    counters = {path: costs[path, 64].counters for path in PATHS}
    assert {path: found["invalidations"] for path, found in counters.items()} == {
        "kernel": 0, "copy": 0, "ukshm": 1, "ring": 0,
    }  # fmt: skip
    assert counters["ukshm"]["DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK"] >= 1
    assert counters["ring"]["DTLB_LOAD_MISSES.MISS_CAUSES_A_WALK"] == 0


def test_the_ring_changes_rings_least_of_those_that_ask_a_program(
    costs: dict[tuple[str, int], PathCost],
) -> None:
    changes = {path: costs[path, 64].counters["ring_changes"] for path in PATHS}
    assert changes["kernel"] < changes["ring"] < min(changes["copy"], changes["ukshm"])

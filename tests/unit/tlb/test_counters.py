# SPDX-License-Identifier: GPL-2.0-or-later
from copy import deepcopy

from emu.tlb.counters import FETCH, READ, WRITE, Counters
from emu.tlb.geometry import CostModel

FREE = CostModel(0, 0, 0, 0, 0, 0, 0, 0)


def test_a_new_unit_has_counted_nothing_under_every_name() -> None:
    report = Counters().report(0, CostModel())
    assert set(report.values()) == {0}
    names = [f"accesses.{kind}" for kind in ("fetch", "read", "write")]
    events = (
        "MISS_CAUSES_A_WALK",
        "STLB_HIT",
        "STLB_HIT_4K",
        "STLB_HIT_2M",
        "WALK_COMPLETED",
        "WALK_COMPLETED_4K",
        "WALK_COMPLETED_2M_4M",
        "WALK_COMPLETED_1G",
        "WALK_ACTIVE",
    )
    names += [
        f"{unit}.{event}"
        for unit in ("ITLB_MISSES", "DTLB_LOAD_MISSES", "DTLB_STORE_MISSES")
        for event in events
    ]
    assert list(report) == ["instructions", *names, "page_faults", "invalidations", "cycles.model"]


def test_each_number_appears_under_its_own_name() -> None:
    counters = Counters()
    counters.accesses[:] = 10, 11, 12
    counters.stlb_hits[:] = 20, 21, 22
    counters.walks[:] = 30, 31, 32
    counters.steps[:] = 1, 2, 3
    counters.structure_hits[:] = 1, 0, 2
    counters.invalidations, counters.faults = 4, 5
    report = counters.report(7, CostModel(walk_step_memory=20, walk_step_cached=4))
    assert report["instructions"] == 7
    assert [report[f"accesses.{kind}"] for kind in ("fetch", "read", "write")] == [10, 11, 12]
    for name, expected in (
        ("STLB_HIT", (20, 21, 22)),
        ("MISS_CAUSES_A_WALK", (30, 31, 32)),
        ("WALK_ACTIVE", (24, 40, 68)),
    ):
        assert (
            tuple(
                report[f"{unit}.{name}"] for unit in ("ITLB_MISSES", "DTLB_LOAD_MISSES", "DTLB_STORE_MISSES")
            )
            == expected
        )
    assert report["invalidations"] == 4
    assert report["page_faults"] == 5


def test_finished_walks_are_counted_by_page_size_and_4m_goes_with_2m() -> None:
    counters = Counters()
    for page_bytes, times in ((1 << 12, 1), (1 << 21, 2), (1 << 22, 4), (1 << 30, 3)):
        for _ in range(times):
            counters.complete(WRITE, page_bytes)
    report = counters.report(0, FREE)
    sizes = ("4K", "2M_4M", "1G")
    assert [report[f"DTLB_STORE_MISSES.WALK_COMPLETED_{size}"] for size in sizes] == [1, 6, 3]
    assert report["DTLB_STORE_MISSES.WALK_COMPLETED"] == 10
    assert [report[f"DTLB_LOAD_MISSES.WALK_COMPLETED_{size}"] for size in sizes] == [0, 0, 0]
    assert report["DTLB_LOAD_MISSES.WALK_COMPLETED"] == 0


def test_level_2_hits_are_counted_by_page_size_and_a_1g_hit_is_in_the_sum_alone() -> None:
    counters = Counters()
    for page_bytes, times in ((1 << 12, 1), (1 << 21, 2), (1 << 22, 4), (1 << 30, 8)):
        for _ in range(times):
            counters.stlb_hit(READ, page_bytes)
    report = counters.report(0, FREE)
    events = ("STLB_HIT", "STLB_HIT_4K", "STLB_HIT_2M")
    assert [report[f"DTLB_LOAD_MISSES.{event}"] for event in events] == [15, 1, 6]
    assert [report[f"ITLB_MISSES.{event}"] for event in events] == [0, 0, 0]


def test_cycles_are_instructions_plus_what_the_cost_model_charges() -> None:
    counters = Counters()
    counters.accesses[READ] = 2
    counters.stlb_hits[READ] = 3
    counters.steps[FETCH] = 5
    counters.structure_hits[WRITE] = 4
    counters.invalidations, counters.flushes, counters.faults, counters.ring_changes = 7, 11, 13, 17
    cost = CostModel(
        l1_hit=1,
        l2_hit=10,
        walk_step_memory=100,
        walk_step_cached=10**7,
        invalidate_page=1000,
        flush=10**4,
        fault=10**5,
        ring_change=10**6,
    )
    assert (
        counters.report(19, cost)["cycles.model"]
        == 19 + 2 + 30 + 500 + 7000 + 11 * 10**4 + 13 * 10**5 + 17 * 10**6 + 4 * 10**7
    )
    assert counters.report(19, FREE)["cycles.model"] == 19


def numbers(counters: Counters) -> dict[str, object]:
    """Every field of a unit, whatever it reports."""
    return {name: deepcopy(getattr(counters, name)) for name in Counters.__slots__}


def test_a_copy_goes_its_own_way_and_can_be_loaded_back() -> None:
    counters = Counters()
    for number, name in enumerate(Counters.__slots__, 1):
        match getattr(counters, name):
            case [{}, {}, {}]:
                setattr(counters, name, [{4096: number} for _ in range(3)])
            case list(by_type):  # pyright: ignore[reportUnknownVariableType]
                by_type[:] = [number] * 3
            case _:
                setattr(counters, name, number)
    held = {name: getattr(counters, name) for name in ("accesses", "stlb_hits", "walks", "steps")}
    copy, before = counters.copy(), numbers(counters)
    assert numbers(copy) == before
    counters.accesses[READ] += 1
    counters.steps[READ] += 1
    counters.structure_hits[READ] += 1
    counters.stlb_hit(READ, 4096)
    counters.complete(READ, 4096)
    counters.faults += 1
    assert numbers(copy) == before
    counters.load(copy)
    assert numbers(counters) == before
    counters.complete(READ, 4096)
    counters.stlb_hit(READ, 4096)
    assert numbers(copy) == before
    for name, numbers_held in held.items():
        assert getattr(counters, name) is numbers_held, "hot paths hold the list"

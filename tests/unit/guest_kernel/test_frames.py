# SPDX-License-Identifier: GPL-2.0-or-later
"""Zones, buddies, the reserve, and what the GFP flags promise."""

import pytest

from emu.lesson import Call, Lab

from .memory import frame_table, free_blocks, marks, run, said

DMA_END = (16 << 20) // 4096


def assert_lists_agree_with_the_frame_table(lab: Lab) -> None:
    table = frame_table(lab)
    owners, orders, heads = (
        table.column("owner", 4),
        table.column("order", 1),
        table.column("is_free_block", 1),
    )
    listed: list[int] = []
    free = [0, 0]
    for zone, order, first in free_blocks(lab, table):
        listed += range(first, first + (1 << order))
        free[zone] += 1 << order
        assert first % (1 << order) == 0
        assert (orders[first], heads[first]) == (order, 1)
        assert (first < DMA_END) == (first + (1 << order) <= DMA_END) == (zone == 0)
        buddy = first ^ 1 << order
        assert order == 10 or not heads[buddy] or orders[buddy] != order, (
            "two free buddies would be one block"
        )
    assert len(listed) == len(set(listed)), "no frame is on two lists"
    assert set(listed) == {number for number, owner in enumerate(owners) if owner == 0}
    assert sum(heads) == len(free_blocks(lab, table))
    assert free == [lab.value("zones[0].free"), lab.value("zones[1].free")]
    assert sum(free) == lab.value("free_frames")


def test_at_every_moment_the_free_lists_hold_just_the_frames_that_are_free() -> None:
    lab = Lab()
    lab.boot("alloc", "frames_5_KERNEL", "kmalloc_9000_DMA", "atomic_all")
    for place in (
        "trace_boot_done",
        "alloc_lab",
        "frames_free",
        "alloc_lab",
        "kfree",
        "alloc_lab",
        "frame_free",
    ):
        lab.run_until(Call(place))
        assert_lists_agree_with_the_frame_table(lab)
    lab.run_to_exit()
    assert_lists_agree_with_the_frame_table(lab)


def test_memory_for_dma_lies_below_16_mib_and_other_memory_is_taken_above_first() -> None:
    lab = run("kmalloc_100_KERNEL", "kmalloc_100_KERNEL|DMA", "frames_4_ATOMIC|DMA", "frames_4_USER")
    assert [line for line in said(lab) if "zone" in line] == [
        "2: kmalloc: 100 bytes from zone normal",
        "2: kmalloc: 100 bytes from zone DMA",
        "2: frames: 16 in a row from zone DMA",
        "2: frames: 16 in a row from zone normal",
    ]


def test_a_device_with_24_address_lines_reaches_its_buffer_unless_flags_are_ignored() -> None:
    assert "2: dma_transfer: 0" in said(run("dma_transfer"))
    lines = said(run("dma_transfer", alloc__gfp="ignore"))
    assert any(line.startswith("2: damage: the device was given frame") for line in lines)
    assert any(line.endswith("whose owner is: kernel") for line in lines)
    assert "2: dma_transfer: -5" in lines


def test_only_a_request_that_cannot_wait_gets_the_reserve() -> None:
    lab = run("frames_0_KERNEL", "atomic_all")
    reserve = lab.value("zones[0].reserve") + lab.value("zones[1].reserve")
    assert reserve >= 32
    assert f"2: atomic_all: {reserve}" in said(lab)
    assert lab.value("frame_statistics.from_reserve") == reserve
    assert not marks(lab, "slept_in_atomic")
    ignored = run("atomic_all", alloc__gfp="ignore")
    assert "2: atomic_all: 0" in said(ignored)
    assert ignored.value("frame_statistics.from_reserve") == 0


@pytest.mark.parametrize(
    ("command", "caller"),
    [
        ("ukshm_by_kmalloc", "lab_ukshm"),
        ("ukshm_by_frames", "lab_ukshm"),
        ("ukshm_by_cache", "lab_ukshm"),
        ("kmalloc_64_UKSHM", "lab_kmalloc"),
        ("frames_0_UKSHM", "lab_frames"),
    ],
)
def test_memory_for_sharing_is_refused_at_every_wrong_door_and_the_caller_is_noted(
    command: str, caller: str
) -> None:
    lab = run(command)
    assert f"2: {command}: -1" in said(lab)
    (mark,) = marks(lab, "ukshm_refused")
    assert 0 < int(mark.arguments["caller"]) - lab.symbol(caller) < 0x200
    assert mark.arguments["pid"] == 2
    assert lab.value("ukshm_statistics.refused") == 1
    assert lab.value("ukshm_statistics.pages") == 0


@pytest.mark.parametrize("command", ["frames_11_KERNEL", "frames_1000_ATOMIC", "kmalloc_9000000_KERNEL"])
def test_a_request_that_can_never_be_met_fails_with_an_error(command: str) -> None:
    assert f"2: {command}: -12" in said(run(command))


@pytest.mark.parametrize(
    "command",
    ["", "_", "kmalloc", "kmalloc_x_KERNEL", "kmalloc_5", "kmalloc_5_KERNEL|", "frames_0_kernel", "atomic"],
)
def test_a_command_that_is_none_is_refused(command: str) -> None:
    lines = said(run(command)) if command else said(run("frames_-1_KERNEL"))
    assert lines[-1].endswith(": -22")

# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's audit finds nothing in a healthy kernel, and names what somebody else has spoilt."""

from collections.abc import Callable

import pytest

from emu.lesson import Call, Lab

from .memory import frame_table, free_blocks, run, said


def test_a_healthy_kernel_has_nothing_to_find() -> None:
    lab = run("self-check", "kmalloc_100_DMA", "objects", "self-check")
    assert [line for line in said(lab) if "self-check" in line] == [
        "2: self-check: 0 findings",
        "2: self-check: 0",
    ] * 2


def test_nor_while_processes_fork_swap_and_are_killed() -> None:
    lab = run("3", "6", "20", "200", program="stress", memory_mib=16, disk="blank:2M")
    assert said(lab)[-1].endswith(" 0 wrong")
    assert said(lab).count("2: self-check: 0 findings") == 6


def poke_number(lab: Lab, place: str, change: int, size: int) -> None:
    lab.poke(lab.value(f"&{place}"), (lab.value(place) + change).to_bytes(size, "little"))


def a_free_block(lab: Lab) -> int:
    return free_blocks(lab, frame_table(lab))[0][2]


def a_frame_of(lab: Lab, owner: str) -> int:
    number = {"user": 5, "table": 3, "slab": 4}[owner]
    return frame_table(lab).column("owner", 4).index(number)


def a_slab(lab: Lab) -> str:
    """An expression for the first slab that is neither full nor empty."""
    lists = (f"kmem_caches[{n}].partial" for n in range(lab.value("kmem_cache_number")))
    return next(one for one in lists if lab.value(one))


def lose_a_block(lab: Lab) -> None:
    zone, order, first = free_blocks(lab, frame_table(lab))[0]
    poke_number(lab, f"zones[{zone}].lists[{order}]", lab.value(f"frames[{first}].next") - first, 4)


SPOILT: dict[str, tuple[Callable[[Lab], None], str]] = {
    "a count of mappings": (
        lambda lab: poke_number(lab, f"frames[{a_frame_of(lab, 'user')}].mappings", 1, 4),
        "mappings 2, should be 1",
    ),
    "an owner": (
        lambda lab: poke_number(lab, f"frames[{a_frame_of(lab, 'user')}].owner", -3, 4),
        "fits the address that leads to it 0, should be 1",
    ),
    "the address a frame belongs to": (
        lambda lab: poke_number(lab, f"frames[{a_frame_of(lab, 'user')}].linear", 4096, 8),
        "fits the address that leads to it 0, should be 1",
    ),
    "a free frame's owner": (
        lambda lab: poke_number(lab, f"frames[{a_free_block(lab)}].owner", 2, 4),
        "free 0, should be 1",
    ),
    "the order of a free block": (
        lambda lab: poke_number(lab, f"frames[{a_free_block(lab)}].order", 1, 1),
        "order ",
    ),
    "a free list's head": (lose_a_block, "free 1, should be 0"),
    "a zone's count": (lambda lab: poke_number(lab, "zones[0].free", 1, 8), "zone 0: free "),
    "a table's owner": (
        lambda lab: poke_number(lab, f"frames[{a_frame_of(lab, 'table')}].owner", -1, 4),
        "a paging structure 0, should be 1",
    ),
    "a table's process": (
        lambda lab: poke_number(lab, f"frames[{a_frame_of(lab, 'table')}].pid", 7, 4),
        "pid ",
    ),
    "a slab's owner": (
        lambda lab: poke_number(lab, f"frames[{a_frame_of(lab, 'slab')}].owner", -2, 4),
        "a slab 0, should be 1",
    ),
    "a cache's count": (
        lambda lab: poke_number(lab, "kmem_caches[1].in_use", 1, 8),
        "cache 1: objects in use ",
    ),
    "a cache's slabs": (lambda lab: poke_number(lab, "kmem_caches[1].slabs", 1, 8), "cache 1: slabs "),
    "a slab's free chain": (
        lambda lab: poke_number(lab, f"{a_slab(lab)}->first_free", 1, 1),
        "free objects ",
    ),
    "a slab's number of objects": (
        lambda lab: poke_number(lab, f"{a_slab(lab)}->in_use", 1, 2),
        "objects in use ",
    ),
    "the shared pages": (
        lambda lab: poke_number(lab, "ukshm_statistics.pages", 1, 8),
        "objects in use 0, should be 1",
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_was_spoilt_is_found_and_named(what: str) -> None:
    spoil, words = SPOILT[what]
    lab = Lab()
    lab.boot("alloc", "kmalloc_100_KERNEL", "self-check")
    lab.run_until(Call("alloc_lab"))
    lab.run_until(Call("alloc_lab"))
    spoil(lab)
    lab.run_until(Call("printk"))
    lab.run_until(Call("sys_exit"))
    findings = [line for line in said(lab) if line.startswith("0: self-check: ")]
    assert any(words in line for line in findings), findings
    assert f"2: self-check: {len(findings)}" in said(lab)

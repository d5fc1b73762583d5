# SPDX-License-Identifier: GPL-2.0-or-later
"""Caches of objects: what they count, when they construct, and what ends in a panic."""

from emu.devices.debug_exit import exit_status

from .memory import run, said


def test_the_constructor_runs_once_for_each_object_and_not_for_each_request() -> None:
    (line, answer) = said(run("objects"))
    per_slab = 19
    assert line == (
        "2: objects: 80 of 80 as constructed; "
        f"the constructor ran {3 * per_slab} times for the first 40, 0 for the next"
    )
    assert answer == "2: objects: 0"


def test_a_cache_counts_what_it_gives_and_takes() -> None:
    lab = run("objects", "objects")
    row = f"kmem_caches[{lab.value('kmem_cache_number') - 1}]"
    assert lab.value(f"{row}.allocations") == lab.value(f"{row}.frees") == 160
    assert lab.value(f"{row}.peak") == 40
    assert lab.value(f"{row}.in_use") == lab.value(f"{row}.slabs") == 0


def test_an_object_given_back_twice_ends_in_a_panic_that_names_its_cache() -> None:
    lab = run("free_twice")
    assert "of the cache kmalloc-256 is given back twice" in str(lab.console)
    assert lab.ended is not None and lab.ended.code is not None
    assert exit_status(lab.ended.code) == 35

# SPDX-License-Identifier: GPL-2.0-or-later
"""Each protection refuses one mistake of the careless driver; without it, the damage is done and told."""

import pytest

from emu.events import Faulted
from emu.lesson import Lab

REFUSED = {
    "SMAP": ["SMAP: the kernel did not get my byte", "SMAP: my byte is still 77"],
    "SMEP": ["SMEP: the kernel did not run my code"],
    "WP": ["WP: the kernel's constants are constant"],
    "XD": ["XD: code on the stack did not run, status 142"],
}
DAMAGE = {
    "SMAP": ["no SMAP: the kernel got my byte, 77", "no SMAP: my byte is now 88"],
    "SMEP": ["no SMEP: my code ran in ring 0"],
    "WP": ["no WP: the kernel wrote its own constants"],
    "XD": ["no XD: code on the stack ran"],
}
SWITCHES = {"SMAP": "cpu.smap", "SMEP": "cpu.smep", "WP": "cpu.wp", "XD": "cpu.nx"}


def run(switches: dict[str, str]) -> Lab:
    lab = Lab()
    lab.boot("careless", switches=switches)
    ended = lab.run_to_exit(limit=2_000_000)
    assert ended is not None
    assert ended.code == 0x10
    return lab


def said(lab: Lab) -> list[str]:
    """What the program said, without the lines of the kernel."""
    lines = [line[3:] for line in str(lab.console).splitlines() if line.startswith("2: ")]
    return [line for line in lines if not line.startswith("careless:")]


def faults(lab: Lab) -> list[Faulted]:
    """Those that are refusals, and not just pages that come when they are touched."""
    found = [event for event in lab.events if isinstance(event, Faulted)]
    return [fault for fault in found if fault.reason != "NOT_PRESENT"]


def test_a_protected_cpu_refuses_every_mistake_by_its_name() -> None:
    lab = run({})
    assert said(lab) == [line for lines in REFUSED.values() for line in lines]
    assert [(fault.cpl, fault.reason) for fault in faults(lab)] == [
        (0, "SMAP_ACCESS_TO_USER_PAGE"),
        (0, "SMAP_ACCESS_TO_USER_PAGE"),
        (0, "SMEP_FETCH_FROM_USER_PAGE"),
        (0, "SUPERVISOR_WRITE_TO_READ_ONLY_PAGE"),
        (3, "FETCH_FROM_XD_PAGE"),
    ]


@pytest.mark.parametrize("missing", SWITCHES)
def test_without_one_protection_its_mistake_does_its_damage_and_no_other(missing: str) -> None:
    lab = run({SWITCHES[missing]: "off"})
    assert said(lab) == [line for name in REFUSED for line in (DAMAGE if name == missing else REFUSED)[name]]
    told = [line for line in str(lab.console).splitlines() if "nothing stopped it" in line]
    assert len(told) == {"SMAP": 2, "SMEP": 1, "WP": 1, "XD": 0}[missing]


def test_without_all_protections_nothing_is_refused() -> None:
    lab = run(dict.fromkeys(SWITCHES.values(), "off"))
    assert said(lab) == [line for lines in DAMAGE.values() for line in lines]
    assert not faults(lab)


def test_read_only_data_that_was_written_is_put_back() -> None:
    lab = run({"cpu.wp": "off"})
    assert lab.memory(lab.symbol("read_only"), 6) == b"sealed"

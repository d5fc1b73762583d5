# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that map, swap, fork and are killed at random, while two auditors look at the tables at intervals.

The kernel's own self-check counts frames, slabs and slots whenever a worker has ended; the page-table checker of the
emulator reads every address space from outside, and what the TLB holds with it.
"""

import pytest

from emu.checker import Rule, Severity
from emu.events import Marked
from emu.lesson import Lab

from .memory import balance_is_equal, said, scarce, watch

INTERVAL = 250_000
LEAST_CHECKS = 8
ALLOWED = {
    Rule.CACHED_DIRTY,  # D is taken with the entry when a page goes: its translation goes too, one step later
}


def findings(lab: Lab) -> list[str]:
    """What the checker holds against the tables and the TLB as they are now, but for notes."""
    report = lab.check().report
    assert report.spaces
    assert not report.cut_short
    return [str(found) for found in report.findings if found.severity is not Severity.NOTE]

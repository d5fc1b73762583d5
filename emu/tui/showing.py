# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that the panels show at one time: one frozen value, handed to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emu.tui.page import PageState

if TYPE_CHECKING:
    from emu.view.access import AccessView
    from emu.view.snapshot import Snapshot


@dataclass(frozen=True)
class Showing:
    """`snapshot` is None until the machine has booted; `head` is how far the lesson has run, in
    instructions, and `behind` tells that the cursor is not there.

    `look` replaces the last access by a walk that the lesson or the student asked for; `entry` cuts the walk after
    that entry; `array` is the TLB array in view; `covered` hides results until the open question is answered,
    `look_covered` those of `look`, which the lesson may have shown before it asked;
    `active` is the panel that the arrows move in, "" before one is chosen; `slot` the selected (set, way) of the array;
    `tempo` says how fast the run plays by itself, "" if it does not.
    """

    lesson: str
    steps: int
    step: int
    page: PageState
    snapshot: Snapshot | None = None
    head: int = 0
    behind: bool = False
    look: AccessView | None = None
    entry: int | None = None
    array: int = 0
    covered: bool = False
    look_covered: bool = False
    notice: str = ""
    tempo: str = ""
    active: str = ""
    slot: tuple[int, int] | None = None

    @property
    def rewound(self) -> str:
        """Behind the head: how far, in words; "" at the head."""
        if self.snapshot is None or not self.behind:
            return ""
        at = self.snapshot.insn
        return f"REWOUND {at:,} of {self.head:,}" + (", the fault ahead" if at == self.head else "")

    @property
    def access(self) -> AccessView | None:
        """What the walk panel is about."""
        return self.look or (self.snapshot.access if self.snapshot is not None else None)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Who leaves a full set. A policy is a pure choice among the slots of one set, by their stamps."""

from collections.abc import Callable, Sequence

from emu.tlb.entry import Slot

Policy = Callable[[Sequence[Slot]], Slot]
"""Takes the slots of a full set in way order and names the one to give up."""


def lru(ways: Sequence[Slot]) -> Slot:
    """The slot whose last use is the longest ago."""
    return min(ways, key=lambda slot: slot.stamp)


POLICIES: dict[str, Policy] = {"lru": lru}

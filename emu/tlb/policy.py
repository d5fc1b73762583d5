# SPDX-License-Identifier: GPL-2.0-or-later
"""Who leaves a full set. A policy is a pure choice among the slots of one set, by their stamps or by a drawn number.

No policy keeps anything of its own: what it needs to know lies in the slots, so a checkpoint of the slots is a
checkpoint of the policy.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final

from emu.bits import MASK64
from emu.tlb.entry import Slot

Policy = Callable[[Sequence[Slot], int], Slot]
"""Takes the slots of a full set in way order, and a drawn number; names the slot to give up."""

_last_use: Final = attrgetter("stamp")
_fill: Final = attrgetter("filled")


def lru(ways: Sequence[Slot], draw: int) -> Slot:
    """The slot whose last use is the longest ago."""
    return min(ways, key=_last_use)


def fifo(ways: Sequence[Slot], draw: int) -> Slot:
    """The slot that was filled first, however often it was used since."""
    return min(ways, key=_fill)


def tree_plru(ways: Sequence[Slot], draw: int) -> Slot:
    """The slot that a binary tree of one bit a node leads to; the number of ways is a power of two.

    A use turns the bits above its slot away from it. So each bit points away from the latest use below its node, and
    that is to be read off the stamps: at each node the half whose latest use is older is given up.
    """
    while len(ways) > 1:
        half = len(ways) // 2
        ways = min(ways[:half], ways[half:], key=lambda side: max(map(_last_use, side)))
    return ways[0]


def random(ways: Sequence[Slot], draw: int) -> Slot:
    """Any slot, as the drawn number has it."""
    return ways[draw % len(ways)]


POLICIES: Final[dict[str, Policy]] = {"lru": lru, "tree-plru": tree_plru, "fifo": fifo, "random": random}
"""By the names that geometries use."""


def splitmix64(seed: int, n: int) -> int:
    """The `n`-th 64-bit number of the generator with that seed; any one without those before it.

    Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), with the constants of its
    published form.
    """
    z = (seed + n * 0x9E37_79B9_7F4A_7C15) & MASK64
    z = (z ^ z >> 30) * 0xBF58_476D_1CE4_E5B9 & MASK64
    z = (z ^ z >> 27) * 0x94D0_49BB_1331_11EB & MASK64
    return z ^ z >> 31

# SPDX-License-Identifier: GPL-2.0-or-later
"""How one page reaches memory now: what a hot path looks at instead of searching the arrays."""

from emu.tlb.entry import Slot, TlbEntry


class PageRecord:
    """How one 4 KiB linear page reaches memory, for fetches or for data.

    `l1` and `l2` name, by access type, the slot that would answer. `fast` is the level-1 slot when an access needs
    no more than a new age; None sends the access the long way round. `pending` is the outcome of a translation that
    no access has used yet. `home` is the number under which the engine knows the page, -1 for none.
    """

    __slots__ = ("entry", "fast", "frame", "granted", "home", "l1", "l2", "page", "pending")

    def __init__(self, page: int, frame: int, entry: TlbEntry | None) -> None:
        self.page = page
        self.frame = frame
        self.entry = entry
        self.l1: list[Slot | None] = [None, None, None]
        self.l2: list[Slot | None] = [None, None, None]
        self.fast: list[Slot | None] = [None, None, None]
        self.pending: list[str | None] = [None, None, None]
        self.home = -1
        self.granted = 0
        """Bit per access type that the engine may make without asking."""

    def held(self) -> bool:
        """Whether any array still answers for the page."""
        return any(self.l1) or any(self.l2)

    def answers(self, kind: int) -> bool:
        """Whether some array answers accesses of type index `kind`."""
        return self.l1[kind] is not None or self.l2[kind] is not None

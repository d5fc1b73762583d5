# SPDX-License-Identifier: GPL-2.0-or-later
"""How one part of the CPU tells another that an instruction did not go through. None of these reaches a user."""

from emu.mmu import Refused


class GuestFault(Exception):
    """The guest caused exception `vector`: it is delivered to the guest. `refused` and `linear` if an access did."""

    def __init__(
        self, vector: int, error: int | None, refused: Refused | None = None, linear: int = 0
    ) -> None:
        super().__init__(vector)
        self.vector = vector
        self.error = error
        self.refused = refused
        self.linear = linear


class Interrupted(Exception):
    """An intercepted instruction that was let run did not finish: its fault has been delivered already."""


class FaultsForEver(Exception):
    """Faults are delivered one after another and no instruction is executed between them: this would never end."""


class ShutDown(Exception):
    """A triple fault: the CPU has stopped for good. The text says what could not be delivered."""

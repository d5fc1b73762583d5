# SPDX-License-Identifier: GPL-2.0-or-later
"""What a screen does where the terminal is too small for it: says so, and lets no key do what nobody sees."""

from __future__ import annotations

from textual.screen import Screen
from textual.widgets import Static

from emu.tui.host import host
from emu.tui.layout import SMALLEST


class Sized(Screen[None]):
    """A screen with a `Static` of id "too-small", which the class "tiny" shows alone."""

    def fits(self) -> bool:
        """Whether the terminal is large enough now; if not, say so."""
        width, height = host(self).size
        tiny = width < SMALLEST[0] or height < SMALLEST[1]
        self.set_class(tiny, "tiny")
        if tiny:
            self.query_one("#too-small", Static).update(_too_small(width, height))
        return not tiny

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key of this screen acts while it is not seen."""
        del action, parameters
        return not self.has_class("tiny")


def _too_small(width: int, height: int) -> str:
    """What a terminal of this size is told."""
    least = f"{SMALLEST[0]} x {SMALLEST[1]}"
    return (
        f"Pagewalk needs a terminal of at least {least}; this one is {width} x {height}.\n"
        "Make it larger, or leave with q. pagewalk learn LESSON --plain fits any."
    )

# SPDX-License-Identifier: GPL-2.0-or-later
"""What if: a bit or a switch otherwise, two runs in a thread, and a sheet that shows where they part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emu.tui.host import host
from emu.tui.screens.sheet import SheetScreen
from emu.tui.screens.what_if import Asked, WhatIfScreen
from emu.tui.screens.wondering import Wondering
from emu.tui.teacher import one_line

if TYPE_CHECKING:
    from emu.lesson.parting import Change, Parting
    from emu.tui.past import Past

_WIDE = 140


class Supposing(Wondering):
    """The machine in view is left alone: both runs are copies."""

    def action_what_if(self) -> None:
        """Ask what is to be otherwise."""
        if self.busy or self.past is None:
            return
        if self.covered:
            self.say("predict first: a letter; h is the hint")
            return
        found = self.in_view()
        entry = f"{found[1].level}[{found[1].index:03x}]" if found is not None else ""
        host(self).push_screen(WhatIfScreen(entry, self.past.switch_values()), self._suppose)

    def _suppose(self, asked: Asked | None) -> None:
        if asked is None or self.past is None or self.busy:
            return
        found = self.in_view()
        from emu.lesson.parting import parse_change

        try:
            change = parse_change(asked.change, found[1] if found is not None else None, self.past.booted)
        except Exception as error:
            self.say(one_line(error))
            return
        self.busy = True
        self.run_worker(self._run_both(self.past, change, asked.instructions))

    async def _run_both(self, past: Past, change: Change, instructions: int | None) -> None:
        from emu.lesson.parting import part

        fork = past.fork()
        parting = await self.in_thread("running both", lambda watch: part(fork, change, instructions, watch))
        self.show()
        if parting is not None:
            self._tell_parting(parting)

    def _tell_parting(self, parting: Parting) -> None:
        from emu.tui.parting import parting_lines

        lines = SheetScreen("what if", lambda width: parting_lines(parting, width), width=_WIDE)
        host(self).push_screen(lines)

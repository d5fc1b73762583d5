# SPDX-License-Identifier: GPL-2.0-or-later
"""Questions about what is selected: who wrote this entry, who filled this one, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emu.tui.host import host
from emu.tui.screens.seeking import Seeking
from emu.tui.screens.sheet import Lines, SheetScreen
from emu.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from emu.lesson.model import Lesson
    from emu.tui.past import Past, Stop
    from emu.tui.screens.stage import StepState
    from emu.tui.search import Watch
    from emu.view.access import AccessView
    from emu.view.walk import WalkRow


class Wondering(Seeking):
    """Who, and why: what is selected in the walk or the TLB, else what has just happened."""

    def __init__(self, lesson: Lesson, steps: list[StepState]) -> None:
        super().__init__(lesson, steps)
        self._asked: tuple[WalkRow, int, Stop] | None = None
        """The entry whose writer was asked for last, its size, and where that led."""

    def on_panel_picked(self, message: Panel.Picked) -> None:
        """A click: the panel becomes the active one, and what was hit is selected, gone to, or answered."""
        kind, _, value = message.link.partition(":")
        self.activate(message.role)
        if kind == "entry":
            self.entry = int(value)
        elif kind == "slot":
            at_set, _, way = value.partition(".")
            place = int(at_set), int(way)
            self.slot = place if self.grid is not None and place in self.grid.held else None
        elif kind == "event":
            self.go_to_event(int(value))
            return
        elif kind == "choice":
            self.choose(int(value))
            return
        self.show()

    def choose(self, choice: int) -> None:
        """Answer the open question."""
        raise NotImplementedError

    # -- who? -----------------------------------------------------------------------------------------------------

    def in_view(self) -> tuple[AccessView, WalkRow] | None:
        """The walk in view and its selected entry, the last one if none is selected."""
        look = self.views[self.view % len(self.views)] if self.views and self.view >= 0 else None
        access = look or (self.snapshot.access if self.snapshot is not None else None)
        if access is None or access.walk is None or not access.walk.rows:
            return None
        rows = access.walk.rows
        return access, rows[self.entry if self.entry is not None else -1]

    def action_who_wrote(self) -> None:
        """To where the selected entry of the walk was last written; there again, to the time before."""
        asked = self._asked_here()
        if asked is None:
            self.say("no walk in view whose entries somebody could have written")
            return
        row, entry_bytes = asked
        from emu.tui.who import last_write

        def find(past: Past, watch: Watch) -> tuple[Stop | None, str]:
            stop, words = last_write(past, row, entry_bytes, watch)
            self._asked = (row, entry_bytes, past.at) if stop is not None else None
            return stop, words

        self.seek(f"who wrote {row.level}?", find)

    def _asked_here(self) -> tuple[WalkRow, int] | None:
        """The entry to ask about, and its size: the one asked about just now, else the selected one."""
        if self._asked is not None and self.entry is None and self.past is not None:
            row, entry_bytes, stop = self._asked
            if self.past.at == stop:
                return row, entry_bytes
        found = self.in_view()
        if found is None or found[0].walk is None or found[0].walk.mode is None:
            return None
        return found[1], found[0].walk.mode.entry_bytes

    def action_who_filled(self) -> None:
        """To where the selected TLB entry was filled; without a selection, the one that was used last."""
        grid, past = self.grid, self.past
        place = self._slot()
        if self.busy or past is None or grid is None or place is None:
            self.say("select a TLB entry first: Tab, then the arrows, or a click")
            return
        from emu.tui.who import fill_of

        fill, cell = fill_of(past, grid, place), grid.sets[place[0]][place[1]]
        if fill is None:
            self.say(f"{cell.name}: nobody has seen it filled")
            return
        past.go_to(fill)
        self.look()
        self.view, self.slot = -1, place
        self.say(f"{cell.name}: filled here, by {cell.filler}")

    def _slot(self) -> tuple[int, int] | None:
        grid = self.grid
        if grid is None:
            return None
        return self.slot if self.slot in grid.held else grid.happened

    # -- why? -----------------------------------------------------------------------------------------------------

    def action_why(self) -> None:
        """A sheet about the selected TLB entry or walk entry, else about the last instruction."""
        if self.busy or self.past is None or self.snapshot is None:
            return
        if self.covered:
            self.say("predict first: a letter; h is the hint")
            return
        if self.target == "tlb" and self.slot is not None and self._slot() is not None:
            title, lines = self._why_slot()
        elif self.target == "walk" and self.entry is not None and self.in_view() is not None:
            title, lines = self._why_entry()
        else:
            title, lines = self._why_step()
        host(self).push_screen(SheetScreen(title, lines))

    def action_own_source(self) -> None:
        """Pagewalk's own source for what the last instruction met."""
        if self.busy or self.past is None:
            return
        from emu.tui.own_source import behind

        found = behind(self.past.step_events)
        title = f"{found.file} ── {found.name} decided this"
        host(self).push_screen(
            SheetScreen(title, lambda width: found.lines, max(0, found.first - 2), width=130)
        )

    def _why_step(self) -> tuple[str, Lines]:
        from emu.view.why import step_lines

        assert self.past is not None and self.snapshot is not None
        step, scene = self.past.step_events, self.past.scene()
        title = f"why: instruction {self.snapshot.insn:,}"
        return title, lambda width: step_lines(step, scene, width)

    def _why_entry(self) -> tuple[str, Lines]:
        from emu.view.why import entry_lines

        found = self.in_view()
        assert self.past is not None and found is not None
        access, row = found
        scene = self.past.scene()
        return f"why: the {row.level}", lambda width: entry_lines(row, access, scene, width)

    def _why_slot(self) -> tuple[str, Lines]:
        from emu.tui.who import fill_of
        from emu.view.why import slot_lines

        past, grid, place = self.past, self.grid, self._slot()
        assert past is not None and grid is not None and place is not None
        cell, fill = grid.sets[place[0]][place[1]], fill_of(past, grid, place)
        where = f"{grid.name} set {place[0]} way {place[1]}"
        scene, says = past.scene(fill), past.says(cell.linear)
        return f"why: {where}", lambda width: slot_lines(where, cell, fill, scene, says, width)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Jumps that have to look for their place: run until, and who wrote or filled what is there now."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from emu.lesson.model import Lesson
from emu.tui.goals import EventGoal, Goal, PlaceGoal, TouchGoal
from emu.tui.host import host
from emu.tui.screens.moving import Moving
from emu.tui.screens.stage import StepState
from emu.tui.screens.until import Until, UntilScreen
from emu.tui.teacher import one_line

if TYPE_CHECKING:
    from emu.tui.past import Past, Stop
    from emu.tui.search import Watch

_REPORT_SECONDS = 0.2
_T = TypeVar("_T")

Find = Callable[["Past", "Watch"], "tuple[Stop | None, str]"]
"""Looks for a moment in a thread; gives it, and what to say there (or why there is none)."""


class Seeking(Moving):
    """Long searches run in a thread, show how far they are, and end with Esc."""

    def __init__(self, lesson: Lesson, steps: list[StepState]) -> None:
        super().__init__(lesson, steps)
        self.enough: threading.Event | None = None
        self.searched = 0

    # -- run until ------------------------------------------------------------------------------------------------

    def action_until(self, back: bool) -> None:
        """Ask what to run until, then run."""
        if self.past is not None and not self.busy:
            host(self).push_screen(UntilScreen(back), self._until)

    def _until(self, chosen: Until | None) -> None:
        if chosen is None or self.past is None:
            return
        goal, back = chosen
        if not back and not self.past.rewound:
            self.say("answer first" if self.covered else "this is now: look back, or go on with ]")
        elif isinstance(goal, EventGoal):
            self._run_to_event(goal, back)
        else:
            self.seek(f"looking for {goal.name}", lambda past, watch: _find(past, goal, back, watch))

    def _run_to_event(self, goal: EventGoal, back: bool) -> None:
        assert self.past is not None
        here = self.past.at
        found = self.past.previous_event(goal.wants) if back else self.past.next_event(goal.wants)
        if not found:
            self.past.go(*here)
            self.notice = _nothing(goal, back)
        self.arrived()

    def action_line(self, back: bool) -> None:
        """To the next source line, or to the one before: near as a rule, but a line may loop for long."""
        if self.busy or self.past is None or (not back and self.is_now()):
            return
        words = "the source line before" if back else "the next source line"
        self.seek(f"looking for {words}", lambda past, watch: _find_line(past, back, watch))

    # -- searching ------------------------------------------------------------------------------------------------

    def seek(self, what: str, find: Find) -> None:
        """Let `find` look for a moment in a thread, and go there."""
        if self.busy or self.past is None:
            return
        self.busy = True
        self.run_worker(self._seek(self.past, what, find))

    async def _seek(self, past: Past, what: str, find: Find) -> None:
        here = past.at

        def look(watch: Watch) -> str:
            stop = None
            try:
                stop, words = find(past, watch)
            finally:
                past.go(*(stop or here))
            return words

        words = await self.in_thread(what, look)
        self.notice = self.notice if words is None else words
        self.arrived()

    async def in_thread(self, what: str, work: Callable[[Watch], _T]) -> _T | None:
        """What `work` gives, done in a thread while the screen tells how far it is, and ended by Esc.

        None if it was ended or failed; then the notice says so.
        """
        enough = self.enough = threading.Event()
        report = self.set_interval(_REPORT_SECONDS, lambda: self.say(f"{what}: {self.searched:,}; Esc stops"))
        from emu.tui.search import Stopped

        def watch(insn: int) -> None:
            self.searched = insn
            if enough.is_set():
                raise Stopped

        found, trouble = None, ""
        try:
            found = await asyncio.to_thread(work, watch)
        except Stopped:
            trouble = "stopped looking"
        except Exception as error:
            trouble = one_line(error)
        finally:
            report.stop()
            self.enough, self.busy = None, False
        self.notice = trouble
        return found

    def action_escape(self) -> None:
        """Stop a search; without one, back to all panels."""
        if self.enough is not None:
            self.enough.set()
        else:
            self.action_zoom("")

    def on_unmount(self) -> None:
        """Nobody waits for a search any more."""
        if self.enough is not None:
            self.enough.set()


def _nothing(goal: Goal, back: bool) -> str:
    return f"no {goal.name} {'before this' if back else 'between here and now'}"


def _find(past: Past, goal: PlaceGoal | TouchGoal, back: bool, watch: Watch) -> tuple[Stop | None, str]:
    from emu.tui import search

    if isinstance(goal, PlaceGoal):
        addresses = search.place_addresses(past, goal.text)
        find = search.previous_place if back else search.next_place
        stop = find(past, addresses, watch)
    else:
        wants = search.touches(past, goal.text)
        match = search.previous_match if back else search.next_match
        event = match(past, wants, watch)
        stop = None if event is None else search.behind(event)
    return (stop, "") if stop is not None else (None, _nothing(goal, back))


def _find_line(past: Past, back: bool, watch: Watch) -> tuple[Stop | None, str]:
    from emu.tui.lines import next_line, previous_line

    if back:
        stop = previous_line(past, watch)
        return stop, "" if stop is not None else "no source line before this one"
    return next_line(past, watch) or past.end, ""

# SPDX-License-Identifier: GPL-2.0-or-later
"""Moving the cursor within what the lesson has run: steps, events, places, and play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Final

from textual.timer import Timer

from emu.lesson.model import Lesson
from emu.tui.host import host
from emu.tui.screens.address import AddressScreen
from emu.tui.screens.stage import Stage, StepState, walks_on
from emu.tui.teacher import one_line

TEMPOS: Final = (1, 2, 4, 8, 16)
"""Events a second."""


class Moving(Stage):
    """Keys that move the cursor. The head is never moved from here."""

    def __init__(self, lesson: Lesson, steps: list[StepState]) -> None:
        super().__init__(lesson, steps)
        self.speed = TEMPOS.index(4)
        self._playing: Timer | None = None

    def look(self) -> None:
        """Take the picture of where the cursor is."""
        assert self.past is not None
        self.snapshot = self.past.look(self.snapshot)
        self.behind = self.past.rewound
        self.entry = None

    def arrived(self) -> None:
        """The cursor has moved: look, and show."""
        self.view, self.slot = -1, None
        self.look()
        self.show()

    def action_move(self, how: str) -> None:
        """Move the cursor within what the lesson has run."""
        if self.busy or self.past is None:
            return
        past = self.past
        if how in ("step", "event", "head") and self.is_now():
            return
        start = self.state.start
        moves: dict[str, Callable[[], object]] = {
            "step": past.step,
            "step_back": past.step_back,
            "event": lambda: past.next_event(),
            "event_back": lambda: past.previous_event(),
            "start": lambda: past.go(*start),
            "head": past.to_head,
        }
        moves[how]()
        self.arrived()

    def is_now(self) -> bool:
        """Whether the cursor is at the head and cannot go forward; then the screen says so."""
        if self.past is not None and self.past.rewound:
            return False
        self.say("answer first" if self.covered else "this is now: ] goes on")
        return True

    def action_events(self, by: int) -> None:
        """Several events on, or back."""
        if self.busy or self.past is None:
            return
        from emu.view.timeline import is_landmark

        past = self.past
        seen, ahead = past.before_step(), past.ahead()
        marks = list(islice(filter(is_landmark, reversed(seen) if by < 0 else ahead), abs(by)))
        if marks:
            past.go_to(marks[-1])
        else:
            past.go(0) if by < 0 else past.to_head()
        self.arrived()

    def go_to_event(self, seq: int) -> None:
        """To where event `seq` has just happened, if it is stored."""
        if self.busy or self.past is None:
            return
        event = self.past.event(seq)
        if event is not None:
            self.past.go_to(event)
            self.arrived()

    # -- play -----------------------------------------------------------------------------------------------------

    def action_play(self) -> None:
        """Run through the events by itself, or stop."""
        if self._playing is not None:
            self._stop_playing()
        elif self.past is not None and self.past.rewound:
            self._start_playing()
        else:
            self.say("play runs from the past to now: go back first")
            return
        self.show()

    def action_speed(self, by: int) -> None:
        """Play faster or slower."""
        self.speed = max(0, min(len(TEMPOS) - 1, self.speed + by))
        if self._playing is not None:
            self._stop_playing()
            self._start_playing()
            self.show()
        else:
            self.say(f"play: {self._tempo_words()}")

    def _tempo_words(self) -> str:
        return f"{TEMPOS[self.speed]} event{'s' * (self.speed > 0)} a second"

    def _start_playing(self) -> None:
        self._playing = self.set_interval(1 / TEMPOS[self.speed], self._play_on)
        self.tempo = f"▶ {self._tempo_words()}, + and -"

    def _stop_playing(self) -> None:
        if self._playing is not None:
            self._playing.stop()
        self._playing, self.tempo = None, ""

    def _play_on(self) -> None:
        if self.past is None or not self.past.rewound:
            self._stop_playing()
            self.show()
        else:
            self.action_move("event")

    # -- addresses ------------------------------------------------------------------------------------------------

    def action_address(self) -> None:
        """Walk an address that the student names."""
        if self.covered:
            self.say("predict first: a letter; h is the hint")
        elif self.past is not None and not self.busy:
            host(self).push_screen(AddressScreen(), self._walk_address)

    def _walk_address(self, text: str | None) -> None:
        if not text or self.past is None:
            return
        state = self.state
        try:
            found = self.past.walk(text)
        except Exception as error:
            self.say(one_line(error))
            return
        state.page = replace(state.page, items=(*state.page.items, found))
        self.view = len(walks_on(state.page)) - 1
        self.show()

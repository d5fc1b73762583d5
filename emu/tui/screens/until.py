# SPDX-License-Identifier: GPL-2.0-or-later
"""Run until what? A letter chooses an event; a place or an address is typed."""

from typing import Final, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from emu.tui.goals import EVENT_GOALS, Goal, PlaceGoal, TouchGoal
from emu.tui.style import to_text
from emu.view.spans import Line, Span, line

_TYPED: Final = {
    "p": ("a place in the code", "symbol, file:line, or a number"),
    "a": ("an address touched", "a number, symbol+n, or *expression"),
}


class Until(NamedTuple):
    """What was chosen, and whether to look back for it."""

    goal: Goal
    back: bool


class UntilScreen(ModalScreen[Until]):
    """Gives the goal; dismissed without one by Esc."""

    AUTO_FOCUS = ""
    BINDINGS: list[BindingType] = [
        Binding("escape", "cancel", "cancel"),
        Binding("tab", "turn", "the other way"),
        *(Binding(goal.key, f"event('{goal.key}')", goal.name) for goal in EVENT_GOALS),
        *(Binding(key, f"typed('{key}')", words) for key, (words, _) in _TYPED.items()),
    ]

    def __init__(self, back: bool) -> None:
        super().__init__()
        self.back = back
        self._typing = ""

    def compose(self) -> ComposeResult:
        """The choices, and the field that opens for two of them."""
        with Vertical(id="until"):
            yield Static(id="until-choices")
            field = Input(id="until-text")
            field.display = False
            yield field

    def restyle(self) -> None:
        """Write the choices anew, in these colours."""
        self.query_one("#until-choices", Static).update(to_text(_choices()))

    def on_mount(self) -> None:
        """The choices, and which way."""
        self.restyle()
        self._label()

    def _label(self) -> None:
        box = self.query_one("#until")
        box.border_title = "run back until" if self.back else "run until"
        box.border_subtitle = "Tab: the other way   Esc: cancel"

    def action_turn(self) -> None:
        """Forwards or back."""
        self.back = not self.back
        self._label()

    def action_event(self, key: str) -> None:
        """An event of a kind."""
        goal = next(goal for goal in EVENT_GOALS if goal.key == key)
        self.dismiss(Until(goal, self.back))

    def action_typed(self, key: str) -> None:
        """Ask for the place or the address."""
        self._typing = key
        field = self.query_one("#until-text", Input)
        field.placeholder = _TYPED[key][1]
        field.display = True
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        text = event.value.strip()
        if not text:
            self.action_cancel()
            return
        goal = PlaceGoal(text) if self._typing == "p" else TouchGoal(text)
        self.dismiss(Until(goal, self.back))

    def action_cancel(self) -> None:
        """Esc."""
        self.dismiss(None)


def _choices() -> list[Line]:
    rows = [
        line(Span(f"  {goal.key}  ", "flag"), f"{_article(goal.name)} {goal.name}") for goal in EVENT_GOALS
    ]
    return rows + [line(Span(f"  {key}  ", "flag"), f"{words} ...") for key, (words, _) in _TYPED.items()]


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"

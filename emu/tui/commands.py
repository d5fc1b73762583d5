# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that a key can do: one table, read by the bindings, the help and the command palette."""

from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from textual.binding import Binding, BindingType
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.screen import Screen

from emu.lesson.pages import LETTERS
from emu.tui.layout import PANELS


@dataclass(frozen=True, slots=True)
class Command:
    """`key` does `action` of the lesson's screen. `shown` keys stand in the footer, as `label`."""

    key: str
    action: str
    label: str
    help: str
    shown: str = ""


COMMANDS: Final = (
    Command("s", "move('step')", "step", "one instruction forward", "s/S"),
    Command("S", "move('step_back')", "step back", "one instruction back (also b)"),
    Command("b", "move('step_back')", "back", "one instruction back"),
    Command("n", "line(False)", "line", "to the next source line"),
    Command("N", "line(True)", "line back", "to the source line before"),
    Command(
        "e", "move('event')", "event", "to the next event: a miss, a fault, a system call, a mark", "e/E"
    ),
    Command("E", "move('event_back')", "event back", "to the event before"),
    Command(
        "u", "until(False)", "until", "run until: a miss, a fault, a call, a place, an address ...", "u/U"
    ),
    Command("U", "until(True)", "back until", "run back until the same"),
    Command("w", "entry(1)", "walk", "through the walk of this access, one entry at a time", "w"),
    Command("W", "entry(-1)", "entry back", "back through the entries of the walk"),
    Command("right_square_bracket", "lesson_step(1)", "next", "the lesson's next step", "]"),
    Command("left_square_bracket", "lesson_step(-1)", "step before", "the lesson's step before"),
    Command("l", "lesson_step(1)", "next step", "the lesson's next step (also ])"),
    Command("home", "move('start')", "start", "to where this lesson step began"),
    Command("end", "move('head')", "now", "to where the lesson has come: now"),
    Command("space", "play", "play", "run through the events by itself, or stop"),
    Command("plus", "speed(1)", "faster", "play faster"),
    Command("minus", "speed(-1)", "slower", "play slower"),
    Command("left", "move('event_back')", "event back", "back along the timeline (also E)"),
    Command("right", "move('event')", "event", "along the timeline (also e)"),
    Command("shift+left", "events(-10)", "ten back", "ten events back along the timeline"),
    Command("shift+right", "events(10)", "ten on", "ten events along the timeline"),
    Command("down", "select(1)", "next entry", "the next entry of the walk, or line of the active panel"),
    Command("up", "select(-1)", "entry before", "the one before"),
    Command("tab", "next_panel(1)", "panel", "the arrows move in the next panel"),
    Command("shift+tab", "next_panel(-1)", "panel before", "the arrows move in the panel before"),
    Command("o", "who_wrote", "who wrote?", "to where the selected entry of the walk was last written"),
    Command("O", "who_filled", "who filled?", "to where the selected TLB entry was filled"),
    Command("y", "why", "why?", "why: the sentence and the bits for what is selected", "y"),
    Command("f", "what_if", "what if?", "what if a bit or a switch were otherwise: both runs, side by side"),
    Command("p", "own_source", "Pagewalk's source", "Pagewalk's own source for what has just happened"),
    Command("x", "app.export", "export", "save this screen as a picture (SVG) and as text"),
    Command("T", "app.theme", "theme", "dark or light"),
    Command("v", "view", "view", "the walks that the lesson showed, one after the other"),
    Command("g", "address", "go to", "walk an address: a number, symbol+n or *expression"),
    Command("t", "array", "TLB array", "the next TLB array"),
    Command("h", "hint", "hint", "a hint for the open question; again, another"),
    Command("pagedown", "scroll(1)", "page down", "scroll the lesson (or the panel that fills the screen)"),
    Command("pageup", "scroll(-1)", "page up", "scroll back"),
    Command("escape", "escape", "all panels", "back to all panels; stops a search"),
    Command("question_mark", "help", "help", "these keys, and what the glyphs mean", "?"),
    Command("L", "app.course", "lessons", "back to the list of lessons"),
    Command("R", "reset", "begin again", "forget this lesson's answers and begin again (asks first)"),
    Command("q", "app.quit", "quit", "leave", "q"),
)
_KEY_NAMES: Final = {
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "question_mark": "?",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "escape": "Esc",
    "home": "Home",
    "end": "End",
    "space": "Space",
    "left": "←",
    "right": "→",
    "shift+left": "S-←",
    "shift+right": "S-→",
    "down": "↓",
    "up": "↑",
    "tab": "Tab",
    "shift+tab": "S-Tab",
    "plus": "+",
    "minus": "-",
}


def key_name(key: str) -> str:
    """The key as people write it."""
    return _KEY_NAMES.get(key, key)


def bindings() -> list[BindingType]:
    """The table as Textual's bindings; a letter goes through `letter`, which knows whether a question is open."""
    found: list[BindingType] = []
    keys = {command.key for command in COMMANDS}
    for command in COMMANDS:
        action = f"letter('{command.key}')" if command.key in LETTERS else command.action
        found.append(
            Binding(
                command.key,
                action,
                command.label,
                show=bool(command.shown),
                key_display=command.shown or key_name(command.key),
            )
        )
    found += [Binding(letter, f"letter('{letter}')", show=False) for letter in LETTERS if letter not in keys]
    for number, panel in enumerate(PANELS, 1):
        found.append(Binding(str(number % 10), f"zoom('{panel}')", panel, show=False))
    return found


class LessonCommands(Provider):
    """The table in the command palette."""

    def _actions(self) -> list[tuple[str, str, str]]:
        rows = [(f"{c.label}  ({key_name(c.key)})", c.action, c.help) for c in COMMANDS]
        for number, panel in enumerate(PANELS, 1):
            rows.append((f"panel: {panel}  ({number % 10})", f"zoom('{panel}')", "that panel alone, whole"))
        return rows

    async def discover(self) -> Hits:
        """All of them."""
        for label, action, text in self._actions():
            yield DiscoveryHit(label, partial(self._run, action), help=text)

    async def search(self, query: str) -> Hits:
        """Those that match."""
        matcher = self.matcher(query)
        for label, action, text in self._actions():
            score = max(matcher.match(label), matcher.match(text))
            if score > 0:
                yield Hit(score, matcher.highlight(label), partial(self._run, action), help=text)

    async def _run(self, action: str) -> None:
        screen = cast("Screen[None]", self.screen)
        await self.app.run_action(action, default_namespace=screen)

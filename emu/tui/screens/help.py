# SPDX-License-Identifier: GPL-2.0-or-later
"""The help: keys, glyphs and owners, above the lesson."""

from typing import Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from emu.tui.commands import COMMANDS, key_name
from emu.tui.layout import PANELS
from emu.tui.style import to_text
from emu.view.spans import Line, Span, line

GLYPHS: Final = (
    ("●", "hit", "a TLB answered at once"),
    ("◐", "hit", "level 2 answered"),
    ("○", "miss", "no TLB had it: the CPU walked"),
    ("+", "fill", "filled by this instruction"),
    ("−", "evict", "had to leave its place"),
    ("≠", "stale", "memory says otherwise by now"),
    ("✗", "bad", "refused"),
    ("r w x", "", "an entry or byte read, written, fetched"),
    ("R c", "", "an entry that was not read: a register had it, or a paging-structure cache"),
    ("dm", "", "a page of the direct map, with its frame; kern: kernel image; kstk: its stacks"),
    ("~", "", "from the cost model, not counted"),
    ("▒▒▒", "cover", "covered until you have predicted"),
)


SECOND_KEYS: Final = ("b", "l")
"""Keys that another line of the help speaks of."""


def help_lines() -> list[Line]:
    """Keys, then panels, then glyphs."""
    rows = [line(Span("Keys", "head"))]
    for command in (c for c in COMMANDS if c.key not in SECOND_KEYS):
        rows.append(line(Span(f"  {key_name(command.key):<6}", "flag"), command.help))
    panels = [f"{number % 10} {panel:<11}" for number, panel in enumerate(PANELS, 1)]
    rows += [
        line(""),
        line(Span("One panel alone, whole; the same key or Esc goes back", "head")),
        line(f"  {''.join(panels[:5])}"),
        line(f"  {''.join(panels[5:])}"),
    ]
    rows += [line(""), line(Span("Glyphs", "head"))]
    rows += [line(Span(f"  {glyph:<6}", role or "number"), text) for glyph, role, text in GLYPHS]
    rows += [line(""), line("  Inverted: changed since the last stop. Underlined frames are never swapped.")]
    return rows


class HelpScreen(ModalScreen[None]):
    """Any of Esc, ? and q closes it."""

    BINDINGS: list[BindingType] = [Binding("escape,question_mark,q", "dismiss", "close")]

    def compose(self) -> ComposeResult:
        """One scrolling text."""
        with VerticalScroll(id="help"):
            yield Static(id="help-text")

    def restyle(self) -> None:
        """Write the text anew, in these colours."""
        self.query_one("#help-text", Static).update(to_text(help_lines()))

    def on_mount(self) -> None:
        """The text, and how to leave."""
        self.restyle()
        box = self.query_one("#help")
        box.border_title = "help"
        box.border_subtitle = "Esc closes"

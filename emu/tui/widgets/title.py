# SPDX-License-Identifier: GPL-2.0-or-later
"""The first line of the screen: where in the lesson, where in the machine."""

from rich.text import Text
from textual.widget import Widget

from emu.tui.showing import Showing
from emu.tui.style import to_text
from emu.view.spans import Line, Span, clip, line


class TitleLine(Widget):
    """Lesson and step at the left, the machine at the right."""

    def __init__(self) -> None:
        super().__init__(id="title")
        self.showing: Showing | None = None

    def show(self, showing: Showing) -> None:
        """Show another moment."""
        self.showing = showing
        self.refresh()

    def render(self) -> Text:
        """One line."""
        if self.showing is None:
            return Text("")
        return to_text([_title(self.showing, self.size.width)])


def _title(showing: Showing, width: int) -> Line:
    left = [Span(" Pagewalk ", "key"), Span(f"  {showing.lesson} ", "strong")]
    step = f"step {showing.step + 1}/{showing.steps}"
    if width >= 100:
        step += " " + "■" * (showing.step + 1) + "□" * (showing.steps - showing.step - 1)
    left.append(Span(f"▸ {step}  ", "name"))
    right: list[Span] = []
    snapshot = showing.snapshot
    if showing.notice:
        right.append(Span(f" {showing.notice} ", "changed"))
    elif snapshot is None:
        right.append(Span(showing.page.status or "no machine yet", "dim"))
    elif showing.rewound:
        right.append(Span(f" {showing.rewound} ", "stale", True))
    if snapshot is not None and not showing.notice:
        ring = "" if showing.rewound and width < 100 else f"ring {snapshot.ring}  "
        where = snapshot.ended.partition(" (")[0] or f"{ring}{snapshot.process}"
        if not showing.rewound:
            right.append(Span(f"insn {snapshot.insn:,}  ", "number"))
        right.append(Span(f" {where} ", "number"))
        if width >= 110:
            right.insert(0, Span(f"{snapshot.geometry}  ", "dim"))
    used = sum(len(span.text) for span in (*left, *right))
    return clip(line(*left, " " * max(1, width - used), *right), width)

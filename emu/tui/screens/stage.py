# SPDX-License-Identifier: GPL-2.0-or-later
"""The stage of a lesson: its panels, where they stand, and what they show at a moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Footer, Static

from emu.tui.commands import bindings
from emu.tui.host import host
from emu.tui.layout import PANELS, places
from emu.tui.page import PageState
from emu.tui.screens.sized import Sized
from emu.tui.showing import Showing
from emu.tui.teacher import Head
from emu.tui.widgets.console import ConsolePanel
from emu.tui.widgets.counters import CountersPanel
from emu.tui.widgets.frames import FramesPanel
from emu.tui.widgets.lesson import LessonPanel
from emu.tui.widgets.panel import Panel
from emu.tui.widgets.registers import RegistersPanel
from emu.tui.widgets.source import SourcePanel
from emu.tui.widgets.spaces import SpacesPanel
from emu.tui.widgets.timeline import TimelinePanel
from emu.tui.widgets.title import TitleLine
from emu.tui.widgets.tlb import TlbPanel
from emu.tui.widgets.walk import WalkPanel

if TYPE_CHECKING:
    from emu.lesson.model import Lesson
    from emu.tui.past import Past
    from emu.view.access import AccessView
    from emu.view.snapshot import Snapshot
    from emu.view.tlb import ArrayGrid


@dataclass
class StepState:
    """What is known of one lesson step: its page, where it began, and where the head was last in it."""

    page: PageState
    start: tuple[int, int] = (0, 0)
    head: Head | None = None
    stand: tuple[int, int] | None = None
    answers: list[int | None] = field(default_factory=lambda: [])


class Stage(Sized):
    """Panels and what they show. Subclasses change what is shown, and end in `show`."""

    BINDINGS: list[BindingType] = bindings()
    AUTO_FOCUS = None

    def __init__(self, lesson: Lesson, steps: list[StepState]) -> None:
        super().__init__()
        self.lesson = lesson
        self.steps = steps
        self.step = 0
        self.past: Past | None = None
        self.snapshot: Snapshot | None = None
        self.busy = True
        self.zoomed: str | None = None
        self.entry: int | None = None
        self.array = 0
        self.views: list[AccessView] = []
        self.view = -1
        self.active = ""
        """The panel that the arrows move in; before one is chosen, the walk."""
        self.slot: tuple[int, int] | None = None
        """(set, way) selected in the array in view."""
        self.behind = False
        """Whether the moment in view lies behind the head."""
        self.notice = ""
        self.tempo = ""
        """While the run plays by itself: how fast, in words."""

    @property
    def state(self) -> StepState:
        """The lesson step in view."""
        return self.steps[self.step]

    @property
    def covered(self) -> bool:
        """Whether results are hidden until the open question is answered."""
        return self.state.page.open is not None

    def compose(self) -> ComposeResult:
        """Title, panels, footer."""
        yield TitleLine()
        yield LessonPanel()
        yield WalkPanel()
        yield TlbPanel()
        yield CountersPanel()
        yield FramesPanel()
        yield SourcePanel()
        yield ConsolePanel()
        yield SpacesPanel()
        yield RegistersPanel()
        yield TimelinePanel()
        yield Static("", id="too-small")
        yield Footer(show_command_palette=True, compact=True)

    def on_resize(self, event: events.Resize) -> None:
        """Another size, another layout."""
        del event
        self.place()

    def place(self) -> None:
        """Put each panel where it belongs at this size."""
        found = places(*host(self).size, self.zoomed) if self.fits() else {}
        for panel in self.query(Panel):
            where = found.get(panel.role)
            panel.display = where is not None
            if where is not None:
                panel.styles.offset = (where.x, where.y)
                panel.styles.width, panel.styles.height = where.width, where.height

    def show(self) -> None:
        """Show the moment in every panel."""
        showing = self._showing()
        self.notice = ""
        self.set_class(bool(showing.rewound), "rewound")
        self.query_one(LessonPanel).set_class(self.covered, "asking")
        self.query_one(TitleLine).show(showing)
        for panel in self.query(Panel):
            panel.show(showing)

    def _showing(self) -> Showing:
        state = self.state
        self.views = walks_on(state.page)
        look = self.views[self.view % len(self.views)] if self.views and self.view >= 0 else None
        return Showing(
            lesson=self.lesson.id,
            steps=len(self.steps),
            step=self.step,
            page=state.page,
            snapshot=self.snapshot,
            behind=self.behind,
            head=self.past.head.insn if self.past is not None else 0,
            look=look,
            entry=self.entry,
            array=self.array,
            covered=self.covered,
            notice=self.notice,
            tempo=self.tempo,
            active=self.active,
            slot=self.slot,
        )

    def say(self, notice: str) -> None:
        """Show one line, until the next key."""
        self.notice = notice
        self.show()

    # -- keys that only change what is seen ------------------------------------------------------------------------

    @property
    def target(self) -> str:
        """The panel that the arrows move in."""
        return self.zoomed or self.active or "walk"

    def activate(self, panel: str) -> None:
        """Let the arrows move in `panel`."""
        self.active = panel
        for one in self.query(Panel):
            one.set_class(one.role == panel, "active")

    def action_next_panel(self, by: int) -> None:
        """The arrows move in the next panel in view."""
        shown = [panel.role for panel in self.query(Panel) if panel.display]
        if shown:
            at = shown.index(self.active) if self.active in shown else -1 if by > 0 else 0
            self.activate(shown[(at + by) % len(shown)])
            self.show()

    def action_select(self, by: int) -> None:
        """The next entry of the walk or of the TLB; in another panel, the next line."""
        if self.target == "walk":
            self.action_entry(by)
        elif self.target == "tlb":
            self._select_slot(by)
        else:
            self.query_one(f"#{self.target}", Panel).scroll_rows(by)

    def _select_slot(self, by: int) -> None:
        grid = self.grid
        if grid is None or not grid.held:
            return
        here = self.slot if self.slot in grid.held else grid.happened
        at = grid.held.index(here) + by * (here == self.slot) if here is not None else 0
        self.slot = grid.held[at % len(grid.held)]
        self.show()

    @property
    def grid(self) -> ArrayGrid | None:
        """The TLB array in view."""
        grids = self.snapshot.tlb if self.snapshot is not None else ()
        return grids[self.array % len(grids)] if grids else None

    def action_entry(self, by: int) -> None:
        """Step through the entries of the walk; past the last one, the whole walk again."""
        access = self.snapshot.access if self.snapshot is not None else None
        count = len(access.walk.rows) if access is not None and access.walk is not None else 0
        if not count:
            return
        at = -1 if self.entry is None and by > 0 else count if self.entry is None else self.entry
        at += by
        self.entry = at if 0 <= at < count else None
        self.view = -1
        self.show()

    def action_view(self) -> None:
        """The next walk that the lesson showed; after the last one, the last access."""
        self.view = self.view + 1 if self.view + 1 < len(self.views) else -1
        self.entry = None
        self.show()

    def action_array(self) -> None:
        """The next TLB array that holds anything."""
        grids = self.snapshot.tlb if self.snapshot is not None else ()
        for by in range(1, len(grids) + 1):
            if grids[(self.array + by) % len(grids)].used:
                self.array = (self.array + by) % len(grids)
                break
        self.slot = None
        self.show()

    def action_zoom(self, panel: str) -> None:
        """One panel alone, or all of them again."""
        self.zoomed = panel if panel in PANELS and panel != self.zoomed else None
        self.place()

    def action_scroll(self, pages: int) -> None:
        """Scroll the panel that fills the screen, else the lesson."""
        panel = self.query_one(f"#{self.zoomed or 'lesson'}", Panel)
        panel.scroll_rows(pages * max(1, panel.content_size.height - 1))


def walks_on(page: PageState) -> list[AccessView]:
    """The walks on a page, in the walk panel's form."""
    if not page.items:
        return []
    from emu.view.access import shown_view
    from emu.view.walk import WalkView

    return [shown_view(item) for item in page.items if isinstance(item, WalkView)]

# SPDX-License-Identifier: GPL-2.0-or-later
"""One frozen picture of a machine: everything a screen, a page or a notebook shows of one moment."""

from collections.abc import Sequence
from dataclasses import dataclass

from emu.events import Accessed, Event, Faulted
from emu.view.access import AccessView, access_view
from emu.view.code import CodeView, code_view
from emu.view.console import console_tail
from emu.view.counters import CounterRow, counter_rows
from emu.view.frames import FrameMap, frame_map
from emu.view.inspector import Inspector
from emu.view.names import name_of, page_name
from emu.view.registers import RegisterRow, register_rows
from emu.view.spaces import Space, space_lines, space_rows
from emu.view.spans import Line
from emu.view.timeline import TimeCell, time_cells, timeline_lines
from emu.view.tlb import ArrayGrid, Names, tlb_grids


@dataclass(frozen=True, slots=True)
class Moment:
    """What the events say of a moment: `step` those of the last instruction, all of them; `past` the stored ones."""

    step: Sequence[Event] = ()
    past: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment: each field is one panel's rows."""

    insn: int
    ring: int
    process: str
    geometry: str
    ended: str
    registers: tuple[RegisterRow, ...]
    code: CodeView
    access: AccessView
    tlb: tuple[ArrayGrid, ...]
    frames: FrameMap
    spaces: tuple[Space, ...]
    console: tuple[str, ...]
    timeline: tuple[TimeCell, ...]
    counters: tuple[CounterRow, ...]

    def space_lines(self) -> list[Line]:
        """The address spaces as lines, the loaded one first."""
        return space_lines(self.spaces)

    def timeline_lines(self, width: int, height: int, rewound: bool) -> list[Line]:
        """The timeline as lines, its newest at the right."""
        return timeline_lines(self.timeline, width, height, rewound)


def snapshot(inspector: Inspector, moment: Moment, before: Snapshot | None = None) -> Snapshot:
    """The moment at which `inspector`'s machine is; what differs from `before` is marked as changed."""
    machine = inspector.machine
    processes = inspector.processes()
    controls = machine.mmu.controls
    root = int(controls.root) if controls is not None else None
    process = next((p for p in processes if p.pid > 0 and p.root == root), None)
    pointers = inspector.pointers(process)
    size = machine.memory.size_bytes
    program = process.name if process else None

    def name(linear: int) -> str:
        return name_of(linear, lambda at: inspector.symbol_at(at, program), process, pointers, size)

    def short(linear: int) -> str:
        return page_name(linear, process, pointers, size)

    counters = machine.mmu.counters.report(machine.journal.insn, machine.geometry.cost)
    return Snapshot(
        insn=machine.journal.insn,
        ring=machine.cpu.ring(),
        process=str(process) if process else "no process",
        geometry=machine.geometry.name,
        ended=machine.ended.text if machine.ended else "",
        registers=register_rows(inspector, name, before.registers if before else ()),
        code=code_view(inspector, _refused(moment.step)),
        access=access_view(inspector, moment.step, name),
        tlb=tlb_grids(inspector, moment.step, Names(short, name), before.tlb if before else ()),
        frames=frame_map(
            inspector.frame_table(), {p.pid: p.name for p in processes}, before.frames if before else None
        ),
        spaces=space_rows(processes, root, _touched(moment.step), before.spaces if before else ()),
        console=console_tail(bytes(machine.console)),
        timeline=time_cells(moment.past),
        counters=counter_rows(counters, before.counters if before else ()),
    )


def _refused(step: Sequence[Event]) -> int | None:
    """The instruction that an exception stopped, if that is what the step was."""
    return next((event.rip for event in step if isinstance(event, Faulted)), None)


def _touched(step: Sequence[Event]) -> int | None:
    """The address that the last instruction was about: the refused one, else the last data access."""
    for event in step:
        if isinstance(event, Faulted) and event.cr2 is not None:
            return event.cr2
    data = [e.linear for e in step if isinstance(e, Accessed) and e.type != "fetch" and not e.implicit]
    return data[-1] if data else None

# SPDX-License-Identifier: GPL-2.0-or-later
"""All of memory at one moment, frame by frame, with a name for each frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from emu.bits import PAGE_BYTES, PAGE_SHIFT, LinearAddress, PhysicalAddress
from emu.guest.expression import ExpressionError
from emu.paging.formats import P
from emu.view.inspector import Frame, Inspector, Process

PROGRAMS_OWN: Final = frozenset({"user", "shared"})
"""Owners whose frames a program may write by itself. Every other frame counts as the kernel's."""
_TABLES: Final = {
    "PML5E": "PML5",
    "PML4E": "PML4",
    "PDPTE": "PDPT",
    "PDE": "page directory",
    "PTE": "page table",
}
"""What a table is called by the entries that it holds."""
_STACK_PAGES: Final = 2


@dataclass(frozen=True)
class Snapshot:
    """Memory at a moment.

    `boot`, `insn`, `seq` and the number of `inputs` so far say when; `names` says more than the owner of a frame,
    where there is more to say.
    """

    boot: int
    insn: int
    seq: int
    inputs: int
    memory: bytes
    frames: tuple[Frame, ...]
    names: dict[int, str]

    def frame_bytes(self, number: int) -> bytes:
        """The 4096 bytes of one frame."""
        return self.memory[number << PAGE_SHIFT : (number + 1) << PAGE_SHIFT]

    def is_kernels(self, number: int) -> bool:
        """Whether the frame is neither a program's own nor shared with one."""
        return self.frames[number].owner not in PROGRAMS_OWN

    def kernel_frames(self) -> list[int]:
        """The numbers of all frames that are the kernel's, free ones and those of its image included."""
        return [frame.number for frame in self.frames if frame.owner not in PROGRAMS_OWN]

    def name(self, number: int) -> str:
        """What the frame is for, in words."""
        frame = self.frames[number]
        return self.names.get(number) or (f"{frame.owner} ({frame.pid})" if frame.pid else frame.owner)

    def differing(self, other: "Snapshot") -> list[int]:
        """The numbers of the frames whose bytes are not the same in `other`."""
        if self.memory == other.memory:
            return []
        return [n for n in range(len(self.frames)) if self.frame_bytes(n) != other.frame_bytes(n)]


def take_snapshot(inspector: Inspector, boot: int) -> Snapshot:
    """Memory as it is now. Changes nothing."""
    machine = inspector.machine
    return Snapshot(
        boot=boot,
        insn=machine.journal.insn,
        seq=machine.journal.seq,
        inputs=len(machine.inputs),
        memory=machine.memory.buffer[:],
        frames=tuple(inspector.frames()),
        names=dict(_names(inspector)),
    )


def _names(inspector: Inspector) -> Iterator[tuple[int, str]]:
    yield from _frame_table(inspector)
    for process in inspector.processes():
        yield from _stack(inspector, process)
        yield from _tables(inspector, process)


def _frame_table(inspector: Inspector) -> Iterator[tuple[int, str]]:
    try:
        first = inspector.value("frames")
        count = inspector.value("frame_count")
        each = inspector.value("frames[0]")
    except ExpressionError:
        return
    found = inspector.walk(LinearAddress(int(first)))
    if found is None or not found.complete:
        return
    start = found.physical
    end = start + int(count) * len(each.raw)
    for number in range(start >> PAGE_SHIFT, (end - 1 >> PAGE_SHIFT) + 1):
        yield number, "the frame table, frames[]"


def _stack(inspector: Inspector, process: Process) -> Iterator[tuple[int, str]]:
    slot = next((i for i in range(32) if _slot_pid(inspector, i) == process.pid), None)
    if slot is None:
        return
    top = int(inspector.value(f"procs[{slot}].kernel_stack"))
    for page in range(1, _STACK_PAGES + 1):
        found = inspector.walk(LinearAddress(top - page * PAGE_BYTES)) if top else None
        if found is not None and found.complete:
            yield found.physical >> PAGE_SHIFT, f"kernel stack of {process}"


def _slot_pid(inspector: Inspector, slot: int) -> int | None:
    state = inspector.value(f"procs[{slot}].state").python
    return int(inspector.value(f"procs[{slot}].pid")) if state != "PROC_UNUSED" else None


def _tables(inspector: Inspector, process: Process) -> Iterator[tuple[int, str]]:
    """The frames of the process's own paging structures: its root, and what hangs in the lower half."""
    memory, controls = inspector.machine.memory, inspector.machine.mmu.controls
    if controls is None:
        return
    width = controls.mode.entry_bytes
    tables = {process.root}
    for depth, (_, index_mask, sides, level) in enumerate(controls.levels):
        count = index_mask + 1 >> int(depth == 0 and controls.mode.sign_extended)
        below: set[int] = set()
        for table in sorted(tables):
            yield table >> PAGE_SHIFT, f"{_TABLES[level.name]} of {process}"
            for number in range(count):
                raw = memory.read_entry(PhysicalAddress(table + number * width), width)
                side = sides[raw >> 7 & 1]
                if raw & P and not side.maps_page:
                    below.add(raw & side.address_mask)
        tables = below

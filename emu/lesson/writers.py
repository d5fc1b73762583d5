# SPDX-License-Identifier: GPL-2.0-or-later
"""Which frames changed between two moments, and who wrote them.

Ordinary stores that hit level 1 leave no event behind. They are found by running that stretch again, on a second
machine that reports every access; the run is the same to the last byte, so the answer is about the first one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final

from emu.bits import OFFSET_MASK, PAGE_SHIFT
from emu.events import Accessed, DmaDone, EntryWritten, Event, InputApplied, Marked
from emu.lesson.boot import Booted
from emu.lesson.snapshot import PROGRAMS_OWN, Snapshot
from emu.lesson.views import Shown
from emu.machine import Input
from emu.view.inspector import Inspector

WALKER: Final = "the page walk (A and D bits)"
CPU: Final = "the CPU, delivering an event"
_KERNEL_BASE: Final = 0xFFFF_FFFF_8000_0000
_WIDTH: Final = 80


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote a frame: a function's name, or what wrote instead of one; `ring` of the code, None for no code.

    `trespass`: the frame was the kernel's own at the moment of the write, and the writer was in ring 3.
    """

    name: str
    ring: int | None
    writes: int
    trespass: bool = False

    def __str__(self) -> str:
        return f"{self.name} (ring 3)" if self.ring == 3 else self.name


@dataclass(frozen=True, slots=True)
class FrameChange:
    """One frame that is not what it was. `offsets` are the bytes that differ; `kernels`: it was the kernel's."""

    frame: int
    name: str
    kernels: bool
    offsets: tuple[int, ...]
    writers: tuple[Writer, ...]

    @property
    def by_ring_3(self) -> bool:
        """Whether a program's own instruction wrote here while the frame was the kernel's."""
        return any(writer.trespass for writer in self.writers)

    def lines(self) -> list[str]:
        """What changed, and the writers."""
        count = "1 byte differs" if len(self.offsets) == 1 else f"{len(self.offsets)} bytes differ"
        who = ", ".join(map(str, self.writers)) or "nobody that was seen"
        head = wrap(f"frame {self.frame:#x}, {self.name}: {count}", _WIDTH, subsequent_indent="  ")
        tail = wrap(f"written by {who}", _WIDTH, initial_indent="    ", subsequent_indent="      ")
        return [*head, *tail]


@dataclass(frozen=True)
class Changes(Shown):
    """Every frame that changed between two moments. `compared` counts the kernel's frames that were looked at."""

    before_insn: int
    after_insn: int
    compared: int
    frames: tuple[FrameChange, ...]

    @property
    def kernel(self) -> tuple[FrameChange, ...]:
        """The changed frames that were the kernel's before or after."""
        return tuple(change for change in self.frames if change.kernels)

    @property
    def all_named(self) -> bool:
        """Whether a writer is known for every changed frame."""
        return all(change.writers for change in self.frames)

    def writers(self) -> set[str]:
        """The names of all who wrote a kernel frame that changed."""
        return {writer.name for change in self.kernel for writer in change.writers}

    def lines(self) -> list[str]:
        """How many kernel frames are the same, then each that is not."""
        changed = self.kernel
        same = self.compared - len(changed)
        head = f"{self.compared} kernel frames compared: {same} identical, {len(changed)} changed"
        return [head, *(text for change in changed for text in change.lines())]


Replayer = Callable[[Snapshot], Booted]
"""Gives a second machine at the moment of a snapshot, with the inputs up to then."""


def find_changes(replay: Replayer, inputs: Sequence[Input], before: Snapshot, after: Snapshot) -> Changes:
    """What differs between two snapshots of one boot, and who wrote it in between. ValueError for two boots.

    `inputs` are those of the whole run.
    """
    if before.boot != after.boot or after.insn < before.insn:
        raise ValueError("compare two snapshots of one boot, the earlier one first")
    changed = before.differing(after)
    booted = replay(before)
    watch = _Watch(booted.inspector, set(changed), before)
    machine = booted.machine
    machine.mmu.report_all = True
    machine.mmu.tlb.slow_down()
    machine.journal.observers.append(watch)
    machine.inputs.extend(inputs[before.inputs : after.inputs])
    run_to(booted, after.insn, after.seq)
    kernels = [n for n in range(len(before.frames)) if _is_kernels(n, before, after)]
    return Changes(
        before.insn,
        after.insn,
        len(kernels),
        tuple(_change(n, before, after, booted.inspector, watch) for n in changed),
    )


def _is_kernels(number: int, before: Snapshot, after: Snapshot) -> bool:
    """Whether the frame is the kernel's business: not a program's own, nor changing hands between it and the stock."""
    owners = before.frames[number].owner, after.frames[number].owner
    return owners == ("free", "free") or not all(owner in PROGRAMS_OWN or owner == "free" for owner in owners)


def _change(
    number: int, before: Snapshot, after: Snapshot, inspector: Inspector, watch: "_Watch"
) -> FrameChange:
    one, other = before.frame_bytes(number), after.frame_bytes(number)
    offsets = tuple(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    kernels = _is_kernels(number, before, after)
    name = before.names.get(number) or after.names.get(number) or _image(inspector, number, offsets)
    return FrameChange(number, name or before.name(number), kernels, offsets, watch.writers(number))


def _image(inspector: Inspector, number: int, offsets: tuple[int, ...]) -> str | None:
    """The symbols of the kernel image that lie where the bytes differ."""
    kernel = inspector.symbols.kernel
    if kernel is None:
        return None
    found: list[str] = []
    for offset in offsets:
        symbol = kernel.find(_KERNEL_BASE + (number << PAGE_SHIFT) + offset)
        if symbol is not None and symbol[0].name not in found:
            found.append(symbol[0].name)
    return f"kernel data: {', '.join(found)}" if found else None


def run_to(booted: Booted, insn: int, seq: int) -> None:
    """Run on until `insn` instructions are executed and every event before `seq` has happened."""
    machine = booted.machine
    machine.run(max(0, insn - machine.journal.insn))
    while machine.journal.seq < seq and machine.ended is None:
        machine.run_until(1, wants=lambda event: True)


class _Watch:
    """An observer that notes who writes some frames."""

    def __init__(self, inspector: Inspector, frames: set[int], before: Snapshot) -> None:
        self._inspector = inspector
        self._counts: dict[int, dict[tuple[str, int | None, bool], int]] = {frame: {} for frame in frames}
        self._kernels = {frame for frame in frames if before.is_kernels(frame)}
        """Those of the frames that are the kernel's at the moment."""
        self._functions: dict[tuple[int, int], str] = {}
        """By RIP and, for ring 3, the root of the address space: two programs may use one address."""

    def __call__(self, event: Event) -> None:
        if type(event) is Accessed:
            if event.type == "write" and event.physical >> PAGE_SHIFT in self._counts:
                self._note(event.physical >> PAGE_SHIFT, *self._who(event))
        elif isinstance(event, EntryWritten):
            self._note(event.address >> PAGE_SHIFT, WALKER, None)
        elif isinstance(event, Marked) and event.name == "frame_owner":
            self._note_owner(event)
        elif isinstance(event, DmaDone) and event.write:
            self._note_range(event.address, event.size, f"DMA by {event.device}")
        elif isinstance(event, InputApplied) and event.actor == "poke":
            self._note_range(event.address, len(event.data) // 2, "somebody outside (poke)")

    def _note_owner(self, event: Marked) -> None:
        frame, owner = event.arguments.get("frame_number"), event.arguments.get("owner")
        if isinstance(frame, int) and frame in self._counts:
            own = str(owner).removeprefix("FRAME_").lower() in ("user", "ukshm")
            (self._kernels.discard if own else self._kernels.add)(frame)

    def _note_range(self, address: int, count: int, who: str) -> None:
        for frame in range(address >> PAGE_SHIFT, (address + max(count, 1) + OFFSET_MASK) >> PAGE_SHIFT):
            self._note(frame, who, None)

    def _note(self, frame: int, who: str, ring: int | None) -> None:
        counts = self._counts.get(frame)
        if counts is not None:
            key = who, ring, ring == 3 and frame in self._kernels
            counts[key] = counts.get(key, 0) + 1

    def _who(self, event: Accessed) -> tuple[str, int | None]:
        if event.implicit:
            return CPU, None
        controls = self._inspector.machine.mmu.controls
        key = event.rip, controls.root if controls is not None and event.cpl == 3 else 0
        if key not in self._functions:
            self._functions[key] = self._inspector.name(event.rip).partition("+")[0]
        return self._functions[key], event.cpl

    def writers(self, frame: int) -> tuple[Writer, ...]:
        """Those who wrote `frame`, the busiest first."""
        ranked = sorted(self._counts[frame].items(), key=lambda item: (-item[1], item[0][0]))
        return tuple(Writer(name, ring, writes, trespass) for (name, ring, trespass), writes in ranked)

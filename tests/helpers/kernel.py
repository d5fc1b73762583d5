# SPDX-License-Identifier: GPL-2.0-or-later
"""The real guest kernel in a machine, and what a run of it left behind."""

import hashlib
from functools import cache
from pathlib import Path

import msgspec

from emu.events import Event
from emu.guest.boot import boot_layout
from emu.guest.image import KernelImage, load_kernel
from emu.machine import Boot, Machine
from emu.tlb.geometry import Geometry
from emu.tlb.geometry_file import geometry

OUT = Path(__file__).resolve().parents[2] / "guest" / "out"
KERNEL, PROGRAMS = OUT / "kernel.elf", OUT / "programs.cpio"
MEMORY_MIB = 32


@cache
def image() -> KernelImage:
    return load_kernel(KERNEL)


def command_line(program: str, switches: str = "") -> str:
    return f"program={program} {switches}".strip()


def boot(
    program: str, tlb: Geometry | str = "haswell", switches: str = "", keep_history: bool = False
) -> Machine:
    layout = boot_layout(image(), MEMORY_MIB << 20, command_line(program, switches), PROGRAMS.read_bytes())
    segments = tuple((segment.physical, segment.data) for segment in layout.segments)
    return Machine(
        Boot(segments, layout.entry, layout.ebx, memory_mib=MEMORY_MIB),
        geometry(tlb) if isinstance(tlb, str) else tlb,
        keep_history=keep_history,
    )


class Trace:
    """Every event of a machine as the line a trace file would hold; going back takes lines away."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.events: list[tuple[int, bytes]] = []
        machine.journal.observers.append(self._note)

    def _note(self, event: Event) -> None:
        self.events.append((event.seq, msgspec.json.encode(event)))

    def forget_from(self, seq: int) -> None:
        """What has not happened yet after going back."""
        while self.events and self.events[-1][0] >= seq:
            self.events.pop()

    def digest(self) -> str:
        """One word for all events and all memory, registers and counters."""
        machine = self.machine
        parts = [line for _, line in self.events]
        report = machine.mmu.counters.report(machine.journal.insn, machine.geometry.cost)
        parts += [repr((machine.journal.state(), report, machine.ended)).encode(), bytes(machine.console)]
        parts.append(machine.memory.buffer[:])
        context = machine.cpu.engine.context.save()
        parts.append(repr([context.gpr(n) for n in range(16)] + [context.rip, context.cr(3)]).encode())
        return hashlib.sha256(b"\n".join(parts)).hexdigest()


def lines_by_process(console: bytes) -> dict[str, list[str]]:
    """The console's lines by the number each begins with; what has none goes under ""."""
    found: dict[str, list[str]] = {}
    for line in console.decode("utf-8", "replace").replace("\r\n", "\n").splitlines():
        pid, colon, _ = line.partition(":")
        found.setdefault(pid if colon and pid.isdigit() else "", []).append(line)
    return found

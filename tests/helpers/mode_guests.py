# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests of tests/referee/guests: how they are compiled, and run in the machine and in QEMU."""

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emu.events import Event, Faulted
from emu.guest.boot import boot_layout
from emu.guest.build import COMMON_FLAGS, LINK_FLAGS
from emu.guest.image import load_kernel
from emu.machine import Boot, Ended, Machine
from emu.tlb.geometry import Geometry

SOURCES: Final = Path(__file__).resolve().parents[1] / "referee" / "guests"
EXPECTED: Final = SOURCES / "expected"
MEMORY_MIB: Final = 32
BUDGET: Final = 5_000_000
SECONDS: Final = 120

LEVELS: Final = {"32-bit": 2, "PAE": 3, "4-level": 4, "5-level": 5}
"""The paging modes, and the value of LEVELS that a guest is compiled with."""
_TARGETS: Final = {
    32: ["-target", "x86-freestanding", "-march=i686"],
    64: ["-target", "x86_64-freestanding"],
}
_FLAGS: Final = COMMON_FLAGS[2:]
"""The kernel's flags without its `-target`."""


def build(mode: str, cache: Path) -> Path:
    """The image of `mode`, compiled unless folder `cache` has the one of these sources and flags."""
    sources = sorted(path for path in SOURCES.iterdir() if path.suffix in (".c", ".S", ".h", ".ld"))
    flags = [*_TARGETS[64 if LEVELS[mode] > 3 else 32], *_FLAGS, "-Werror", f"-DLEVELS={LEVELS[mode]}"]
    digest = hashlib.sha256(repr((flags, LINK_FLAGS)).encode())
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    image = cache / f"{mode}-{digest.hexdigest()[:16]}.elf"
    if image.is_file():
        return image
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        units = [str(path) for path in sources if path.suffix in (".c", ".S")]
        _zig(["cc", *flags, "-c", *units], scratch)
        objects = sorted(path.name for path in Path(scratch).glob("*.o"))
        _zig(["ld.lld", *LINK_FLAGS, "-T", str(SOURCES / "guest.ld"), "-o", "image", *objects], scratch)
        os.replace(Path(scratch) / "image", image)
    return image


def _zig(arguments: list[str], folder: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ziglang", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@dataclass
class Run:
    """What a run in the machine left: its lines, its end, and the page faults' reasons with the CPL of each."""

    lines: list[str] = field(default_factory=lambda: [])
    ended: Ended | None = None
    reasons: set[tuple[str, int]] = field(default_factory=lambda: set())

    def note(self, event: Event) -> None:
        """Take note of one event."""
        if isinstance(event, Faulted) and event.reason:
            self.reasons.add((event.reason, event.cpl))


def run_here(image: Path, tlb: Geometry) -> Run:
    """Run `image` in a machine with these TLBs to its end."""
    layout = boot_layout(load_kernel(image), MEMORY_MIB << 20, "", b"")
    segments = tuple((segment.physical, segment.data) for segment in layout.segments)
    machine = Machine(
        Boot(segments, layout.entry, layout.ebx, memory_mib=MEMORY_MIB),
        tlb,
        keep_history=False,
    )
    run = Run()
    machine.journal.observers.append(run.note)
    machine.run(BUDGET)
    run.lines = bytes(machine.console).decode("ascii").splitlines()
    run.ended = machine.ended
    return run


def run_in_qemu(image: Path) -> tuple[list[str], int]:
    """QEMU's lines and its exit status, with the command line of the board and a CPU that has every mode."""
    arguments = (
        f"qemu-system-x86_64 -M microvm,acpi=off,pit=on,pic=on,rtc=off,auto-kernel-cmdline=off -m {MEMORY_MIB} "
        "-cpu qemu64,+smep,+smap,+pdpe1gb,+la57,+pku,-apic -accel tcg -icount shift=0,sleep=off -nodefaults "
        "-display none -no-reboot -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 "
        f"-kernel {image} -append referee=qemu"
    ).split()
    done = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
    )
    assert not done.stderr, done.stderr.decode()
    return done.stdout.decode("ascii").splitlines(), done.returncode

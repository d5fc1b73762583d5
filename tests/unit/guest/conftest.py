# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel in miniature, compiled once, and ELF files made by hand."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.guest.image import KernelImage, parse_kernel

SAMPLE = Path(__file__).parent / "sample"
PVH_NOTE = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", 0x100000)
MakeElf = Callable[..., bytes]


@pytest.fixture(scope="session")
def sample_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ziglang", reason="compiling the sample kernel needs pagewalk[guest]")
    from emu.guest.build import KERNEL_FLAGS, LINK_FLAGS

    folder = tmp_path_factory.mktemp("sample")
    zig = [sys.executable, "-m", "ziglang"]
    objects = [folder / f"{source}.o" for source in ("boot.S", "main.c", "data.c")]
    for built in objects:
        mapped = [f"-ffile-prefix-map={folder}=.", f"-ffile-prefix-map={SAMPLE}=sample"]
        flags = [*KERNEL_FLAGS, *mapped, "-c", str(SAMPLE / built.stem), "-o", str(built)]
        subprocess.run([*zig, "cc", *flags], cwd=folder, check=True)
    image = folder / "sample.elf"
    script = ["-T", str(SAMPLE / "sample.ld"), "-o", str(image)]
    subprocess.run([*zig, "ld.lld", *LINK_FLAGS, *script, *map(str, objects)], cwd=folder, check=True)
    return image


@pytest.fixture(scope="session")
def sample_bytes(sample_path: Path) -> bytes:
    return sample_path.read_bytes()


@pytest.fixture
def sample(sample_bytes: bytes) -> KernelImage:
    """A fresh one for each test: nothing of it has been read yet."""
    return parse_kernel(sample_bytes, "kernel image sample.elf", "sample.elf")


@pytest.fixture
def make_elf() -> MakeElf:
    return elf_by_hand


def elf_by_hand(
    segments: tuple[tuple[int, bytes, int], ...] = ((0x100000, b"\xf4" * 16, 0x2000),),
    note: bytes = PVH_NOTE,
    note_align: int = 4,
    bits: int = 64,
    kind: int = 2,
    machine: int | None = None,
) -> bytes:
    """An ELF file of (physical, bytes, size in memory) segments and one PT_NOTE; no sections."""
    header_bytes, entry_bytes = (64, 56) if bits == 64 else (52, 32)
    body_at = header_bytes + entry_bytes * (len(segments) + 1)
    table, body = b"", b""
    for place, data, memory in [*segments, (0, note, len(note))]:
        is_note = data is note
        offset, align = body_at + len(body), note_align if is_note else 4096
        common = (offset, place, place, len(data), memory)
        type_, flags = (4, 4) if is_note else (1, 7)
        if bits == 64:
            table += struct.pack("<IIQQQQQQ", type_, flags, *common, align)
        else:
            table += struct.pack("<IIIIIIII", type_, *common, flags, align)
        body += data
    machine = machine if machine is not None else (62 if bits == 64 else 3)
    layout = "<4sBBB9xHHIQQQIHHHHHH" if bits == 64 else "<4sBBB9xHHIIIIIHHHHHH"
    head = (b"\x7fELF", bits // 32, 1, 1, kind, machine, 1, 0x100000, header_bytes, 0, 0)
    sizes = (header_bytes, entry_bytes, len(segments) + 1, 0, 0, 0)
    return struct.pack(layout, *head, *sizes) + table + body

# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel of tests/referee/disk_guest: how it is compiled, and run in the machine and in QEMU."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from emu.devices.disk import DiskImage
from emu.guest.boot import boot_layout
from emu.guest.build import KERNEL_FLAGS, LINK_FLAGS
from emu.guest.image import load_kernel
from emu.machine import Boot, Machine
from emu.tlb.geometry_file import geometry

ROOT: Final = Path(__file__).resolve().parents[2]
KERNEL: Final = ROOT / "guest" / "kernel"
COMMON: Final = ROOT / "guest" / "common"
THREADS: Final = ROOT / "tests" / "referee" / "disk_guest" / "threads.c"
MEMORY_MIB: Final = 32
DISK_BYTES: Final = 4 << 20
SECONDS: Final = 120


def build(cache: Path) -> Path:
    """The image, compiled unless folder `cache` has the one of these sources and flags."""
    headers = [
        *KERNEL.rglob("*.h"),
        *COMMON.glob("*.h"),
        *(KERNEL.parent / "include").glob("*.h"),
        KERNEL / "kernel.ld",
    ]
    units = [*sorted(KERNEL.rglob("*.c")), *sorted(KERNEL.rglob("*.S")), *sorted(COMMON.glob("*.c")), THREADS]
    flags = [*KERNEL_FLAGS, "-Werror", "-I", str(KERNEL)]
    link = [*LINK_FLAGS, "--wrap=process_create", "-T", str(KERNEL / "kernel.ld")]
    digest = hashlib.sha256(repr((flags, link)).encode())
    for path in sorted([*headers, *units, KERNEL / "kernel.ld"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    image = cache / f"disk-{digest.hexdigest()[:16]}.elf"
    if image.is_file():
        return image
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        for path in units:
            _zig(["cc", *flags, "-c", str(path), "-o", f"{path.name}.o"], scratch)
        _zig(["ld.lld", *link, "-o", "image", *(f"{path.name}.o" for path in units)], scratch)
        os.replace(Path(scratch) / "image", image)
    return image


def _zig(arguments: list[str], folder: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ziglang", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def machine(image: Path, disk: DiskImage | None, keep_history: bool = False) -> Machine:
    """A machine about to boot `image`."""
    kernel = load_kernel(image)
    layout = boot_layout(kernel, MEMORY_MIB << 20, "", b"")
    segments = tuple((segment.physical, segment.data) for segment in layout.segments)
    points = {point.address: point for point in kernel.symbols.tracepoints()}
    boot = Boot(segments, layout.entry, layout.ebx, points, memory_mib=MEMORY_MIB, disk=disk)
    return Machine(boot, geometry("haswell"), keep_history=keep_history)


def run_in_qemu(image: Path, disk: Path) -> tuple[bytes, int]:
    """QEMU's console and its exit status. It writes to the file `disk`."""
    arguments = (
        f"qemu-system-x86_64 -M microvm,acpi=off,pit=on,pic=on,rtc=off,auto-kernel-cmdline=off -m {MEMORY_MIB} "
        "-cpu qemu64,+smep,+smap,+pdpe1gb,-apic -global virtio-mmio.force-legacy=false "
        "-accel tcg -icount shift=0,sleep=off -nodefaults -display none -no-reboot -serial stdio "
        f"-device isa-debug-exit,iobase=0xf4,iosize=4 -kernel {image} "
        f"-drive id=d,file={disk},format=raw,if=none -device virtio-blk-device,drive=d,bus=virtio-mmio-bus.0"
    ).split()
    done = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
    )
    assert not done.stderr, done.stderr.decode()
    return done.stdout, done.returncode

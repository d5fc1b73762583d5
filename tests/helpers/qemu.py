# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of the referee: the contract's microvm with our kernel and our programs."""

import subprocess
from pathlib import Path

from tests.helpers.kernel import KERNEL, MEMORY_MIB, PROGRAMS

SECONDS = 120


def arguments(guest_command_line: str, memory_mib: int = MEMORY_MIB) -> list[str]:
    """QEMU and its options, but for a disk; the guest's console is its standard input and output."""
    return [
        *(
            f"qemu-system-x86_64 -M microvm,acpi=off,pit=on,pic=on,rtc=off,auto-kernel-cmdline=off -m {memory_mib} "
            "-cpu qemu64,+smep,+smap,+pdpe1gb,-apic -global virtio-mmio.force-legacy=false "
            "-accel tcg -icount shift=0,sleep=off -nodefaults -display none -no-reboot -serial stdio "
            "-device isa-debug-exit,iobase=0xf4,iosize=4 "
            f"-kernel {KERNEL} -initrd {PROGRAMS}"
        ).split(),
        *("-append", guest_command_line),
    ]


def run_with_disk(guest_command_line: str, disk: Path, memory_mib: int = MEMORY_MIB) -> tuple[bytes, int]:
    """QEMU's console and its exit status. The guest may write to the file `disk`."""
    drive = (
        f"-drive id=d,file={disk},format=raw,if=none -device virtio-blk-device,drive=d,bus=virtio-mmio-bus.0"
    )
    done = subprocess.run(
        [*arguments(guest_command_line, memory_mib), *drive.split()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert not done.stderr, done.stderr.decode()
    return done.stdout, done.returncode

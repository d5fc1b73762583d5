# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of the referee: the contract's microvm with our kernel and our programs."""

from tests.helpers.kernel import KERNEL, MEMORY_MIB, PROGRAMS


def arguments(guest_command_line: str) -> list[str]:
    """QEMU and its options, but for a disk; the guest's console is its standard input and output."""
    return [
        *(
            f"qemu-system-x86_64 -M microvm,acpi=off,pit=on,pic=on,rtc=off,auto-kernel-cmdline=off -m {MEMORY_MIB} "
            "-cpu qemu64,+smep,+smap,+pdpe1gb,-apic -global virtio-mmio.force-legacy=false "
            "-accel tcg -icount shift=0,sleep=off -nodefaults -display none -no-reboot -serial stdio "
            "-device isa-debug-exit,iobase=0xf4,iosize=4 "
            f"-kernel {KERNEL} -initrd {PROGRAMS}"
        ).split(),
        *("-append", guest_command_line),
    ]

# SPDX-License-Identifier: GPL-2.0-or-later
"""The named CPUs: what is published of their TLBs, by whom, and how sure it is."""

from typing import Final

from emu.tlb.geometry import ArrayGeometry, Geometry


def _array(level: int, serves: str, sizes: str, entries: int, ways: int | str) -> ArrayGeometry:
    return ArrayGeometry(level, serves, tuple(sizes.split()), entries, ways)


PRESETS: Final = {
    preset.name: preset
    for preset in (
        Geometry(
            "pentium3",
            "CPUID leaf 2 descriptors 01 to 04; that this core reports them is assumed",
            "secondary",
            (
                _array(1, "instruction", "4K", 32, 4),
                _array(1, "instruction", "2M 4M", 2, "full"),
                _array(1, "data", "4K", 64, 4),
                _array(1, "data", "2M 4M", 8, 4),
            ),
        ),
        Geometry(
            "haswell",
            "Intel optimization manual (Haswell), CPUID leaf 2 descriptor C1; 4 ways of its instruction TLB assumed",
            "stated",
            (
                _array(1, "instruction", "4K", 128, 4),
                _array(1, "instruction", "2M 4M", 8, "full"),
                _array(1, "data", "4K", 64, 4),
                _array(1, "data", "2M 4M", 32, 4),
                _array(1, "data", "1G", 4, 4),
                _array(2, "both", "4K 2M", 1024, 8),
            ),
        ),
    )
}
DEFAULT: Final = "haswell"

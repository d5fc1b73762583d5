# SPDX-License-Identifier: GPL-2.0-or-later
"""The named CPUs: what is published of their TLBs, by whom, and how sure it is.

No maker publishes who leaves a full set: LRU everywhere is an assumption, whatever `confidence` says of the sizes. So
are all cycles but those that a note gives a source. Paging-structure caches exist in most of these cores, but makers
do not state their sizes: they are off here, and a file with `base` switches them on.
"""

from typing import Final

from emu.tlb.geometry import ArrayGeometry, CostModel, Geometry


def _array(
    level: int,
    serves: str,
    sizes: str,
    entries: int,
    ways: int | str,
    splits: tuple[tuple[str, str], ...] = (),
) -> ArrayGeometry:
    return ArrayGeometry(level, serves, tuple(sizes.split()), entries, ways, splits=splits)


_4M_IN_2M: Final = (("4M", "2M"),)
_LARGE_IN_2M: Final = (("1G", "2M"), *_4M_IN_2M)

_PENTIUM_III: Final = Geometry(
    "pentium3",
    "Intel SDM vol. 2A of 1999 (order number 243191), CPUID leaf 2, descriptors 01 to 04",
    "secondary",
    (
        _array(1, "instruction", "4K", 32, 4),
        _array(1, "instruction", "2M 4M", 2, "full"),
        _array(1, "data", "4K", 64, 4),
        _array(1, "data", "2M 4M", 8, 4),
    ),
    note="That this core reports these four is assumed; the manual of its time has no other TLB descriptors.",
)

_PENTIUM_4: Final = Geometry(
    "pentium4",
    "Intel SDM vol. 2A, CPUID leaf 2: the example of the first Pentium 4, descriptors 50 and 5B",
    "stated",
    (
        _array(1, "instruction", "4K 2M 4M", 64, "full"),
        _array(1, "data", "4K 2M 4M", 64, "full"),
    ),
    note="The descriptors give no ways; full is assumed. All page sizes share an array.",
)

_CORE_2: Final = Geometry(
    "core2",
    "Intel optimization manual (Core microarchitecture); CPUID leaf 2 of a Core 2 Duo: 05 56 57 B0 B1 B4",
    "stated",
    (
        _array(1, "instruction", "4K", 128, 4),
        _array(1, "instruction", "2M", 8, 4, _4M_IN_2M),
        _array(1, "load", "4K", 16, 4),
        _array(1, "load", "2M 4M", 16, 4),
        _array(2, "data", "4K", 256, 4),
        _array(2, "data", "2M 4M", 32, 4),
    ),
    CostModel(l2_hit=2),
    note=(
        "DTLB0 answers loads alone, DTLB1 stores and what DTLB0 missed. So stores have no level 1 here, and a store "
        "that DTLB1 answers counts as a level-2 hit. Two cycles for a load that DTLB1 answers are stated. Descriptor "
        "B1: 8 entries of 2M or 4 of 4M, hence the pieces."
    ),
)

_NEHALEM: Final = Geometry(
    "nehalem",
    "Intel SDM vol. 2A, CPUID leaf 2 descriptor CA; 4K as a Core i7-950 reports it, large pages from Intel's talks",
    "stated",
    (
        _array(1, "instruction", "4K", 128, 4),
        _array(1, "instruction", "2M 4M", 7, "full"),
        _array(1, "data", "4K", 64, 4),
        _array(1, "data", "2M 4M", 32, 4),
        _array(2, "both", "4K", 512, 4),
    ),
    note=(
        "Level 2 holds 4K pages only. Two threads of a core would have half of the 4K instruction entries each. The "
        "7 cycles of a level-2 hit are those that the event list of its successor Sandy Bridge gives."
    ),
)

_HASWELL: Final = Geometry(
    "haswell",
    "Intel optimization manual (Haswell), CPUID leaf 2 descriptor C1; 4 ways of its instruction TLB from WikiChip",
    "stated",
    (
        _array(1, "instruction", "4K", 128, 4),
        _array(1, "instruction", "2M 4M", 8, "full"),
        _array(1, "data", "4K", 64, 4),
        _array(1, "data", "2M 4M", 32, 4),
        _array(1, "data", "1G", 4, 4),
        _array(2, "both", "4K 2M", 1024, 8),
    ),
    note=(
        "CPUID of a Haswell reports its instruction TLB as 64 entries in 8 ways (descriptor B5). A level-2 hit was "
        "measured as 12 cycles; 7 is what Intel's event list gives for Sandy Bridge."
    ),
)

_SKYLAKE: Final = Geometry(
    "skylake",
    "Intel optimization manual (Skylake client); CPUID leaf 2 of a Core i5-6400: 03 63 76 B6 C3",
    "stated",
    (
        _array(1, "instruction", "4K", 128, 8),
        _array(1, "instruction", "2M 4M", 8, "full"),
        _array(1, "data", "4K", 64, 4),
        _array(1, "data", "2M 4M", 32, 4),
        _array(1, "data", "1G", 4, 4),
        _array(2, "both", "4K 2M", 1536, 12),
        _array(2, "both", "1G", 16, 4),
    ),
    note=(
        "12 ways of level 2 are the optimization manual's; descriptor C3, which the CPU itself reports, says 6 ways. "
        "Both come from Intel; 12 is taken, as WikiChip does."
    ),
)

_GOLDEN_COVE: Final = Geometry(
    "golden-cove",
    "Bakhvalov, Performance Analysis and Tuning on Modern CPUs, ch. 3; ways and the level-2 penalty from reviews",
    "secondary",
    (
        _array(1, "instruction", "4K", 256, 8),
        _array(1, "instruction", "2M 4M", 32, 8),
        _array(1, "load", "4K", 96, 6),
        _array(1, "load", "2M 4M", 32, 4),
        _array(1, "load", "1G", 8, "full"),
        _array(1, "store", "4K 2M 4M 1G", 16, "full"),
        _array(2, "both", "4K 2M 4M", 2048, 16),
    ),
    CostModel(l2_hit=9),
    note=(
        "Loads and stores have arrays of their own. That of the stores is what CPUID leaf 18h reports for Ice Lake, "
        "and assumed here. Of the real level 2 only 1024 entries can be large pages; here all can."
    ),
)

_ZEN_2: Final = Geometry(
    "zen2",
    "WikiChip (Zen 2), 7-cpu.com; 8 ways of the level-2 data TLB from CPUID 80000006 of a Ryzen 5 3600X",
    "secondary",
    (
        _array(1, "instruction", "4K 2M 1G", 64, "full", _4M_IN_2M),
        _array(1, "data", "4K 2M 1G", 64, "full", _4M_IN_2M),
        _array(2, "instruction", "4K 2M", 512, 8, _LARGE_IN_2M),
        _array(2, "data", "4K 2M", 2048, 8, _LARGE_IN_2M),
    ),
    note=(
        "Level 1 keeps 1G pages whole, level 2 in pieces of 2M. WikiChip's 12 ways do not divide 2048. CPUID gives "
        "the level-2 instruction TLB 1024 entries. 4M pages in pieces of 2M are what AMD states of family 16h, and "
        "assumed here. The real level-2 data TLB holds PDEs too."
    ),
)

PRESETS: Final = {
    preset.name: preset
    for preset in (
        _PENTIUM_III,
        _PENTIUM_4,
        _CORE_2,
        _NEHALEM,
        _HASWELL,
        _SKYLAKE,
        _GOLDEN_COVE,
        _ZEN_2,
    )
}
"""By name, the oldest first, AMD's last."""
DEFAULT: Final = "haswell"
"""The preset that runs unless somebody asks for another."""

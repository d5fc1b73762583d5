# SPDX-License-Identifier: GPL-2.0-or-later
"""Which CPU this is: the paging features it offers and the widths of its addresses. A smaller CPU is a choice.

Features are called as in QEMU's -cpu and Linux's /proc/cpuinfo. What software may write to CR4 and EFER, what CPUID
answers and what a walk treats as reserved all follow from the model. Instruction sets are no part of it: the engine
executes the same ones on every model, and CPUID says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

FEATURES: Final[dict[str, str]] = {
    "pse": "4-MByte pages in 32-bit paging (CR4.PSE)",
    "pse36": "4-MByte pages above 4 GBytes",
    "pae": "PAE paging (CR4.PAE)",
    "pge": "global pages (CR4.PGE)",
    "nx": "execute-disable (EFER.NXE)",
    "lm": "long mode (EFER.LME), and with it SYSCALL",
    "pdpe1gb": "1-GByte pages",
    "la57": "5-level paging (CR4.LA57)",
    "pcid": "process-context identifiers (CR4.PCIDE)",
    "invpcid": "the INVPCID instruction",
    "smep": "no supervisor fetches from user pages (CR4.SMEP)",
    "smap": "no supervisor accesses to user pages (CR4.SMAP)",
    "pku": "protection keys of user pages (CR4.PKE)",
}
"""What a model may have or lack, and what that is."""
_NEEDS: Final = {
    "pse36": "pse",
    "nx": "pae",
    "lm": "pae",
    "pdpe1gb": "lm",
    "la57": "lm",
    "pcid": "lm",
    "pku": "lm",
}
LEAST_MAXPHYADDR: Final = 32
MOST_MAXPHYADDR: Final = 52


class CpuModelError(ValueError):
    """No such CPU model: one line with what, where, and the mend."""


@dataclass(frozen=True, slots=True)
class CpuModel:
    """A CPU as CPUID describes it. `maxphyaddr`: the width of physical addresses in bits; `source`: who says so."""

    name: str
    features: frozenset[str]
    maxphyaddr: int
    source: str

    def has(self, feature: str) -> bool:
        """Whether the model offers `feature`, one of FEATURES."""
        return feature in self.features

    @property
    def linear_bits(self) -> int:
        """The widest linear addresses that any paging mode of this CPU has."""
        if not self.has("lm"):
            return 32
        return 57 if self.has("la57") else 48

    def __str__(self) -> str:
        """Name, widths and features in a line."""
        offered = " ".join(name for name in FEATURES if self.has(name)) or "no paging features"
        return f"{self.name}: {offered}; physical {self.maxphyaddr} bits, linear {self.linear_bits}"


_486: Final = frozenset[str]()
_PENTIUM: Final = _486 | {"pse"}
_PENTIUM3: Final = _PENTIUM | {"pse36", "pae", "pge"}
_CORE2: Final = _PENTIUM3 | {"nx", "lm"}
_HASWELL: Final = _CORE2 | {"pcid", "invpcid", "smep"}
_SKYLAKE: Final = _HASWELL | {"smap"}
_SKYLAKE_SERVER: Final = _SKYLAKE | {"pdpe1gb", "pku"}

MODELS: Final[dict[str, CpuModel]] = {
    model.name: model
    for model in (
        CpuModel(
            "full", frozenset(FEATURES), 40, "everything that Pagewalk models; 40 bits as in QEMU's TCG"
        ),
        CpuModel("486", _486, 32, "QEMU's 486; 32 address pins"),
        CpuModel("pentium", _PENTIUM, 32, "QEMU's pentium; 32 address pins"),
        CpuModel("pentium3", _PENTIUM3, 36, "QEMU's pentium3; 36 bits, the width of P6's physical addresses"),
        CpuModel("core2", _CORE2, 36, "QEMU's core2duo; 36 bits as /proc/cpuinfo shows for it (secondary)"),
        CpuModel("nehalem", _CORE2, 36, "QEMU's Nehalem; 36 bits as on a Core i7-920 (secondary)"),
        CpuModel("haswell", _HASWELL, 39, "QEMU's Haswell; 39 bits as on a Core i7-4770 (secondary)"),
        CpuModel("skylake", _SKYLAKE, 39, "QEMU's Skylake-Client; 39 bits as on a Core i7-6700 (secondary)"),
        CpuModel("skylake-server", _SKYLAKE_SERVER, 46, "QEMU's Skylake-Server; 46 bits (secondary)"),
        CpuModel(
            "icelake-server", _SKYLAKE_SERVER | {"la57"}, 46, "QEMU's Icelake-Server; 46 bits (secondary)"
        ),
    )
}
"""The CPUs by name. Features are those of the models in QEMU 7.2 (query-cpu-model-expansion)."""
FULL: Final = MODELS["full"]
DEFAULT: Final = FULL.name


def parse(text: str) -> CpuModel:
    """The model that `text` describes, as in QEMU: a name, then `+feature`, `-feature` or `phys-bits=N`, by commas.

    A feature that goes takes with it those that need it; one that comes must find what it needs. CpuModelError if
    something has no such name.

    >>> parse("full,-lm").linear_bits
    32
    """
    name, *changes = text.split(",")
    if name not in MODELS:
        raise CpuModelError(f"no CPU model {name!r}; {_near(name, MODELS)}")
    model = MODELS[name]
    for change in changes:
        model = _changed(model, change, text)
    return replace(model, name=text)


def _changed(model: CpuModel, change: str, text: str) -> CpuModel:
    if width := re.fullmatch(r"phys-bits=(\d{1,3})", change):
        bits = int(width[1])
        if not LEAST_MAXPHYADDR <= bits <= MOST_MAXPHYADDR:
            raise CpuModelError(
                f"--cpu {text}: phys-bits={bits}; give {LEAST_MAXPHYADDR} to {MOST_MAXPHYADDR}"
            )
        return replace(model, maxphyaddr=bits)
    sign, feature = change[:1], change[1:]
    if sign not in ("+", "-"):
        raise CpuModelError(f"--cpu {text}: {change!r} is no change; write +FEATURE, -FEATURE or phys-bits=N")
    if feature not in FEATURES:
        raise CpuModelError(f"--cpu {text}: no feature {feature!r}; {_near(feature, FEATURES)}")
    if sign == "-":
        return replace(model, features=model.features - {feature, *_needing(feature)})
    needed = _NEEDS.get(feature)
    if needed and not model.has(needed):
        raise CpuModelError(f"--cpu {text}: {feature} needs {needed}; write +{needed} before it")
    return replace(model, features=model.features | {feature})


def _needing(feature: str) -> Iterator[str]:
    for other, needed in _NEEDS.items():
        if needed == feature:
            yield other
            yield from _needing(other)


def _near(word: str, known: "dict[str, CpuModel] | dict[str, str]") -> str:
    near = get_close_matches(word, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"

# SPDX-License-Identifier: GPL-2.0-or-later
"""Random cases: a setting of the registers, entries for one linear address, one access. The mode's table steers all.

What follows is the same for every mode: its levels say where an entry lies and what its format leaves free.
"""

import random
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from emu.bits import PAGE_BYTES, PhysicalAddress, sign_extend
from emu.paging.fault import AccessType, describe_error
from emu.paging.formats import PS, RW, US, XD, EntryFormat, P
from emu.paging.modes import Level, PagingMode
from emu.paging.rights import Controls
from tests.referee.unicorn_mmu.memory import BANKS, FAR, HIGH, LOW, MAXPHYADDR, frames

ROOT_FRAMES: Final = (0x1_0000, HIGH.tables, FAR.tables)
"""Where root tables lie: one frame in each bank."""

TABLE_FRAMES: Final = {
    bank: tuple(frame for frame in frames(bank.tables, bank.pages) if frame not in ROOT_FRAMES)
    for bank in BANKS
}
SWITCHES: Final = ("WP", "SMEP", "SMAP", "NXE", "PSE", "PGE", "PKE")
BELOW_4G: Final = 1 << 32

GENERAL_PROTECTION: Final = 13
PAGE_FAULT: Final = 14


@dataclass(frozen=True, eq=False)
class Setting:
    """The registers that steer paging, as they stay for a few cases."""

    controls: Controls

    @property
    def mode(self) -> PagingMode:
        """The paging mode."""
        return self.controls.mode

    @property
    def root(self) -> PhysicalAddress:
        """The root table."""
        return self.controls.root

    def __str__(self) -> str:
        """The setting in words."""
        on = " ".join(name for name in SWITCHES if getattr(self.controls, name))
        return (
            f"{self.mode.name}, {on or 'no switches'}, PKRU {self.controls.PKRU:#010x}, root {self.root:#x}"
        )


@dataclass(frozen=True, eq=False)
class Case:
    """One access in a setting, with what memory holds: `entries` are (address, value), root first.

    `cpl3`: made at CPL 3. `implicit`: the CPU's own read of a descriptor, a supervisor-mode access at any CPL.
    Where two entries have one address, the later one stands.
    """

    setting: Setting
    linear: int
    entries: tuple[tuple[int, int], ...]
    type: AccessType
    cpl3: bool
    implicit: bool = False
    ac: bool = False

    @property
    def user(self) -> bool:
        """Whether it is a user-mode access."""
        return self.cpl3 and not self.implicit

    def __str__(self) -> str:
        """The case on a few lines, enough to repeat it by hand."""
        who = f"{'implicit ' if self.implicit else ''}{self.type} at CPL {3 if self.cpl3 else 0}"
        words = " ".join(f"{address:#x}:{value:#x}" for address, value in self.entries)
        return f"{self.setting}\n{who}, AC {int(self.ac)}, of {self.linear:#018x}\n{words}"


class Outcome(NamedTuple):
    """What an access came to: an exception, or a physical address; and the entries of the case afterwards."""

    vector: int | None
    error: int | None
    cr2: int | None
    physical: int | None
    entries: tuple[int, ...]

    def __str__(self) -> str:
        """The outcome on a line."""
        entries = " ".join(f"{entry:#x}" for entry in self.entries)
        if self.vector is None:
            return f"permitted, physical {self.physical or 0:#x}, entries {entries}"
        return f"vector {self.vector} error {self.error} cr2 {self.cr2} entries {entries}"

    @property
    def kind(self) -> str:
        """What sort of outcome it is, in words."""
        if self.vector is None:
            return "permitted"
        return describe_error(self.error or 0) if self.vector == PAGE_FAULT else f"vector {self.vector}"


@cache
def roots(mode: PagingMode) -> tuple[int, ...]:
    """Where a root table may begin. The first entry of each is the harness's own.

    A frame holds several where a table is smaller. CR3 has 32 bits outside 64-bit code.
    """
    root_bytes = mode.entry_bytes << mode.levels[0].index_bits
    usable = [frame for frame in ROOT_FRAMES if mode.sign_extended or frame < BELOW_4G]
    return tuple(start for frame in usable for start in range(frame, frame + PAGE_BYTES, root_bytes))


def random_setting(rng: random.Random, mode: PagingMode) -> Setting:
    """Registers at random, each switch on or off."""
    chance = rng.random
    return Setting(
        Controls(
            WP=chance() < 0.5,
            SMEP=chance() < 0.4,
            SMAP=chance() < 0.4,
            NXE=chance() < 0.85,
            mode=mode,
            root=PhysicalAddress(rng.choice(roots(mode))),
            PGE=chance() < 0.5,
            maxphyaddr=MAXPHYADDR,
            PSE=chance() < 0.7,
            PKE=chance() < 0.5,
            PKRU=rng.getrandbits(32) & rng.getrandbits(32),
        )
    )


@cache
def neutral_bits(form: EntryFormat) -> int:
    """The bits of a format that decide over no right, no address and no size."""
    decisive = ("P", "RW", "US", "PS", "XD")
    return sum(
        f.mask for f in form.fields if not f.reserved and f.address_bit is None and f.name not in decisive
    )


def random_flags(rng: random.Random, form: EntryFormat) -> int:
    """Flags for an entry of this format: mostly permissive, seldom not present, the neutral bits at random."""
    bits = rng.getrandbits
    flags = bits(64) & neutral_bits(form)
    flags |= (bits(3) | bits(3) | bits(3)) & (RW | US) & ~form.implied
    if bits(6):
        flags |= P
    if not bits(4) and "XD" in form.flag_masks:
        flags |= XD
    return flags


def random_page(rng: random.Random, level: Level) -> int:
    """The physical address of a word of a page under test that an entry of `level` can reach."""
    assert level.page is not None
    bank = rng.choice(BANKS)
    highest = max(f.address_bit + f.high - f.low for f in level.page.fields if f.address_bit is not None)
    if bank.base >> highest + 1:
        bank = LOW
    return rng.randrange(bank.pages, bank.end, 8)


def random_linear(rng: random.Random, mode: PagingMode, level: Level, page: int) -> int:
    """A linear address whose offset in a page of `level` is that of `page`; seldom at the very top.

    Never in the first of the root's entries, which is the harness's own.
    """
    bits = mode.levels[0].shift + mode.levels[0].index_bits
    upper = rng.randrange(1 << mode.levels[0].shift, 1 << bits) if rng.getrandbits(4) else (1 << bits) - 1
    linear = upper >> level.shift << level.shift | page & (level.page_bytes - 1)
    if not mode.sign_extended:
        return linear
    linear = sign_extend(linear, bits)
    if not rng.getrandbits(6):
        linear ^= 1 << rng.randrange(bits - 1, 64)
    return linear


def random_table(rng: random.Random, mode: PagingMode, before: list[int]) -> int:
    """A frame for a table; seldom one that is already a table on this way (the root among them)."""
    if not rng.getrandbits(6):
        return rng.choice(before)
    bank = rng.choice(BANKS)
    if bank is FAR and mode.entry_bytes == 4:
        bank = LOW
    return rng.choice(TABLE_FRAMES[bank])


def random_entry(rng: random.Random, setting: Setting, form: EntryFormat, frame: int) -> int:
    """An entry that refers to `frame`; seldom with one bit flipped: any, or one that should be reserved."""
    raw = form.encode(PhysicalAddress(frame), random_flags(rng, form))
    odd = rng.getrandbits(6)
    if odd > 2:
        return raw
    reserved = bits_of(form.reserved_mask(MAXPHYADDR, setting.controls.NXE)) if odd else ()
    return raw ^ 1 << rng.choice(reserved or range(8 * form.entry_bytes))


@cache
def bits_of(mask: int) -> tuple[int, ...]:
    """The numbers of the bits that are set in `mask`."""
    return tuple(number for number in range(mask.bit_length()) if mask >> number & 1)


def random_entries(
    rng: random.Random, setting: Setting, linear: int, leaf: Level, page: int
) -> tuple[tuple[int, int], ...]:
    """Entries from the root down to the one of level `leaf` that maps `page`."""
    mode, table = setting.mode, int(setting.root)
    before = [table & -PAGE_BYTES]
    entries: list[tuple[int, int]] = []
    for level in mode.levels:
        address = table + level.index(linear) * mode.entry_bytes
        if level is leaf:
            assert level.page is not None
            target = rng.choice(before) if not rng.getrandbits(6) else page
            raw = random_entry(rng, setting, level.page, target & -level.page_bytes)
            entries.append((address, raw | (PS if level.page is not level.table else 0)))
            break
        table = random_table(rng, mode, before)
        before.append(table)
        raw = random_entry(rng, setting, level.table, table)
        entries.append((address, raw if rng.getrandbits(4) else raw | level.table.flag_masks.get("PS", 0)))
    return tuple(entries)


def plain_case(setting: Setting, leaf: int, type: AccessType, cpl3: bool) -> Case:
    """An access to the first word under test, through tables that grant everything and the entry `leaf`."""
    mode, table = setting.mode, int(setting.root)
    linear = sum(1 << level.shift for level in mode.levels)
    entries: list[tuple[int, int]] = []
    for level, frame in zip(mode.levels, TABLE_FRAMES[LOW], strict=False):
        address = table + level.index(linear) * mode.entry_bytes
        raw = leaf if level is mode.levels[-1] else frame | (P | RW | US) & ~level.table.implied
        entries.append((address, raw))
        table = frame
    return Case(setting, linear, tuple(entries), type, cpl3)


def random_case(rng: random.Random, setting: Setting) -> Case:
    """A case with levels, sizes, rights and access at random, about half of them permitted."""
    mode = setting.mode
    leaves = [level for level in mode.levels if level.page is not None]
    leaf = leaves[-1] if rng.random() < 0.6 else rng.choice(leaves)
    harness_entries = roots(mode)
    while True:
        page = random_page(rng, leaf)
        linear = random_linear(rng, mode, leaf, page)
        entries = random_entries(rng, setting, linear, leaf, page)
        if not any(address in harness_entries for address, _ in entries):
            break
    cpl3, ac = rng.getrandbits(1) == 1, rng.getrandbits(1) == 1
    if not rng.getrandbits(4):
        # at CPL 0 the engine lets AC lift SMAP for implicit accesses too: pinned by a test of its own
        return Case(setting, linear, entries, AccessType.READ, cpl3, implicit=True, ac=ac and cpl3)
    return Case(setting, linear, entries, rng.choice(_TYPES), cpl3, ac=ac)


_TYPES: Final = tuple(AccessType)

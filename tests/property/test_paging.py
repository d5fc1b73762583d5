# SPDX-License-Identifier: GPL-2.0-or-later
"""Walk, check, error code, A and D in every mode against a small model written apart, straight from the manual.

It has what the engine of the referee has not: any MAXPHYADDR, CPUs without 1-GByte pages or PSE-36, PDPTE registers.
"""

from dataclasses import replace
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.bits import PAGE_BYTES, LinearAddress, PhysicalAddress
from emu.mem import PhysicalMemory
from emu.paging.build import TableBuilder
from emu.paging.fault import AccessType, error_code
from emu.paging.modes import MODES, PagingMode
from emu.paging.rights import Controls, check, key_refusal
from emu.paging.walk import Walk, accessed_updates, load_pdptes, walk

in_every_mode = pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)

SHIFTS = {
    "32-bit": (22, 12),
    "PAE": (30, 21, 12),
    "4-level": (39, 30, 21, 12),
    "5-level": (48, 39, 30, 21, 12),
}
"""Where the index of each level begins in a linear address, root first."""


class Cpu(NamedTuple):
    """What the model written apart knows of the registers and of CPUID."""

    wp: bool
    smep: bool
    smap: bool
    nxe: bool
    pse: bool
    pke: bool
    pkru: int
    width: int
    page_1g: bool
    pse36: bool

    def controls(self, mode: PagingMode) -> Controls:
        """The same for the model under test."""
        return Controls(
            WP=self.wp,
            SMEP=self.smep,
            SMAP=self.smap,
            NXE=self.nxe,
            mode=mode,
            root=PhysicalAddress(0x1000),
            PGE=False,
            maxphyaddr=self.width,
            page_1g=self.page_1g,
            PSE=self.pse,
            pse36=self.pse36,
            PKE=self.pke,
            PKRU=self.pkru,
        )


# -- the model written apart: numbers of bits, and no tables of levels -----------------------------------------------


def bit(value: int, number: int) -> int:
    return value >> number & 1


def forbidden_bits(mode: str, depth: int, shift: int, large: bool, cpu: Cpu) -> set[int]:
    """The bits that a present entry must not have."""
    if mode == "32-bit":
        return set(range(max(13, (cpu.width if cpu.pse36 else 32) - 19), 21)) | {21} if large else set()
    bits = set(range(cpu.width, 52))
    if mode == "PAE":
        if depth == 0:
            return bits | {1, 2, 5, 6, 7, 8} | set(range(52, 64))
        bits |= set(range(52, 63))
    elif shift > 30 or (shift == 30 and not cpu.page_1g):
        bits.add(7)
    if not cpu.nxe:
        bits.add(63)
    return bits | set(range(13, shift)) if large else bits


def is_large(mode: str, shift: int, value: int, cpu: Cpu) -> bool:
    if shift == 12 or not bit(value, 7):
        return False
    return cpu.pse if mode == "32-bit" else shift == 21 or (shift == 30 and mode != "PAE" and cpu.page_1g)


def frame_of(mode: str, shift: int, value: int) -> int:
    if mode == "32-bit" and shift == 22:
        return value & 0xFFC0_0000 | (value >> 13 & 0xFF) << 32
    return value % 2**52 >> shift << shift


def model(
    mode: str, raw: tuple[int, ...], linear: int, kind: str, user: bool, ac: bool, cpu: Cpu
) -> tuple[int | None, int | None, list[int]]:
    """(error code, physical address, entries afterwards) of an access."""
    xd_works = cpu.nxe and mode != "32-bit"
    long = mode in ("4-level", "5-level")
    kind_bits = 2 * (kind == "write") + 4 * user + 16 * (kind == "fetch" and (xd_works or cpu.smep))
    used: list[int] = []
    page_shift = 12
    for depth, (value, shift) in enumerate(zip(raw, SHIFTS[mode], strict=True)):
        if not bit(value, 0):
            return kind_bits, None, list(raw)
        large = is_large(mode, shift, value, cpu)
        if any(bit(value, number) for number in forbidden_bits(mode, depth, shift, large, cpu)):
            return kind_bits | 9, None, list(raw)
        used.append(value)
        if large:
            page_shift = shift
            break
    deciding = used[1:] if mode == "PAE" else used
    user_page = all(bit(value, 2) for value in deciding)
    writable = all(bit(value, 1) for value in deciding)
    no_fetch = any(bit(value, 63) for value in deciding)
    key = cpu.pkru >> 2 * (used[-1] >> 59 & 15) if long and cpu.pke and user_page and kind != "fetch" else 0
    key_denies = bool(key & 1 or (key & 2 and kind == "write" and (user or cpu.wp)))
    if kind == "fetch":
        allowed = not no_fetch and (user_page if user else not (cpu.smep and user_page))
    else:
        allowed = user_page if user else not (cpu.smap and user_page and not ac)
        if kind == "write":
            allowed = allowed and (writable or (not user and not cpu.wp))
    if not allowed or key_denies:
        return kind_bits | 1 | 32 * key_denies, None, list(raw)
    after = [value | (0 if mode == "PAE" and at == 0 else 0x20) for at, value in enumerate(used)]
    if kind == "write":
        after[-1] |= 0x40
    physical = frame_of(mode, page_shift, used[-1]) + linear % 2**page_shift
    return None, physical, after + list(raw[len(used) :])


# -- drawing cases ----------------------------------------------------------------------------------------------------


EDGES = (12, 13, 20, 21, 22, 29, 30, 35, 39, 40, 45, 50, 51, 52, 58, 62)
"""Bits at which some field of some format begins or ends."""


def entries(mode: PagingMode, depth: int) -> st.SearchStrategy[int]:
    """Entries that mostly lead on, with any flags and any address, and now and then a bit that may be reserved."""
    width = 8 * mode.entry_bytes
    flags = st.integers(0, 0xFFF).map(lambda low: low | (7 if low & 0x600 else 1 if low & 0x800 else 0))
    if mode.root_in_registers and depth == 0:
        flags = flags.map(lambda low: low & 0xE19)
    address = st.integers(0, 2**20 - 1).map(lambda number: number << 12)
    large = st.integers(0, 3).map(lambda number: (number << mode.levels[depth].shift) & 2**32 - 1 | 0x481)
    odd = st.sampled_from([0] * 30 + [1 << number for number in EDGES if number < width])
    high = st.integers(0, 15).map(lambda key: key << 59 if width == 64 and mode.sign_extended else 0)
    return st.builds(
        lambda low, where, one, top, xd: low | where | one | top | (xd << 63 if width == 64 else 0),
        flags,
        st.one_of(address, large),
        odd,
        high,
        st.sampled_from([0, 0, 0, 1]) if depth or not mode.root_in_registers else st.just(0),
    )


def raw_entries(mode: PagingMode) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*(entries(mode, depth) for depth in range(len(mode.levels))))


def linear_addresses(mode: PagingMode) -> st.SearchStrategy[int]:
    whole = st.integers(0, 2**mode.linear_bits - 1)
    if not mode.sign_extended:
        return whole
    top = mode.linear_bits - 1
    return whole.map(lambda linear: linear | -(linear >> top) << top & 2**64 - 1)


flag = st.booleans()
widths = st.sampled_from([32, 36, 40, 46, 51, 52])
cpus = st.builds(
    Cpu,
    flag,
    flag,
    flag,
    flag,
    flag,
    flag,
    st.integers(0, 2**32 - 1),
    st.sampled_from([32, 36, 40, 46, 51, 52]),
    flag,
    flag,
)


def walk_entries(raw: tuple[int, ...], linear: int, controls: Controls) -> Walk:
    """Walks through `raw`: memory answers by depth, as a flag may lead the walk anywhere."""
    below = iter(raw[controls.mode.root_in_registers :])
    if controls.mode.root_in_registers:
        controls = replace(controls, pdptes=(raw[0],) * 4)
    return walk(lambda _address, _size: next(below), LinearAddress(linear), controls)


@in_every_mode
@given(data=st.data(), cpu=cpus, kind=st.sampled_from(list(AccessType)), user=flag, ac=flag)
def test_walk_and_check_agree_with_a_model_written_apart(
    mode: PagingMode, data: st.DataObject, cpu: Cpu, kind: AccessType, user: bool, ac: bool
):
    raw, linear = data.draw(raw_entries(mode)), data.draw(linear_addresses(mode))
    controls = cpu.controls(mode)
    found = walk_entries(raw, linear, controls)
    refused = found.reason or check(found.rights_so_far, kind, user, False, ac, controls)
    after, physical, code = list(raw), None, None
    if refused is None:
        physical = found.physical
        for update in accessed_updates(found, kind is AccessType.WRITE):
            after[found.steps.index(update.step)] = update.after
    else:
        denied = found.complete and key_refusal(found.rights, kind, user, controls) is not None
        code = error_code(refused, kind, user, controls, denied)
    assert (code, physical, after) == model(mode.name, raw, linear, kind.value, user, ac, cpu)


@given(st.lists(entries(MODES["PAE"], 0), min_size=4, max_size=4), cpus)
def test_pdptes_are_loaded_unless_a_present_one_has_a_reserved_bit(values: list[int], cpu: Cpu):
    reserved = forbidden_bits("PAE", 0, 30, False, cpu)
    bad = any(bit(value, 0) and any(bit(value, number) for number in reserved) for value in values)
    loaded = load_pdptes(lambda address, _size: values[address // 8 - 4], PhysicalAddress(0x20), cpu.width)
    assert loaded == (None if bad else tuple(values))


@in_every_mode
@given(data=st.data(), frame=st.integers(0, 2**19 - 1))
def test_each_entry_is_read_from_the_table_that_the_one_above_names(
    mode: PagingMode, data: st.DataObject, frame: int
):
    linear = data.draw(linear_addresses(mode))
    addresses: list[int] = []
    tables = [0x1000] + [frame + n << 12 for n in range(1, len(mode.levels))]

    def read(address: int, _size: int) -> int:
        addresses.append(address)
        return (frame + len(addresses) << 12) | 1

    controls = Cpu(True, True, True, True, True, False, 0, 40, True, True).controls(mode)
    found = walk(read, LinearAddress(linear), controls)
    index_bits = {"32-bit": (10, 10), "PAE": (2, 9, 9)}.get(mode.name, (9,) * 5)
    assert addresses == [
        table + mode.entry_bytes * (linear >> shift & (1 << width) - 1)
        for table, shift, width in zip(tables, SHIFTS[mode.name], index_bits, strict=False)
    ]
    assert found.physical == (frame + len(mode.levels) << 12) + linear % PAGE_BYTES


@in_every_mode
@given(data=st.data(), cpu=cpus)
def test_a_walk_that_begins_below_what_is_known_ends_as_the_whole_walk_does(
    mode: PagingMode, data: st.DataObject, cpu: Cpu
):
    raw, linear = data.draw(raw_entries(mode)), data.draw(linear_addresses(mode))
    controls = cpu.controls(mode)
    if mode.root_in_registers:
        controls = replace(controls, pdptes=(raw[0],) * 4)
    whole = walk_entries(raw, linear, controls)
    upper = len(whole.values) - 1
    if upper == 0:
        return
    depth = data.draw(st.integers(1, upper))
    below = iter(raw[depth:])
    part = walk(lambda _address, _size: next(below), LinearAddress(linear), controls, whole.upper(depth))
    assert part.addresses == whole.addresses
    assert (part.values, part.reason, part.rights_so_far) == (whole.values, whole.reason, whole.rights_so_far)
    unknown = {level.name for level in mode.levels[depth:]}
    assert [update for update in accessed(whole) if update[0] in unknown] == accessed(part)


def accessed(found: Walk) -> list[tuple[str, int, int]]:
    """(level, address, value) of what a write through this walk sets, if it may be made."""
    if found.reason is not None:
        return []
    updates = accessed_updates(found, write=True)
    return [(update.step.level.name, update.step.address, update.after) for update in updates]


@in_every_mode
@given(data=st.data())
def test_what_was_mapped_is_what_a_walk_finds(mode: PagingMode, data: st.DataObject):
    """Pages of every size at random places, until one is in another's way."""
    memory = PhysicalMemory(1 << 20)
    frames = count(0, PAGE_BYTES)
    tables = TableBuilder(memory, lambda: PhysicalAddress(next(frames)), mode)
    sizes = [level.page_bytes for level in mode.levels if level.page is not None]
    mapped: dict[int, tuple[int, int]] = {}
    for _ in range(data.draw(st.integers(1, 8))):
        size = data.draw(st.sampled_from(sizes))
        linear = data.draw(linear_addresses(mode)) // size * size
        physical = data.draw(st.integers(0, 2**32 - 1)) // size * size
        if any(linear < at + bytes_ and at < linear + size for at, (_, bytes_) in mapped.items()):
            continue
        try:
            tables.map(LinearAddress(linear), PhysicalAddress(physical), size)
        except ValueError:
            continue  # a table is where the large page's entry would be, or the other way round
        mapped[linear] = physical, size
    controls = Cpu(True, False, False, True, True, False, 0, 40, True, True).controls(mode)
    controls = replace(controls, root=tables.root)
    if mode.root_in_registers:
        pdptes = load_pdptes(memory.read_entry, tables.root, 40)
        assert pdptes is not None
        controls = replace(controls, pdptes=pdptes)
    for linear, (physical, size) in mapped.items():
        for offset in (0, size // 2, size - 1):
            found = walk(memory.read_entry, LinearAddress(linear + offset), controls)
            assert (found.physical, found.page_bytes) == (physical + offset, size)
        tables.unmap(LinearAddress(linear))
        assert not walk(memory.read_entry, LinearAddress(linear), controls).complete

# SPDX-License-Identifier: GPL-2.0-or-later
"""The walk and the check against a small model that was written apart from them, straight from the manual."""

from hypothesis import given
from hypothesis import strategies as st

from emu.paging.fault import AccessType, error_code
from emu.paging.modes import FOUR_LEVEL
from emu.paging.rights import Controls, check
from emu.paging.walk import accessed_updates, walk

TABLES = (0x1000, 0x2000, 0x3000, 0x4000)
INDEXES = (5, 6, 7, 8)
LINEAR = 5 << 39 | 6 << 30 | 7 << 21 | 8 << 12 | 0xABC


def model(
    raw: tuple[int, ...], kind: str, user: bool, ac: bool, wp: int, smep: int, smap: int, nxe: int, width: int
) -> tuple[int | None, int | None, list[int]]:
    """(error code, physical address, entries afterwards): string-of-bits arithmetic, no tables of levels."""

    def bit(value: int, number: int) -> int:
        return value >> number & 1

    kind_bits = 2 * (kind == "write") + 4 * user + 16 * (kind == "fetch" and (nxe or smep))
    used: list[int] = []
    for depth, value in enumerate(raw):
        if not bit(value, 0):
            return kind_bits, None, list(raw)
        page_shift = {3: 12, 2: 21, 1: 30}.get(depth, 0) if depth == 3 or bit(value, 7) else 0
        forbidden = list(range(width, 52))
        if not nxe:
            forbidden.append(63)
        if depth == 0:
            forbidden.append(7)
        if page_shift > 12:
            forbidden += range(13, page_shift)
        if any(bit(value, number) for number in forbidden):
            return kind_bits | 9, None, list(raw)
        used.append(value)
        if page_shift:
            break
    user_page = all(bit(value, 2) for value in used)
    writable = all(bit(value, 1) for value in used)
    no_fetch = any(bit(value, 63) for value in used)
    if kind == "fetch":
        allowed = not no_fetch and (user_page if user else not (smep and user_page))
    else:
        allowed = user_page if user else not (smap and user_page and not ac)
        if kind == "write":
            allowed = allowed and (writable or (not user and not wp))
    if not allowed:
        return kind_bits | 1, None, list(raw)
    after = [value | 0x20 for value in used] + list(raw[len(used) :])
    if kind == "write":
        after[len(used) - 1] |= 0x40
    frame = used[-1] % 2**52 >> page_shift << page_shift
    return None, frame + LINEAR % 2**page_shift, after


def entries(table: int) -> st.SearchStrategy[int]:
    """Entries that mostly lead on to `table`, with any flags and now and then a reserved bit."""
    flags = st.integers(0, 0xFFF).map(lambda low: low | 1 if low & 0x600 else low)
    rare = st.sampled_from([0] * 6 + [1 << number for number in (12, 13, 20, 21, 29, 39, 40, 45, 51, 52, 62)])
    return st.builds(lambda low, odd, xd: table | low | odd | xd << 63, flags, rare, st.booleans())


@given(
    st.tuples(*(entries(table) for table in (*TABLES[1:], 0x9000))),
    st.sampled_from(list(AccessType)),
    st.booleans(),
    st.booleans(),
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    st.sampled_from([36, 40, 46, 52]),
)
def test_walk_and_check_agree_with_a_model_written_apart(raw, type, user, ac, switches, width):
    wp, smep, smap, nxe = switches
    controls = Controls(wp, smep, smap, nxe, FOUR_LEVEL, TABLES[0], False, maxphyaddr=width)
    # a flag below may send the walk past its table: the model follows the entries, so memory answers by depth
    depth = iter(raw)
    found = walk(lambda _address, _size: next(depth), LINEAR, controls)
    refused = found.refusal.reason if found.refusal else check(found.rights, type, user, False, ac, controls)
    after = list(raw)
    if refused is None:
        code = None
        for update in accessed_updates(found, type is AccessType.WRITE):
            after[found.steps.index(update.step)] = update.after
    else:
        code = error_code(refused, type, user, controls)
    physical = found.physical if refused is None else None
    assert (code, physical, after) == model(raw, type.value, user, ac, wp, smep, smap, nxe, width)


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**28 - 1))
def test_each_entry_is_read_from_the_table_that_the_one_above_names(linear, frame):
    signed = linear | (0xFFFF << 48 if linear >> 47 else 0)
    addresses: list[int] = []

    def read(address: int, size: int) -> int:
        addresses.append(address)
        return (frame + len(addresses)) << 12 & 0xFF_FFFF_F000 | 3

    controls = Controls(True, True, True, True, FOUR_LEVEL, 0x1000, False)
    found = walk(read, signed, controls)
    tables = [0x1000] + [(frame + n) << 12 & 0xFF_FFFF_F000 for n in (1, 2, 3)]
    assert addresses == [
        table + 8 * (linear // 2**shift % 512) for table, shift in zip(tables, (39, 30, 21, 12), strict=True)
    ]
    assert found.physical % 4096 == linear % 4096

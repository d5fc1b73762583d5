# SPDX-License-Identifier: GPL-2.0-or-later
"""SDM vol. 3A, "Access Rights" (4.6), "Protection Keys" (4.6.2), "Page-Fault Exceptions" (4.7) and "Accessed and Dirty
Flags" (4.8).

One row per statement of the manual; the id is the statement. A row is one page, one access, one outcome.
"""

from dataclasses import replace

import pytest

from emu.bits import LinearAddress
from emu.paging.fault import AccessType, ErrorCode, Reason, describe_error, error_code
from emu.paging.formats import RW, US, XD, A, D, P
from emu.paging.modes import FOUR_LEVEL, MODES, PAE, TWO_LEVEL, PagingMode
from emu.paging.rights import Controls, Rights, check, key_refusal
from emu.paging.walk import accessed_updates, walk
from tests.helpers.bench import READ as BENCH_READ
from tests.helpers.bench import WRITE as BENCH_WRITE
from tests.helpers.bench import Bench

FETCH, READ, WRITE = AccessType.FETCH, AccessType.READ, AccessType.WRITE
ROOT = 0x1000
ALL = P | RW | US
BARE = Controls(WP=False, SMEP=False, SMAP=False, NXE=False, mode=FOUR_LEVEL, root=ROOT, PGE=False)


def entries(leaf: int = ALL, pml4e: int = ALL, pdpte: int = ALL, pde: int = ALL) -> dict[int, int]:
    """The four entries that translate linear address 0, with these flags, by physical address."""
    return {0x1000: 0x2000 | pml4e, 0x2000: 0x3000 | pdpte, 0x3000: 0x4000 | pde, 0x4000: 0x9000 | leaf}


def outcome(
    tables: dict[int, int],
    type: AccessType,
    user: bool,
    controls: Controls,
    implicit: bool = False,
    ac: bool = False,
) -> tuple[Reason, int] | None:
    """None for a permitted access; otherwise the reason and the error code."""
    result = walk(lambda address, _: tables[address], 0, controls)
    if result.refusal is not None:
        reason = result.refusal.reason
        return reason, error_code(reason, type, user, controls)
    reason = check(result.rights, type, user, implicit, ac, controls)
    if reason is None:
        return None
    denied = key_refusal(result.rights, type, user, controls) is not None
    return reason, error_code(reason, type, user, controls, denied)


def row(
    statement: str,
    tables: dict[int, int],
    type: AccessType,
    user: bool,
    expected: tuple[Reason, int] | None,
    implicit: bool = False,
    ac: bool = False,
    **controls: bool | int,
):
    """A parametrised row whose id is the statement."""
    return pytest.param(tables, type, user, replace(BARE, **controls), implicit, ac, expected, id=statement)


SUPERVISOR_PAGE, READ_ONLY = P | RW, P | US
KEY_3 = 3 << 59
AD_3, WD_3 = 1 << 6, 1 << 7
"""What PKRU says of key 3: no access; no write."""
KERNEL_READ_ONLY = P
HIGH = 1 << 40
NP, RSVD = Reason.NOT_PRESENT, Reason.RESERVED_BIT_SET
USER_SUPER, USER_RO = Reason.USER_ACCESS_TO_SUPERVISOR_PAGE, Reason.WRITE_TO_READ_ONLY_PAGE
SUPER_RO, NO_FETCH = Reason.SUPERVISOR_WRITE_TO_READ_ONLY_PAGE, Reason.FETCH_FROM_XD_PAGE
SMEP, SMAP = Reason.SMEP_FETCH_FROM_USER_PAGE, Reason.SMAP_ACCESS_TO_USER_PAGE
SMAP_IMPLICIT = Reason.SMAP_IMPLICIT_ACCESS_TO_USER_PAGE
NO_ACCESS, NO_WRITE = Reason.PROTECTION_KEY_DENIES_ACCESS, Reason.PROTECTION_KEY_DENIES_WRITE
TABLES = entries()
KEYED = entries(ALL | KEY_3)

STATEMENTS = [
    # the bits of the error code
    row("bit 0 of the error code is 0 if an entry is not present", entries(0), READ, False, (NP, 0)),
    row(
        "bit 0 is 1 if the page is present and the right is missing", entries(P), READ, True, (USER_SUPER, 5)
    ),
    row("bit 1 is 1 for a write", entries(0), WRITE, False, (NP, 2)),
    row("bit 2 is 1 for a user-mode access", entries(0), READ, True, (NP, 4)),
    row("bit 3 is 1 for a reserved bit", entries(ALL | HIGH), READ, True, (RSVD, 0xD)),
    row("bit 4 is 1 for a fetch while XD is enabled", entries(0), FETCH, False, (NP, 16), NXE=True),
    # RSVD implies P
    row("a reserved bit of an entry that is not present is ignored", entries(HIGH), READ, False, (NP, 0)),
    row("a reserved bit gives RSVD and P together", entries(ALL | HIGH), READ, False, (RSVD, 9)),
    row("a reserved bit is found before a right is missed", entries(P | HIGH), WRITE, True, (RSVD, 0xF)),
    row(
        "an absent upper entry hides a reserved bit below it",
        entries(ALL | HIGH, pde=0),
        READ,
        False,
        (NP, 0),
    ),
    # I/D
    row("I/D stays 0 with neither XD nor SMEP", entries(0), FETCH, True, (NP, 4)),
    row("I/D is set with SMEP alone", entries(0), FETCH, True, (NP, 0x14), SMEP=True),
    row("I/D is set with XD alone", entries(0), FETCH, True, (NP, 0x14), NXE=True),
    row("I/D is never set for data", entries(0), READ, True, (NP, 4), SMEP=True, NXE=True),
    # CR0.WP
    row(
        "a supervisor write to a read-only page is allowed if WP is 0",
        entries(KERNEL_READ_ONLY),
        WRITE,
        False,
        None,
    ),
    row(
        "a supervisor write to a read-only page faults if WP is 1",
        entries(KERNEL_READ_ONLY),
        WRITE,
        False,
        (SUPER_RO, 3),
        WP=True,
    ),
    row("WP also guards read-only user pages", entries(READ_ONLY), WRITE, False, (SUPER_RO, 3), WP=True),
    row(
        "a supervisor read of a read-only page is allowed",
        entries(KERNEL_READ_ONLY),
        READ,
        False,
        None,
        WP=True,
    ),
    row(
        "a user write to a read-only page faults whatever WP says",
        entries(READ_ONLY),
        WRITE,
        True,
        (USER_RO, 7),
    ),
    # effective rights
    row("R/W is ANDed over the levels", entries(pml4e=READ_ONLY), WRITE, True, (USER_RO, 7)),
    row("R/W missing in the middle is missed", entries(pdpte=READ_ONLY), WRITE, True, (USER_RO, 7)),
    row("U/S is ANDed over the levels", entries(pde=SUPERVISOR_PAGE), READ, True, (USER_SUPER, 5)),
    row(
        "a user page under a supervisor entry is a supervisor page",
        entries(pde=P | RW),
        READ,
        False,
        None,
        SMAP=True,
    ),
    row("XD is ORed over the levels", entries(pml4e=ALL | XD), FETCH, True, (NO_FETCH, 0x15), NXE=True),
    row("XD forbids supervisor fetches as well", entries(P | XD), FETCH, False, (NO_FETCH, 0x11), NXE=True),
    row("XD does not touch reads", entries(ALL | XD), READ, True, None, NXE=True),
    row("XD does not touch writes", entries(ALL | XD), WRITE, True, None, NXE=True),
    # SMEP
    row(
        "a supervisor fetch from a user page faults with SMEP", TABLES, FETCH, False, (SMEP, 0x11), SMEP=True
    ),
    row("a supervisor fetch from a user page is allowed without SMEP", TABLES, FETCH, False, None),
    row("SMEP does not touch user fetches", TABLES, FETCH, True, None, SMEP=True),
    row("SMEP does not touch supervisor pages", entries(P), FETCH, False, None, SMEP=True),
    row("SMEP does not touch data", TABLES, READ, False, None, SMEP=True),
    # SMAP
    row("a supervisor read of a user page faults with SMAP", TABLES, READ, False, (SMAP, 1), SMAP=True),
    row("a supervisor write to a user page faults with SMAP", TABLES, WRITE, False, (SMAP, 3), SMAP=True),
    row("SMAP gives way to EFLAGS.AC", TABLES, WRITE, False, None, ac=True, SMAP=True),
    row(
        "AC lifts SMAP but not WP",
        entries(READ_ONLY),
        WRITE,
        False,
        (SUPER_RO, 3),
        ac=True,
        SMAP=True,
        WP=True,
    ),
    row(
        "an implicit access ignores AC",
        TABLES,
        READ,
        False,
        (SMAP_IMPLICIT, 1),
        implicit=True,
        ac=True,
        SMAP=True,
    ),
    row(
        "an implicit access to a supervisor page is allowed",
        entries(P),
        READ,
        False,
        None,
        implicit=True,
        SMAP=True,
    ),
    row("without SMAP supervisor data accesses may use user pages", TABLES, WRITE, False, None),
    row("SMAP does not touch fetches", TABLES, FETCH, False, None, SMAP=True),
    row("SMAP does not touch user accesses", TABLES, READ, True, None, SMAP=True),
    # XD with NXE = 0
    row("XD with NXE 0 is a reserved bit", entries(ALL | XD), READ, True, (RSVD, 0xD)),
    row("XD with NXE 0 is reserved in upper entries too", entries(pml4e=ALL | XD), FETCH, False, (RSVD, 9)),
    # protection keys
    row("AD stops user reads", KEYED, READ, True, (NO_ACCESS, 0x25), PKE=True, PKRU=AD_3),
    row("AD stops user writes", KEYED, WRITE, True, (NO_ACCESS, 0x27), PKE=True, PKRU=AD_3),
    row(
        "AD stops supervisor reads of user pages", KEYED, READ, False, (NO_ACCESS, 0x21), PKE=True, PKRU=AD_3
    ),
    row(
        "AD stops implicit accesses to user pages",
        KEYED,
        READ,
        False,
        (NO_ACCESS, 0x21),
        implicit=True,
        PKE=True,
        PKRU=AD_3,
    ),
    row("WD stops user writes", KEYED, WRITE, True, (NO_WRITE, 0x27), PKE=True, PKRU=WD_3),
    row(
        "WD stops supervisor writes with WP 1",
        KEYED,
        WRITE,
        False,
        (NO_WRITE, 0x23),
        WP=True,
        PKE=True,
        PKRU=WD_3,
    ),
    row("WD does not stop supervisor writes with WP 0", KEYED, WRITE, False, None, PKE=True, PKRU=WD_3),
    row("WD does not stop reads", KEYED, READ, True, None, PKE=True, PKRU=WD_3),
    row("keys do not touch fetches", KEYED, FETCH, True, None, PKE=True, PKRU=AD_3 | WD_3),
    row(
        "keys do not touch supervisor pages",
        entries(P | RW | KEY_3),
        WRITE,
        False,
        None,
        PKE=True,
        PKRU=AD_3,
        WP=True,
    ),
    row(
        "a page is a supervisor page for keys too if an upper entry says so",
        entries(ALL | KEY_3, pde=P | RW),
        READ,
        False,
        None,
        PKE=True,
        PKRU=AD_3,
    ),
    row("without CR4.PKE keys are ignored", KEYED, WRITE, True, None, PKRU=AD_3 | WD_3),
    row(
        "the key comes from the leaf only",
        entries(pml4e=ALL | KEY_3, pdpte=ALL | KEY_3, pde=ALL | KEY_3),
        READ,
        True,
        None,
        PKE=True,
        PKRU=AD_3,
    ),
    row(
        "PKRU speaks of each key by itself",
        KEYED,
        WRITE,
        True,
        None,
        PKE=True,
        PKRU=~(AD_3 | WD_3) & 0xFFFF_FFFF,
    ),
    row(
        "a key grants nothing that R/W refuses",
        entries(READ_ONLY | KEY_3),
        WRITE,
        True,
        (USER_RO, 7),
        PKE=True,
        PKRU=0,
    ),
    # PK in the error code
    row(
        "PK is set beside another refusal if the key denies too",
        KEYED,
        READ,
        False,
        (SMAP, 0x21),
        SMAP=True,
        PKE=True,
        PKRU=AD_3,
    ),
    row("PK is 0 where no page was found", entries(0), READ, True, (NP, 4), PKE=True, PKRU=0xFFFF_FFFF),
    row(
        "PK is 0 for a reserved bit", entries(ALL | HIGH), READ, True, (RSVD, 0xD), PKE=True, PKRU=0xFFFF_FFFF
    ),
]


@pytest.mark.parametrize(("tables", "type", "user", "controls", "implicit", "ac", "expected"), STATEMENTS)
def test_the_manual_says(
    tables: dict[int, int],
    type: AccessType,
    user: bool,
    controls: Controls,
    implicit: bool,
    ac: bool,
    expected: tuple[Reason, int] | None,
):
    assert outcome(tables, type, user, controls, implicit, ac) == expected


def test_two_upper_entries_that_share_a_table_can_give_different_rights():
    tables = entries() | {0x1008: 0x2000 | P | US}
    writable, read_only = (walk(lambda address, _: tables[address], linear, BARE) for linear in (0, 1 << 39))
    assert writable.frame == read_only.frame
    assert check(writable.rights, WRITE, True, False, False, BARE) is None
    assert check(read_only.rights, WRITE, True, False, False, BARE) is Reason.WRITE_TO_READ_ONLY_PAGE


def test_the_bits_of_the_error_code_stand_where_the_manual_puts_them():
    bits = {bit.name: bit.value.bit_length() - 1 for bit in ErrorCode}
    assert bits == {"P": 0, "W": 1, "U": 2, "RSVD": 3, "I": 4, "PK": 5, "SS": 6, "SGX": 15}
    assert describe_error(0x8000).endswith("SGX")


@pytest.mark.parametrize(
    ("type", "flags_set"),
    [
        pytest.param(READ, [A, A, A, A], id="a read sets A in every entry used and D in none"),
        pytest.param(FETCH, [A, A, A, A], id="a fetch sets A in every entry used and D in none"),
        pytest.param(WRITE, [A, A, A, A | D], id="a write sets D too, in the leaf only"),
    ],
)
def test_a_walk_that_succeeds_marks_what_it_used(type: AccessType, flags_set: list[int]):
    tables = entries()
    found = walk(lambda address, _: tables[address], 0, BARE)
    updates = accessed_updates(found, type is WRITE)
    assert [update.after & ~update.before for update in updates] == flags_set


@pytest.mark.parametrize("mode", [TWO_LEVEL, PAE], ids=lambda mode: mode.name)
def test_without_long_mode_there_are_no_protection_keys(mode: PagingMode):
    everything = replace(BARE, mode=mode, PKE=True, PKRU=0xFFFF_FFFF)
    assert check(Rights(US=True, RW=True, XD=False), WRITE, True, False, False, everything) is None


@pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)
def test_i_d_needs_smep_or_xd_and_32_bit_paging_has_no_xd(mode: PagingMode):
    for nxe, smep in ((False, False), (True, False), (False, True)):
        under = replace(BARE, mode=mode, NXE=nxe, SMEP=smep)
        expected = 0x10 if smep or (nxe and mode is not TWO_LEVEL) else 0
        assert error_code(NP, FETCH, False, under) == expected


def test_a_refused_access_sets_nothing_in_this_model_and_a_cpu_may_have_set_a_above():
    """SDM 4.8 leaves it open. Upper entries with A set are legal too; the referee's engine leaves them so."""
    bench = Bench()
    leaf = bench.map(0x40_0000, 0x10_0000, READ_ONLY)
    above = [bench.tables.entry_address(LinearAddress(0x40_0000), name) for name in ("PML4E", "PDPTE", "PDE")]
    bench.refused(0x40_0000, BENCH_WRITE)
    assert [bench.entry(address) & (A | D) for address in (*above, leaf)] == [0, 0, 0, 0]


def test_d_is_set_only_after_the_write_is_permitted():
    bench = Bench()
    leaf = bench.map(0x40_0000, 0x10_0000, READ_ONLY | A)
    bench.refused(0x40_0000, BENCH_WRITE)
    assert not bench.entry(leaf) & D
    bench.set_entry(leaf, bench.entry(leaf) | RW)
    bench.access(0x40_0000, BENCH_WRITE)
    assert bench.entry(leaf) & D


@pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)
def test_the_first_write_sets_d_even_if_a_read_had_cached_the_translation(mode: PagingMode):
    bench = Bench(mode=mode)
    leaf = bench.map(0x40_0000, 0x10_0000)
    bench.set()
    bench.access(0x40_0000, BENCH_READ)
    assert bench.entry(leaf) & (A | D) == A
    bench.access(0x40_0000, BENCH_WRITE)
    assert bench.entry(leaf) & (A | D) == A | D


@pytest.mark.parametrize("cached", [False, True], ids=["walked", "cached"])
def test_the_mmu_tells_what_the_key_denies_whether_it_walked_or_not(cached: bool):
    bench = Bench()
    bench.map(0x40_0000, 0x10_0000, ALL | KEY_3)
    bench.set(SMAP=True, PKE=True, PKRU=0 if cached else AD_3)
    if cached:
        bench.access(0x40_0000)
        bench.set(SMAP=True, PKE=True, PKRU=AD_3)
    refused = bench.refused(0x40_0000, user=False)
    assert (refused.reason, refused.error, refused.cached) == (SMAP, 0x21, cached)


def test_a_and_d_are_never_cleared_by_the_cpu():
    tables = entries(*[ALL | A | D] * 4)
    assert accessed_updates(walk(lambda address, _: tables[address], 0, BARE), write=False) == []

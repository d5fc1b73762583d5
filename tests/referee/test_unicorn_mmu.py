# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 1: walk, rights, error code, CR2, A and D against Unicorn's own MMU over random page tables, in every mode.

The long form is a million cases a mode in ten shards, or as many a mode as PAGEWALK_REFEREE_CASES says; one shard is
part of every full test, the others are for the night (`pytest -m nightly tests/referee`). Each shard prints its rate
(under -n, which spreads them, it is in --junitxml only).
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from unicorn.x86_const import UC_CPU_X86_SKYLAKE_CLIENT

from emu.paging.fault import AccessType, Reason
from emu.paging.formats import PS, RW, US, A, D, P
from emu.paging.modes import FIVE_LEVEL, FOUR_LEVEL, MODES, PAE, TWO_LEVEL, PagingMode
from emu.paging.rights import Controls
from emu.paging.walk import load_pdptes, walk
from tests.referee.unicorn_mmu.case import PAGE_FAULT, Case, Outcome, Setting, plain_case, roots
from tests.referee.unicorn_mmu.engine import EngineMmu
from tests.referee.unicorn_mmu.judge import cases_to_notice, disagreement, disagreements, judgement
from tests.referee.unicorn_mmu.memory import LOW, MAXPHYADDR
from tests.referee.unicorn_mmu.mutants import RULE_MUTANTS, table_mutants

CASES = 10_000
LONG_CASES = int(os.environ.get("PAGEWALK_REFEREE_CASES", "1000000"))
SHARDS = 10
PATIENCE = 40_000
"""How many cases a planted bug may take to be noticed."""

READ, WRITE, FETCH = AccessType.READ, AccessType.WRITE, AccessType.FETCH
ENTRY = P | RW | US
PAGE = LOW.pages
WHOLE = ENTRY | PAGE
"""An entry that grants everything and maps the first page under test."""

in_every_mode = pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)

KINDS = {"32-bit": 19, "PAE": 19, "4-level": 24, "5-level": 24}
"""Permission; three causes of a fault with three accesses at two privileges; in long mode a #GP, and keys for data."""


@cache
def engine(mode: PagingMode) -> EngineMmu:
    """One engine a mode for all cases: each starts from a restored context."""
    return EngineMmu(mode)


def setting(mode: PagingMode, **changes: bool | int) -> Setting:
    """WP and NXE, all else off, unless told otherwise."""
    plain = Controls(True, False, False, True, mode, roots(mode)[0], PGE=False, maxphyaddr=MAXPHYADDR)
    return Setting(replace(plain, **changes))


def seen(case: Case, judge: EngineMmu | None = None) -> Outcome:
    """What the engine says."""
    judge = judge or engine(case.setting.mode)
    judge.enter(case.setting)
    return judge.outcome(case)


def expected(case: Case) -> Outcome:
    """What the model says, before the engine's known differences."""
    judged = judgement(case, engine(case.setting.mode).memory.read)
    assert judged is not None
    return judged.model


def values(case: Case) -> tuple[int, ...]:
    """The case's entries, root first."""
    return tuple(value for _, value in case.entries)


def with_values(case: Case, changes: dict[int, int]) -> Case:
    """The case with other entries at some depths."""
    entries = [(address, changes.get(depth, raw)) for depth, (address, raw) in enumerate(case.entries)]
    return replace(case, entries=tuple(entries))


def reader(case: Case) -> Callable[[int, int], int]:
    """Reads the case's entries, and zeros."""
    memory = dict(case.entries)
    return lambda address, _size: memory.get(address, 0)


# -- random cases ----------------------------------------------------------------------------------------------------


@in_every_mode
def test_the_model_and_the_engine_agree_on_ten_thousand_random_cases(mode: PagingMode):
    found, outcomes = disagreements(engine(mode), seed=1, cases=CASES)
    assert not found, f"{len(found)} of {CASES} disagree; the first:\n" + "\n\n".join(found[:3])
    assert len(outcomes) == KINDS[mode.name], f"random cases must reach every kind of outcome: {outcomes}"
    assert outcomes["permitted"] > CASES // 4


@pytest.mark.parametrize(
    "shard",
    [pytest.param(n, marks=pytest.mark.nightly if n else pytest.mark.long, id=str(n)) for n in range(SHARDS)],
)
@in_every_mode
def test_the_model_and_the_engine_agree_on_a_million_random_cases(
    mode: PagingMode, shard: int, record_property, capsys
):
    cases = LONG_CASES // SHARDS
    start = time.perf_counter()
    found, _ = disagreements(engine(mode), seed=1000 + shard, cases=cases)
    rate = round(cases / (time.perf_counter() - start))
    record_property("cases_per_second", rate)
    with capsys.disabled():
        print(f"\n{mode.name}, shard {shard}: {cases} cases, {len(found)} disagreements, {rate} cases/s")
    assert not found, "\n\n".join(found[:3])


# -- would the referee notice? ---------------------------------------------------------------------------------------


@in_every_mode
def test_the_referee_notices_each_field_of_each_format_that_is_wrong(mode: PagingMode):
    mutants = dict(table_mutants(mode))
    unnoticed = [
        what
        for what, suspect in mutants.items()
        if cases_to_notice(engine(mode), seed=3, limit=PATIENCE, suspect=suspect) is None
    ]
    assert not unnoticed
    assert len(mutants) >= 24


@in_every_mode
def test_the_referee_notices_each_rule_that_is_wrong(mode: PagingMode):
    unnoticed: list[str] = []
    for what, (modes, plant) in RULE_MUTANTS.items():
        if mode not in modes:
            continue
        with pytest.MonkeyPatch.context() as patch:
            if cases_to_notice(engine(mode), seed=3, limit=PATIENCE, suspect=plant(patch)) is None:
                unnoticed.append(what)
    assert not unnoticed


@in_every_mode
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"vector": 13}, id="another vector"),
        pytest.param({"error": 4}, id="another error code"),
        pytest.param({"cr2": 0}, id="another CR2"),
        pytest.param({"physical": PAGE + 8}, id="another physical address"),
        pytest.param({"entries": ()}, id="other entries"),
    ],
)
def test_the_referee_sees_any_difference(mode: PagingMode, wrong: dict[str, object]):
    case = plain_case(setting(mode), WHOLE, READ, cpl3=True)
    judged = judgement(case, engine(mode).memory.read)
    assert judged is not None
    assert disagreement(case, judged, seen(case)) is None
    words = disagreement(case, judged, seen(case)._replace(**wrong))
    assert words is not None and f"read at CPL 3, AC 0, of {case.linear:#018x}" in words


@in_every_mode
@pytest.mark.parametrize("type", AccessType)
def test_a_permitted_access_reaches_the_physical_address_of_the_walk(mode: PagingMode, type: AccessType):
    case = plain_case(setting(mode), WHOLE, type, cpl3=True)
    forms = [level.table for level in mode.levels]
    after = [raw | A & form.accessed for raw, form in zip(values(case), forms, strict=True)]
    after[-1] |= D if type is WRITE else 0
    assert seen(case) == expected(case) == Outcome(None, None, None, PAGE, tuple(after))


# -- where the engine differs from the manual, or from this model: each difference is expected, and pinned -----------


@in_every_mode
def test_the_engine_sets_a_in_upper_entries_of_a_refused_access_and_the_model_does_not(mode: PagingMode):
    """SDM vol. 3A, "Accessed and Dirty Flags", 4.8: A says that an entry was used, not that the access was let."""
    case = plain_case(setting(mode), PAGE | P, WRITE, cpl3=True)
    *upper, leaf = values(case)
    after = [raw | A & level.table.accessed for raw, level in zip(upper, mode.levels, strict=False)]
    assert expected(case).entries == values(case)
    assert seen(case) == Outcome(PAGE_FAULT, 7, case.linear, None, (*after, leaf))


@pytest.mark.parametrize("mode", [FOUR_LEVEL, FIVE_LEVEL], ids=lambda mode: mode.name)
def test_the_engine_sets_a_in_a_1g_pdpte_that_refuses(mode: PagingMode):
    case = plain_case(setting(mode), WHOLE, WRITE, cpl3=True)
    at = mode.levels.index(mode.level("PDPTE"))
    for pdpte in (P | PS, ENTRY | PS | 1 << 20):
        refused = with_values(case, {at: pdpte})
        assert seen(refused).entries[at] == pdpte | A
        assert expected(refused).entries[at] == pdpte
    high = with_values(case, {at: ENTRY | PS | 1 << 45})
    assert seen(high).entries[at] == ENTRY | PS | 1 << 45


def test_the_engine_walks_1g_pages_that_its_cpuid_does_not_offer():
    """Controls.page_1g = False is not for this referee to judge."""
    case = with_values(plain_case(setting(FOUR_LEVEL), WHOLE, READ, cpl3=True), {1: ENTRY | PS})
    assert seen(case, EngineMmu(FOUR_LEVEL, UC_CPU_X86_SKYLAKE_CLIENT)).physical == case.linear % (1 << 30)
    small = replace(case.setting.controls, page_1g=False)
    assert walk(reader(case), case.linear, small).reason is Reason.RESERVED_BIT_SET


@pytest.mark.parametrize("cpl3", [False, True], ids=["CPL 0", "CPL 3"])
def test_at_cpl_0_the_engine_lets_ac_lift_smap_for_implicit_accesses(cpl3: bool):
    """SDM vol. 3A, "Determination of Access Rights", 4.6.1: AC matters to explicit supervisor-mode accesses alone."""
    case = replace(plain_case(setting(FOUR_LEVEL, SMAP=True), WHOLE, READ, cpl3), implicit=True, ac=True)
    assert expected(case)[:3] == (PAGE_FAULT, 1, case.linear)
    assert seen(case)[:3] == ((PAGE_FAULT, 1, case.linear) if cpl3 else (None, None, None))


def test_the_engine_finds_high_reserved_bits_of_a_pdpte_when_it_walks_and_not_when_cr3_is_loaded():
    """SDM vol. 3A, "PDPTE Registers", 4.4.1: MOV to CR3 raises #GP and nothing is loaded."""
    plain = plain_case(setting(PAE), WHOLE, READ, cpl3=True)
    for bit in (40, 51, 52, 62, 63):
        case = with_values(plain, {0: values(plain)[0] | 1 << bit})
        assert seen(case)[:3] == (PAGE_FAULT, 0xD, case.linear)
        assert judgement(case, engine(PAE).memory.read) is None
        assert load_pdptes(reader(case), case.setting.root, MAXPHYADDR) is None


def test_the_engine_ignores_the_low_reserved_bits_of_a_pdpte():
    """SDM vol. 3A, table "Format of a PAE Page-Directory-Pointer-Table Entry": bits 1, 2 and 5 to 8 are reserved."""
    plain = plain_case(setting(PAE), WHOLE, READ, cpl3=True)
    for bit in (1, 2, 5, 6, 7, 8):
        case = with_values(plain, {0: values(plain)[0] | 1 << bit})
        assert seen(case).physical == PAGE
        assert judgement(case, engine(PAE).memory.read) is None


def test_the_engine_sees_a_changed_pdpte_at_once_and_the_model_keeps_the_registers():
    """SDM vol. 3A, "PDPTE Registers", 4.4.1: walks use the registers, and MOV to CR3 loads them."""
    loaded = plain_case(setting(PAE), WHOLE, READ, cpl3=True)
    changed = with_values(loaded, {0: 0})
    registers = load_pdptes(reader(loaded), loaded.setting.root, MAXPHYADDR)
    assert registers is not None
    controls = replace(loaded.setting.controls, pdptes=registers)
    assert walk(reader(changed), loaded.linear, controls).physical == PAGE
    assert seen(loaded).physical == PAGE
    assert seen(changed)[:2] == (PAGE_FAULT, 4)


# -- what the random cases rest on -----------------------------------------------------------------------------------


@in_every_mode
def test_a_table_outside_ram_reads_as_zeros(mode: PagingMode):
    outside = LOW.end | ENTRY & ~mode.levels[0].table.implied
    case = with_values(plain_case(setting(mode), WHOLE, READ, cpl3=True), {0: outside})
    assert seen(case)[:3] == expected(case)[:3] == (PAGE_FAULT, 4, case.linear)


@in_every_mode
@pytest.mark.parametrize("type", AccessType)
def test_a_page_outside_ram_is_permitted_and_its_physical_address_known(mode: PagingMode, type: AccessType):
    case = plain_case(setting(mode), LOW.end | ENTRY, type, cpl3=True)
    assert seen(case) == expected(case)
    assert seen(case).physical == LOW.end


def test_a_4m_page_lies_above_4_gbytes_with_pse_36():
    case = with_values(
        plain_case(setting(TWO_LEVEL), WHOLE, READ, True), {0: ENTRY | PS | 1 << 22 | 0x9D << 13}
    )
    assert seen(case) == expected(case)
    assert seen(case).physical == 0x9D_0040_0000 | case.linear % (1 << 22)


@pytest.mark.parametrize("mode", [TWO_LEVEL, PAE], ids=lambda mode: mode.name)
def test_without_long_mode_there_are_no_protection_keys(mode: PagingMode):
    """SDM vol. 3A, "Protection Keys", 4.6.2, speaks of 4-level and 5-level paging alone."""
    case = plain_case(setting(mode, PKE=True, PKRU=0xFFFF_FFFF), WHOLE, WRITE, cpl3=True)
    assert seen(case).physical == expected(case).physical == PAGE


def test_a_key_that_denies_shows_in_the_error_code_beside_another_refusal():
    """SDM vol. 3A, "Page-Fault Exceptions", 4.7: PK says what the key does, whatever else refuses."""
    case = plain_case(setting(FOUR_LEVEL, PKE=True, PKRU=1, SMAP=True), WHOLE, READ, cpl3=False)
    assert seen(case)[:3] == expected(case)[:3] == (PAGE_FAULT, 0x21, case.linear)


def test_a_self_referencing_root_shows_its_own_entry():
    case = plain_case(setting(FOUR_LEVEL), WHOLE, READ, cpl3=True)
    root = case.setting.root
    itself = replace(case, linear=0xFFFF_FFFF_FFFF_FFF8, entries=((root + 511 * 8, root | ENTRY),))
    assert seen(itself) == expected(itself)
    assert seen(itself).physical == root + 511 * 8

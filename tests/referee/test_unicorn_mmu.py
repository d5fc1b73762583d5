# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 1: the walk, the rights, the error code, A and D against Unicorn's own MMU over random page tables.

The long form is `pytest -m long tests/referee`: a million cases in ten shards, or as many as
PAGEWALK_REFEREE_CASES says. Each shard prints its rate (under -n, which spreads them, it is in --junitxml only).
"""

import os
import time
from dataclasses import replace

import pytest
from unicorn.x86_const import UC_CPU_X86_SKYLAKE_CLIENT

from emu.paging.fault import AccessType, Reason
from emu.paging.formats import PS, RW, US, A, D, P
from emu.paging.modes import FOUR_LEVEL
from emu.paging.rights import Controls
from emu.paging.walk import walk
from tests.referee.unicorn_mmu import (
    FIRST_TABLE,
    Case,
    EngineMmu,
    Outcome,
    disagreement,
    disagreements,
    model_outcome,
)

CASES = 10_000
LONG_CASES = int(os.environ.get("PAGEWALK_REFEREE_CASES", "1000000"))
SHARDS = 10

ENTRY = P | RW | US
TABLES = (FIRST_TABLE, FIRST_TABLE + 0x1000, FIRST_TABLE + 0x2000)
UPPER = (TABLES[0] | ENTRY, TABLES[1] | ENTRY, TABLES[2] | ENTRY)
PLAIN = Case(
    linear=1 << 39 | 0x20_0008,
    tables=TABLES,
    entries=(*UPPER, 0x30_0000 | ENTRY),
    type=AccessType.READ,
    user=True,
    ac=False,
    WP=True,
    SMEP=False,
    SMAP=False,
    NXE=True,
)


@pytest.fixture(scope="module")
def engine() -> EngineMmu:
    """One engine for all cases: each starts from a restored context."""
    return EngineMmu()


def test_the_model_and_the_engine_agree_on_ten_thousand_random_cases(engine: EngineMmu):
    found, outcomes = disagreements(engine, seed=1, cases=CASES)
    assert not found, f"{len(found)} of {CASES} disagree; the first:\n" + "\n\n".join(found[:3])
    assert outcomes["permitted"] > CASES // 4
    assert len(outcomes) == 19, "random cases must reach every error code: 18, and permission"
    assert min(outcomes.values()) > CASES // 1000


@pytest.mark.long
@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_model_and_the_engine_agree_on_a_million_random_cases(shard: int, record_property, capsys):
    cases = LONG_CASES // SHARDS
    engine = EngineMmu()
    start = time.perf_counter()
    found, _ = disagreements(engine, seed=1000 + shard, cases=cases)
    rate = round(cases / (time.perf_counter() - start))
    record_property("cases_per_second", rate)
    with capsys.disabled():
        print(f"\nshard {shard}: {cases} cases, {len(found)} disagreements, {rate} cases/s")
    assert not found, "\n\n".join(found[:3])


def test_a_permitted_read_reaches_the_physical_address_of_the_walk(engine: EngineMmu):
    entries = tuple(entry | A for entry in PLAIN.entries)
    assert engine.outcome(PLAIN) == Outcome(None, None, entries, physical=0x30_0008)
    assert disagreement(PLAIN, engine.outcome(PLAIN)) is None


def test_a_permitted_write_leaves_d_in_the_leaf(engine: EngineMmu):
    write = replace(PLAIN, type=AccessType.WRITE)
    entries = (*(entry | A for entry in UPPER), PLAIN.entries[3] | A | D)
    assert engine.outcome(write) == model_outcome(write)[0] == Outcome(None, None, entries, None)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"error": 4}, id="another outcome"),
        pytest.param({"physical": 0x40_0008}, id="another physical address"),
        pytest.param({"entries": PLAIN.entries}, id="A not set"),
        pytest.param({"entries": (*UPPER, PLAIN.entries[3] | A | D)}, id="D set by a read"),
    ],
)
def test_the_referee_sees_any_difference(engine: EngineMmu, wrong: dict[str, object]):
    words = disagreement(PLAIN, engine.outcome(PLAIN)._replace(**wrong))
    assert words is not None and "user read at 0x0000008000200008, WP NXE" in words


def test_the_engine_sets_a_in_upper_entries_of_a_refused_access_and_the_model_does_not(engine: EngineMmu):
    refused = replace(PLAIN, entries=(*UPPER, 0x30_0000 | P), type=AccessType.WRITE)
    assert model_outcome(refused)[0].entries == refused.entries
    assert engine.outcome(refused).entries == (*(entry | A for entry in UPPER), 0x30_0000 | P)
    assert disagreement(refused, engine.outcome(refused)) is None


def test_the_engine_sets_a_in_a_1g_pdpte_that_refuses(engine: EngineMmu):
    pml4e = UPPER[0]
    for pdpte in (P | PS, ENTRY | PS | 1 << 20):
        refused = replace(PLAIN, entries=(pml4e, pdpte, 0, 0))
        assert engine.outcome(refused).entries == (pml4e | A, pdpte | A, 0, 0)
        assert disagreement(refused, engine.outcome(refused)) is None
    high = replace(PLAIN, entries=(pml4e, ENTRY | PS | 1 << 45, 0, 0))
    assert engine.outcome(high).entries == (pml4e | A, high.entries[1], 0, 0)


def test_the_engine_walks_1g_pages_that_its_cpuid_does_not_offer():
    """An expected disagreement: Controls.page_1g = False is not for this referee to judge."""
    case = replace(PLAIN, entries=(UPPER[0], ENTRY | PS, 0, 0))
    assert EngineMmu(UC_CPU_X86_SKYLAKE_CLIENT).outcome(case).physical == 0x20_0008
    controls = Controls(True, False, False, True, FOUR_LEVEL, 0x1_0000, PGE=False, page_1g=False)
    memory = dict(zip(case.addresses, case.entries, strict=True))
    refusal = walk(lambda address, _size: memory[address], case.linear, controls).refusal
    assert refusal is not None and refusal.reason is Reason.RESERVED_BIT_SET

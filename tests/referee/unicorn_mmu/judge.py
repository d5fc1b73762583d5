# SPDX-License-Identifier: GPL-2.0-or-later
"""What emu.paging says about a case, where the engine is known to differ, and the comparison."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from emu.paging.fault import AccessType, Reason, error_code
from emu.paging.formats import PDPTE, PS, P
from emu.paging.rights import Controls, check, key_refusal
from emu.paging.walk import Walk, accessed_updates, load_pdptes, walk
from tests.referee.unicorn_mmu.case import (
    GENERAL_PROTECTION,
    PAGE_FAULT,
    Case,
    Outcome,
    random_case,
    random_setting,
)
from tests.referee.unicorn_mmu.engine import EngineMmu
from tests.referee.unicorn_mmu.memory import MAXPHYADDR, MOV_EAX, bank_of, word_number

CASES_PER_SETTING: Final = 16

ReadMemory = Callable[[int, int], int]
Suspect = Callable[[Controls], Controls]


def unchanged(controls: Controls) -> Controls:
    """The suspect that is none."""
    return controls


class Judgement(NamedTuple):
    """The model's outcome, the walk it made, and what the engine is expected to say."""

    model: Outcome
    found: Walk
    expected: Outcome


def judgement(case: Case, read_memory: ReadMemory, suspect: Suspect = unchanged) -> Judgement | None:
    """What emu.paging says about the case; None if the engine cannot judge it.

    `read_memory` gives what lies outside the case's own entries. `suspect` changes the controls that the model walks
    under: that is how tests plant a bug. The engine cannot judge a PDPTE that must not be loaded, nor fetches and
    descriptor reads from words of which the harness does not know what they would do.
    """
    memory, size = dict(case.entries), case.setting.mode.entry_bytes

    def read_entry(address: int, entry_bytes: int) -> int:
        value = memory.get(address)
        return read_memory(address, entry_bytes) if value is None else value

    controls = suspect(case.setting.controls)
    if controls.mode.root_in_registers:
        pdptes = load_pdptes(read_entry, controls.root, MAXPHYADDR)
        if pdptes is None:
            return None
        controls = replace(controls, pdptes=pdptes)
    found = walk(read_entry, case.linear, controls)
    if found.reason is None:
        reason = check(found.rights, case.type, case.user, case.implicit, case.ac, controls)
    else:
        reason = found.reason
    if reason is not None:
        vector, error, cr2 = _fault(case, found, reason)
        model = Outcome(vector, error, cr2, None, tuple(memory[address] for address, _ in case.entries))
        return Judgement(model, found, model._replace(entries=engine_entries(case, found, memory)))
    physical = found.physical
    if (
        (case.implicit or case.type is AccessType.FETCH)
        and bank_of(physical)
        and word_number(physical) is None
    ):
        return None
    for update in accessed_updates(found, case.type is AccessType.WRITE):
        memory[update.step.address] = update.after
    at = physical & -size
    if case.type is AccessType.WRITE and at in memory:
        memory[at] = memory[at] & ~0xFF | MOV_EAX
    model = Outcome(None, None, None, physical, tuple(memory[address] for address, _ in case.entries))
    return Judgement(model, found, model)


def _fault(case: Case, found: Walk, reason: Reason) -> tuple[int, int, int | None]:
    controls = found.controls
    if reason is Reason.NON_CANONICAL:
        return GENERAL_PROTECTION, 0, None
    denied = found.complete and key_refusal(found.rights, case.type, case.user, controls) is not None
    return PAGE_FAULT, error_code(reason, case.type, case.user, controls, key_denies=denied), case.linear


def engine_entries(case: Case, found: Walk, memory: dict[int, int]) -> tuple[int, ...]:
    """The entries as the engine leaves them after a refused access: A is set in the upper ones.

    SDM vol. 3A, "Accessed and Dirty Flags", 4.8, lets a CPU set A in the entries it used even so; this model does
    not. The engine sets A on its way down, in each entry that leads on to the next; the one that refuses, or whose
    rights are judged, stays as it was. One exception, the engine's own: a PDPTE that is sound as a reference to a
    table gets its A before the engine sees that PS makes it a 1G page, whose rights or bits 13 to 29 then refuse.
    """
    levels = found.controls.mode.levels
    passed = len(found.values) - 1
    if passed >= 0:
        level, raw = levels[passed], found.values[-1]
        maps_1g = level.page is not None and level.page_bytes == 1 << 30 and raw & PS
        if maps_1g and raw & P and not raw & PDPTE.reserved_mask(MAXPHYADDR, found.controls.NXE):
            passed += 1
    after = dict(memory)
    for address, level in zip(found.addresses[: max(passed, 0)], levels, strict=False):
        if address in after:
            after[address] |= level.table.accessed
    return tuple(after[address] for address, _ in case.entries)


def disagreement(case: Case, verdict: Judgement, engine: Outcome) -> str | None:
    """How the engine's outcome differs from what is expected of it, in words; None if it does not."""
    if engine == verdict.expected:
        return None
    return f"{case}\nmodel  {verdict.expected}\nengine {engine}"


class Verdict(NamedTuple):
    """One case judged: the engine's outcome, and the disagreement in words if there is one."""

    outcome: Outcome
    words: str | None


def verdicts(engine: EngineMmu, seed: int, suspect: Suspect = unchanged) -> Iterator[Verdict]:
    """Judge random cases of the engine's mode without end. Those that the engine cannot judge are left out."""
    rng = random.Random(seed)
    while True:
        setting = random_setting(rng, engine.mode)
        engine.enter(setting)
        for _ in range(CASES_PER_SETTING):
            case = random_case(rng, setting)
            judged = judgement(case, engine.memory.read, suspect)
            if judged is None:
                continue
            outcome = engine.outcome(case)
            for address in set(judged.found.addresses).difference(address for address, _ in case.entries):
                engine.memory.reset(address)
            yield Verdict(outcome, disagreement(case, judged, outcome))


def disagreements(engine: EngineMmu, seed: int, cases: int) -> tuple[list[str], Counter[str]]:
    """Judge `cases` random cases: the disagreements in words, and how often each kind of outcome came up."""
    found: list[str] = []
    outcomes: Counter[str] = Counter()
    for verdict in islice(verdicts(engine, seed), cases):
        if verdict.words is not None:
            found.append(verdict.words)
        outcomes[verdict.outcome.kind] += 1
    return found, outcomes


def cases_to_notice(engine: EngineMmu, seed: int, limit: int, suspect: Suspect = unchanged) -> int | None:
    """After how many cases the first disagreement shows; None if `limit` cases show none."""
    judged = islice(verdicts(engine, seed, suspect), limit)
    return next((at for at, verdict in enumerate(judged, 1) if verdict.words is not None), None)

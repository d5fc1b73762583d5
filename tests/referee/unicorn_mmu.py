# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 1: Unicorn's own MMU, in its default mode, walks the same tables as emu.paging.

One case is four paging-structure entries and one access. Two judges give its outcome: `EngineMmu` lets the
engine make the access, `model_outcome` asks walk, check, error_code and accessed_updates. They must agree in
everything but the one difference that `engine_entries` names.

The engine walks 1G pages whether or not its CPUID offers them: the cases run on a model that does.

The engine cannot judge: non-canonical addresses, staleness, implicit accesses, a MAXPHYADDR other than 40.
"""

import ctypes
import random
import struct
from collections import Counter
from dataclasses import dataclass, replace
from typing import NamedTuple

from unicorn import UC_ARCH_X86, UC_CTL_IO_WRITE, UC_CTL_TLB_FLUSH, UC_HOOK_INTR, UC_MODE_64, Uc
from unicorn.x86_const import (
    UC_CPU_X86_ICELAKE_SERVER,
    UC_X86_REG_CR0,
    UC_X86_REG_CR2,
    UC_X86_REG_CR3,
    UC_X86_REG_CR4,
    UC_X86_REG_CS,
    UC_X86_REG_GDTR,
    UC_X86_REG_MSR,
    UC_X86_REG_R12,
    UC_X86_REG_RAX,
    UC_X86_REG_RFLAGS,
    UC_X86_REG_RSP,
    UC_X86_REG_SS,
)

from emu.bits import PAGE_BYTES, sign_extend
from emu.paging.fault import AccessType, describe_error, error_code
from emu.paging.formats import PAT_LARGE, PDPTE, PDPTE_1G, PS, RW, US, XD, A, D, G, P
from emu.paging.modes import FOUR_LEVEL
from emu.paging.rights import Controls, check
from emu.paging.walk import Walk, accessed_updates, walk

MAXPHYADDR = 40

# Physical memory, 8 MiB. Below 1 MiB: the harness's own pages and tables (mapped at PML4 index 0, linear =
# physical); then the tables under test; from 2 MiB up the pages under test.
MEMORY_BYTES = 8 << 20
SUPERVISOR_CODE, USER_CODE, GDT, SUPERVISOR_STACK, USER_STACK = 0x1000, 0x2000, 0x3000, 0x5000, 0x6000
ROOT, OWN_TABLES = 0x1_0000, (0x1_1000, 0x1_2000, 0x1_3000)
FIRST_TABLE, FIRST_PAGE = 0x10_0000, 0x20_0000

READ_AT, WRITE_AT, LAND_AT, IRET_AT = 0x000, 0x100, 0x200, 0x300
INSTRUCTION = {
    READ_AT: bytes.fromhex("49 8b 04 24"),  # mov rax, [r12]
    WRITE_AT: bytes.fromhex("41 c6 04 24 c3"),  # mov byte [r12], 0xc3: what is there already
    LAND_AT: bytes.fromhex("90"),
    IRET_AT: bytes.fromhex("48 cf"),  # iretq
}
RET = 0xC3


class Outcome(NamedTuple):
    """What an access came to. `physical` is known for a permitted read."""

    error: int | None
    cr2: int | None
    entries: tuple[int, ...]
    physical: int | None


@dataclass(frozen=True)
class Case:
    """One access, and the entries from PML4E to PTE on its way (those under a large page are spare)."""

    linear: int
    tables: tuple[int, int, int]
    entries: tuple[int, int, int, int]
    type: AccessType
    user: bool
    ac: bool
    WP: bool
    SMEP: bool
    SMAP: bool
    NXE: bool

    @property
    def addresses(self) -> tuple[int, ...]:
        """Where the four entries lie."""
        shifts = (39, 30, 21, 12)
        tables = (ROOT, *self.tables)
        return tuple(t + 8 * (self.linear >> s & 511) for t, s in zip(tables, shifts, strict=True))

    def __str__(self) -> str:
        """The case on a few lines, enough to repeat it by hand."""
        switches = [name for name in ("WP", "SMEP", "SMAP", "NXE", "ac") if getattr(self, name)]
        who = "user" if self.user else "supervisor"
        entries = " ".join(f"{entry:#018x}" for entry in self.entries)
        return f"{who} {self.type} at {self.linear:#018x}, {' '.join(switches) or 'no switches'}\n{entries}"


def random_case(rng: random.Random) -> Case:
    """A case with all rights and levels at random, about half of them permitted."""

    def chance(probability: float) -> bool:
        return rng.random() < probability

    def flags() -> int:
        bits = P if chance(0.96) else 0
        for bit, probability in ((RW, 0.85), (US, 0.7), (A, 0.5), (D, 0.5), (G, 0.5), (XD, 0.08)):
            if chance(probability):
                bits |= bit
        bits |= rng.getrandbits(2) << 3 | rng.getrandbits(3) << 9 | rng.getrandbits(11) << 52
        if chance(0.015):
            bits |= 1 << rng.randrange(MAXPHYADDR, 52)
        return bits

    tables = rng.sample(range(FIRST_TABLE, FIRST_PAGE, PAGE_BYTES), 3)
    entries = [table | flags() for table in tables]
    entries.append(rng.randrange(FIRST_PAGE, MEMORY_BYTES, PAGE_BYTES) | flags() | (PS if chance(0.3) else 0))
    if chance(0.015):
        entries[0] |= PS
    for depth, shift, base in ((1, 30, 0), (2, 21, rng.randrange(FIRST_PAGE, MEMORY_BYTES, 2 << 20))):
        if chance(0.2):
            entries[depth] = base | flags() | PS | (PAT_LARGE if chance(0.5) else 0)
            if chance(0.1):
                entries[depth] |= 1 << rng.randrange(13, shift)
        elif chance(0.02):
            entries[depth] |= PS
    offset = rng.randrange(FIRST_PAGE, MEMORY_BYTES, 8)
    linear = rng.randrange(1, 512) << 39 | rng.randrange(512) << 30 | offset
    return Case(
        sign_extend(linear),
        (tables[0], tables[1], tables[2]),
        (entries[0], entries[1], entries[2], entries[3]),
        rng.choice(list(AccessType)),
        user=chance(0.5),
        ac=chance(0.5),
        WP=chance(0.5),
        SMEP=chance(0.4),
        SMAP=chance(0.4),
        NXE=chance(0.85),
    )


def model_outcome(case: Case) -> tuple[Outcome, Walk]:
    """What emu.paging says about the case, and the walk it made."""
    memory = dict(zip(case.addresses, case.entries, strict=True))
    controls = Controls(
        case.WP, case.SMEP, case.SMAP, case.NXE, FOUR_LEVEL, ROOT, PGE=False, maxphyaddr=MAXPHYADDR
    )
    found = walk(lambda address, _size: memory.get(address, 0), case.linear, controls)
    if found.refusal is not None:
        reason = found.refusal.reason
    else:
        reason = check(found.rights, case.type, case.user, False, case.ac, controls)
    if reason is not None:
        return Outcome(
            error_code(reason, case.type, case.user, controls), case.linear, case.entries, None
        ), found
    for update in accessed_updates(found, case.type is AccessType.WRITE):
        memory[update.step.address] = update.after
    entries = tuple(memory[address] for address in case.addresses)
    physical = found.physical if case.type is AccessType.READ else None
    return Outcome(None, None, entries, physical), found


def engine_entries(outcome: Outcome, found: Walk) -> tuple[int, ...]:
    """The entries as the engine leaves them: the model's, and for a refused access A in the upper ones too.

    The engine sets A on its way down, in each entry that leads on to the next; the one that refuses, or whose
    rights are judged, stays as it was. One exception, the engine's own: a PDPTE that is sound as a reference
    to a table gets its A before the engine sees that PS makes it a 1G page, whose rights or bits 13 to 29
    then refuse.
    """
    if outcome.error is None:
        return outcome.entries
    passed = len(found.steps) - 1
    raw, form = found.steps[-1].entry
    if form is PDPTE_1G and raw & P and not raw & PDPTE.reserved_mask(MAXPHYADDR, found.controls.NXE):
        passed += 1
    return tuple(raw | A if depth < passed else raw for depth, raw in enumerate(outcome.entries))


def disagreement(case: Case, engine: Outcome) -> str | None:
    """How the engine's outcome differs from the model's, in words; None if they agree."""
    model, found = model_outcome(case)
    expected = model._replace(entries=engine_entries(model, found))
    if engine == expected:
        return None
    return f"{case}\nmodel  {_words(expected)}\nengine {_words(engine)}"


def _words(outcome: Outcome) -> str:
    entries = " ".join(f"{entry:#018x}" for entry in outcome.entries)
    numbers = [
        value if value is None else hex(value) for value in (outcome.error, outcome.cr2, outcome.physical)
    ]
    return f"error {numbers[0]} cr2 {numbers[1]} physical {numbers[2]} entries {entries}"


class EngineMmu:
    """An engine whose guest makes one access at a time. RuntimeError if it does not behave as known."""

    def __init__(self, cpu_model: int = UC_CPU_X86_ICELAKE_SERVER) -> None:
        """`cpu_model` must be one with SMAP, or the engine drops CR4.SMAP silently."""
        uc = self._uc = Uc(UC_ARCH_X86, UC_MODE_64)
        uc.ctl_set_cpu_model(cpu_model)
        uc.mem_map(0, MEMORY_BYTES)
        self._vector: int | None = None
        uc.hook_add(UC_HOOK_INTR, self._interrupted)
        self._write_memory()
        self._start = {False: self._supervisor_context()}
        self._start[True] = self._user_context()
        self._fault_context = uc.context_save()
        self._error_at = self._fault_context.context.value + self._find_error_code()

    def outcome(self, case: Case) -> Outcome:
        """Make the access of `case` and see what comes of it."""
        uc = self._uc
        self._access(case)
        entries = tuple(int.from_bytes(uc.mem_read(address, 8), "little") for address in case.addresses)
        if self._vector is None:
            read = case.type is AccessType.READ
            return Outcome(None, None, entries, uc.reg_read(UC_X86_REG_RAX) >> 8 if read else None)
        if self._vector != 14:
            raise RuntimeError(f"vector {self._vector} instead of a page fault\n{case}")
        uc.context_update(self._fault_context)
        error = ctypes.c_uint32.from_address(self._error_at).value
        return Outcome(error, uc.reg_read(UC_X86_REG_CR2), entries, None)

    def _interrupted(self, uc: Uc, vector: int, _data: object) -> None:
        self._vector = vector
        uc.emu_stop()

    def _access(self, case: Case) -> None:
        uc = self._uc
        for address, entry in zip(case.addresses, case.entries, strict=True):
            uc.mem_write(address, entry.to_bytes(8, "little"))
        uc.context_restore(self._start[case.user])
        uc.reg_write(UC_X86_REG_MSR, (0xC000_0080, 0xD00 if case.NXE else 0x500))
        uc.reg_write(UC_X86_REG_CR4, 0x20 | case.SMEP << 20 | case.SMAP << 21)
        uc.reg_write(UC_X86_REG_CR0, 0x8000_0011 | case.WP << 16)
        uc.reg_write(UC_X86_REG_RFLAGS, 2 | case.ac << 18)
        uc.reg_write(UC_X86_REG_R12, case.linear)
        uc.ctl(UC_CTL_TLB_FLUSH, UC_CTL_IO_WRITE)
        self._vector = None
        code = USER_CODE if case.user else SUPERVISOR_CODE
        if case.type is AccessType.FETCH:
            uc.emu_start(case.linear, code + LAND_AT)
        else:
            start = WRITE_AT if case.type is AccessType.WRITE else READ_AT
            uc.emu_start(code + start, code + start + len(INSTRUCTION[start]))

    def _write_memory(self) -> None:
        uc = self._uc
        pdpt, directory, table = OWN_TABLES
        for address, entry in ((ROOT, pdpt), (pdpt, directory), (directory, table)):
            uc.mem_write(address, (entry | P | RW | US | A).to_bytes(8, "little"))
        for page in (SUPERVISOR_CODE, USER_CODE, GDT, SUPERVISOR_STACK, USER_STACK):
            entry = page | P | RW | A | D | (US if page in (USER_CODE, USER_STACK) else 0)
            uc.mem_write(table + page // PAGE_BYTES * 8, entry.to_bytes(8, "little"))
        descriptors = (
            0,
            0x00AF_9B00_0000_FFFF,
            0x00CF_9300_0000_FFFF,
            0x00CF_F300_0000_FFFF,
            0x00AF_FB00_0000_FFFF,
        )
        uc.mem_write(GDT, struct.pack("<5Q", *descriptors))
        for page, stack in ((SUPERVISOR_CODE, SUPERVISOR_STACK), (USER_CODE, USER_STACK)):
            for offset, code in INSTRUCTION.items():
                uc.mem_write(page + offset, code)
            uc.mem_write(stack + 0x800, (page + LAND_AT).to_bytes(8, "little"))
        # each quadword of the test pages says where it is, and starts with a ret for the fetches
        words = (RET | address << 8 for address in range(FIRST_PAGE, MEMORY_BYTES, 8))
        uc.mem_write(FIRST_PAGE, struct.pack(f"<{(MEMORY_BYTES - FIRST_PAGE) // 8}Q", *words))

    def _supervisor_context(self):
        uc = self._uc
        uc.reg_write(UC_X86_REG_GDTR, (0, GDT, 39, 0))
        uc.reg_write(UC_X86_REG_CR3, ROOT)
        uc.reg_write(UC_X86_REG_CR4, 0x20)
        uc.reg_write(UC_X86_REG_MSR, (0xC000_0080, 0xD00))
        uc.reg_write(UC_X86_REG_CR0, 0x8000_0011)
        uc.reg_write(UC_X86_REG_CS, 0x08)
        uc.reg_write(UC_X86_REG_SS, 0x10)
        uc.reg_write(UC_X86_REG_RSP, SUPERVISOR_STACK + 0x800)
        return uc.context_save()

    def _user_context(self):
        """The engine changes its privilege level only by running an instruction that does."""
        uc = self._uc
        frame = struct.pack("<5Q", USER_CODE + LAND_AT, 0x23, 2, USER_STACK + 0x800, 0x1B)
        uc.mem_write(SUPERVISOR_STACK + 0x900, frame)
        uc.reg_write(UC_X86_REG_RSP, SUPERVISOR_STACK + 0x900)
        uc.emu_start(SUPERVISOR_CODE + IRET_AT, USER_CODE + LAND_AT)
        if uc.reg_read(UC_X86_REG_CS) != 0x23:
            raise RuntimeError("iretq did not reach user mode")
        return uc.context_save()

    def _find_error_code(self) -> int:
        """The error code is not in the API: faults of known code show where it is in the saved context."""
        size = self._fault_context.size
        entry, leaf = P | RW | US, FIRST_PAGE | P | RW | US
        tables = (FIRST_TABLE, FIRST_TABLE + 0x1000, FIRST_TABLE + 0x2000)
        upper = tuple(table | entry for table in tables)
        easy = Case(1 << 39, tables, (*upper, leaf), AccessType.READ, True, False, True, False, False, True)
        candidates = range(0, size - 3, 4)
        for raw, type, user, known in (
            (0, AccessType.READ, False, 0),
            (0, AccessType.WRITE, False, 2),
            (0, AccessType.WRITE, True, 6),
            (0, AccessType.FETCH, True, 20),
            (leaf ^ RW, AccessType.WRITE, True, 7),
            (leaf | 1 << 51, AccessType.READ, True, 13),
        ):
            blob = self._blob_after(replace(easy, entries=(*upper, raw), type=type, user=user))
            candidates = [at for at in candidates if int.from_bytes(blob[at : at + 4], "little") == known]
        if len(candidates) != 1:
            raise RuntimeError(f"the error code may be at any of {candidates} in the saved context")
        return candidates[0]

    def _blob_after(self, case: Case) -> bytes:
        self._access(case)
        if self._vector != 14:
            raise RuntimeError(f"no page fault where there must be one\n{case}")
        self._uc.context_update(self._fault_context)
        return ctypes.string_at(self._fault_context.context, self._fault_context.size)


def disagreements(engine: EngineMmu, seed: int, cases: int) -> tuple[list[str], Counter[str]]:
    """Judge `cases` random cases: the disagreements in words, and how often each outcome came up."""
    rng = random.Random(seed)
    found: list[str] = []
    outcomes: Counter[str] = Counter()
    for _ in range(cases):
        case = random_case(rng)
        outcome = engine.outcome(case)
        words = disagreement(case, outcome)
        if words is not None:
            found.append(words)
        outcomes["permitted" if outcome.error is None else describe_error(outcome.error)] += 1
    return found, outcomes

# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: E501  machine code reads best on long lines
"""Random bytes as guest code, many seeds in one process: `python -m tests.hostile.random_code RING FIRST COUNT [MODE]`.

Whatever faults is answered by a handler that goes on at another place of the random code, so that a run gets through
many instructions. Prints a line before and after each seed; a crash of the process leaves the seed as its last word.
"""

import random
import sys
import traceback

from emu.machine import Machine
from emu.paging.modes import FOUR_LEVEL, MODES, PagingMode
from emu.tlb.geometry import Geometry
from tests.helpers.bench import array, tlbs
from tests.helpers.stub import CODE, CODE3, DATA3, REGISTERS, STACK, STACK0, Guest, assemble, gate
from tests.helpers.stub32 import CODE3_32, Guest32, assemble32, gate32

INSTRUCTIONS = 4000
CODE_BYTES = 0x4000
COUNTER, HANDLER, HANDLER_WITH_ERROR = 0x5000, 0x5100, 0x5180
WITH_ERROR = (8, 10, 11, 12, 13, 14, 17)
ONE_ENTRY = tlbs(array(serves="both", sizes="4K 2M", entries=1))
SPLIT = tlbs(
    array(serves="load"), array(serves="store"), array(serves="instruction"), array(2, "both", "4K 2M", 16, 4)
)
GEOMETRIES: tuple[Geometry | str, ...] = ("haswell", "pentium3", ONE_ENTRY, SPLIT)
GO_ON = f"""
    mov rax, [{COUNTER}]
    imul rax, rax, 0x5851f42d
    add rax, 0x14057b7f
    mov [{COUNTER}], rax
    shr rax, 9
    and eax, {CODE_BYTES - 1}
    add rax, {CODE}
    mov [rsp], rax
    mov qword ptr [rsp + 8], {{cs}}
    and qword ptr [rsp + 16], 0x{{flags:x}}
    mov qword ptr [rsp + 24], {STACK - 0x800}
    mov qword ptr [rsp + 32], {{ss}}
    iretq
"""
GO_ON_32 = f"""
    push {DATA3}
    pop ds
    mov eax, [{COUNTER}]
    imul eax, eax, 0x5851f42d
    add eax, 0x14057b7f
    mov [{COUNTER}], eax
    shr eax, 9
    and eax, {CODE_BYTES - 1}
    add eax, {CODE}
    mov ebx, [esp + 8]
    and ebx, {{flags}}
    mov esp, {STACK0 - 0x800}
    push {{ss}}
    push {STACK - 0x800}
    push ebx
    push {{cs}}
    push eax
    iretd
"""
INTERESTING = [
    bytes.fromhex(text)
    for text in """
    0f01c8 0f01c9 0f01d0 0f01d8 0f01d9 0f01da 0f01db 0f01dc 0f01dd 0f01de 0f01df 0f01f8 0f01f9 0f00d8 0f00d0 0f00c8 0f0038
    0f0110 0f0118 0f0138 0f20c0 0f22c0 0f22d8 0f22e0 0f20e0 440f22c0 440f20c0 0f21f8 0f23f8 0f30 0f32 0f33 0f05 0f07 480f07
    0f34 0f35 480f35 0f08 0f09 0f0b 0fa2 0faa 0fa1 0fa9 0fb2 0fb4 0fb5 0fc7f0 0fc7f8 0fae00 0fae08 0fae10 0fae18 0fae20 0fae28
    0fae38 0ff0 cc cd80 cdff ce f1 f4 fa fb fc fd cf 48cf 66cf ca0800 cb 48cb ff18 48ff18 ff28 48ff28 9a ea c8000100 c8000103
    c8ffff1f c9 6c 6d 6e 6f f36c f36d f36e f36f ec ed ee ef e4ff e6ff e5f4 e7f4 a4 a5 48a5 f3a4 f348a5 f2a6 f3aa f348ab f2ae
    67f3a4 8ed8 8ec0 8ed0 8ee0 8ee8 8c18 9c 9d 669d 9b dbe3 d9f6 d9fb dfe0 0f77 66 67 f0 f2 f3 48 4f 64 65 2e c4e2 c5f8 62
    0f0f00b4 0f38f0 0f3a0f 0f18 0f1f 0fb9 0fff d6 82 d4 d5 27 2f 3f 60 61 f0480fc10f f00fb10f f0480fc70f f0ff00 870f 8f00
    660f388200 660f38820424 660f388241 0f01ee 0f01ef
    8f0580000000 c70580000000 50 58 ff30 e8 e9 eb c2ffff c3 e0fe e3fe 0f00e0 0f02c0 0f03c0 63c0 0fae e8 d7 f390 f30fbd f30f1efa
    """.split()
]


def random_code(chance: random.Random) -> bytes:
    """Half noise, half instructions that do something to the system."""
    code = bytearray()
    while len(code) < CODE_BYTES:
        if chance.random() < 0.5:
            code += chance.choice(INTERESTING)
        code += chance.randbytes(chance.randrange(6))
    return bytes(code[:CODE_BYTES])


def wild_value(chance: random.Random) -> int:
    """A number as likely to be an address, small, non-canonical or anything."""
    near = chance.choice(
        (0, 0x1000, 0x2000, 0x3000, CODE, STACK, 0x60_0000, 0x60_3FF8, 0x40_0000, 1 << 47, (1 << 64) - 8)
    )
    if chance.random() < 0.2:
        return chance.getrandbits(64)
    return near + chance.randrange(-16, 0x4000) & (1 << 64) - 1


def build(ring: int, seed: int, mode: PagingMode = FOUR_LEVEL) -> Guest:
    if mode is not FOUR_LEVEL:
        return build32(ring, seed, mode)
    chance = random.Random(seed * 4 + ring)
    pages: dict[int, tuple[int, int]] = {}
    if chance.random() < 0.5:
        targets = (0x40_0000, 0x40_5000, 0x10_0000, 0x1000, 0xFEB0_0000, 0xFF_FFFF_F000, 0x7F_F000, 0xE000)
        for page in range(4):
            pages[0x60_0000 + page * 0x1000] = (
                chance.choice(targets),
                chance.choice((7, 3, 5, 0x107, 7 | 1 << 63)),
            )
    in_ring_0: dict[str, int] = {"cs": 8, "ss": 0x10, "flags": 0x247FD7}
    back = {"cs": CODE3, "ss": DATA3, "flags": 0x40AD7} if ring else in_ring_0
    body = assemble(GO_ON.format(**back))
    handlers = {HANDLER: body, HANDLER_WITH_ERROR: b"\x48\x83\xc4\x08" + body}
    gates = {
        vector: gate(
            HANDLER_WITH_ERROR if vector in WITH_ERROR else HANDLER,
            ist=1 if vector in (8, 12, 13, 14) or ring == 0 else 0,
            kind=chance.choice((0x8E, 0xEE, 0xEF)),
        )
        for vector in range(256)
    }
    guest = Guest(
        random_code(chance),
        ring,
        tlb=GEOMETRIES[seed % len(GEOMETRIES)],
        pages=pages,
        gates=gates,
        data=handlers,
        flags=chance.choice((2, 0x202, 0x3202)),
        cr4=chance.choice((0, 1 << 7, 1 << 20, 1 << 21)) if ring else 0,
        io_bitmap=bytes(32) if chance.random() < 0.2 else b"\xff" * 32,
        keep_history=seed % 5 == 0,
        start=False,
    )
    return _begun(guest, chance, (1 << 64) - 1)


def _begun(guest: Guest, chance: random.Random, register_mask: int) -> Guest:
    """At the code under test, with wild registers."""
    if not guest.machine.run_until(200, {CODE}).name == "BREAK":
        raise AssertionError("the boot did not reach the code")
    context = guest.machine.cpu.engine.context.save()
    for register, name in enumerate(REGISTERS):
        if name != "rsp":
            context.set_gpr(register, wild_value(chance) & register_mask)
    context.restore()
    return guest


def build32(ring: int, seed: int, mode: PagingMode) -> Guest32:
    """The same in 32-bit code. Its handlers have no stack of their own in ring 0: some of these end early."""
    chance = random.Random(seed * 4 + ring + 2)
    pages: dict[int, tuple[int, int]] = {}
    if chance.random() < 0.5:
        for page in (0x60_0000, 0x60_1000, 0, 0xFFFF_F000):
            target = chance.choice((0x40_0000, 0x10_0000, 0x1000, 0xFEB0_0000, 0x7F_F000))
            pages[page] = (target, chance.choice((7, 3, 5, 0x107)))
    cs, ss, flags = (CODE3_32, DATA3, 0x40AD7) if ring else (8, 0x10, 0x247FD7)
    body = assemble32(GO_ON_32.format(cs=cs, ss=ss, flags=flags))
    gates = {
        vector: gate32(
            HANDLER_WITH_ERROR if vector in WITH_ERROR else HANDLER, chance.choice((0x8E, 0xEE, 0xEF))
        )
        for vector in range(256)
    }
    guest = Guest32(
        random_code(chance),
        ring,
        mode=mode,
        tlb=GEOMETRIES[seed % len(GEOMETRIES)],
        pages=pages,
        gates=gates,
        data={HANDLER: body, HANDLER_WITH_ERROR: b"\x83\xc4\x04" + body},
        flags=chance.choice((2, 0x202, 0x3202)),
        cr4=chance.choice((0, 1 << 7, 1 << 20, 1 << 21)) if ring else 0,
        keep_history=seed % 5 == 0,
        start=False,
    )
    return _begun(guest, chance, 0xFFFF_FFFF)


def play(ring: int, seed: int, instructions: int = INSTRUCTIONS, mode: PagingMode = FOUR_LEVEL) -> Machine:
    """Run one seed to its end or its budget."""
    guest = build(ring, seed, mode)
    machine = guest.machine
    target = machine.journal.insn + instructions
    while machine.ended is None and machine.journal.insn < target:
        machine.run(min(997, target - machine.journal.insn))
    return machine


def main() -> int:
    ring, first, count = map(int, sys.argv[1:4])
    mode = MODES[sys.argv[4]] if len(sys.argv) > 4 else FOUR_LEVEL
    failed = 0
    for seed in range(first, first + count):
        print(f"ring {ring} seed {seed}:", end=" ", flush=True)
        try:
            machine = play(ring, seed, mode=mode)
        except Exception:
            failed += 1
            print("an exception", flush=True)
            traceback.print_exc()
            continue
        how = machine.ended.ending.name if machine.ended else "budget"
        print(
            f"{how} after {machine.journal.insn} instructions, {machine.mmu.counters.faults} page faults",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

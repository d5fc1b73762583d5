# SPDX-License-Identifier: GPL-2.0-or-later
"""Damaged files end in the one line, quickly and without eating memory."""

import random
import struct
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emu.guest.boot import boot_layout
from emu.guest.expression import ExpressionError, evaluate
from emu.guest.image import GuestImageError, parse_kernel
from emu.guest.switches import read_switches
from emu.guest.symbols import SymbolError

REFUSALS = (GuestImageError, SymbolError, ExpressionError)
WILD = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, (1 << 63) - 1, (1 << 64) - 1)


def attempt(action):
    with suppress(*REFUSALS):
        action()


def use_everything(data: bytes) -> None:
    """Ask for all that can be asked of an image; every answer or refusal is fine, nothing else is."""
    try:
        image = parse_kernel(data, "kernel image k", "k")
    except GuestImageError:
        return
    table = image.symbols
    attempt(lambda: boot_layout(image, 32 << 20, "", b"m"))
    attempt(lambda: read_switches(image))
    attempt(table.tracepoints)
    attempt(lambda: table.enumeration("syscall_number"))
    attempt(lambda: table.structure("process"))
    attempt(lambda: evaluate("current->parent->name", table, image.read))
    attempt(lambda: table.line_at(0xFFFF_FFFF_8010_1030))
    attempt(lambda: table.lines_with_code("main.c"))
    attempt(lambda: table.name_address(0xFFFF_FFFF_8010_1030))


def mutations(whole: bytes, seed: int) -> bytes:
    draw = random.Random(seed)
    data = bytearray(whole)
    for _ in range(draw.choice((1, 1, 2, 5, 40))):
        at = draw.choice(
            (draw.randrange(len(data)), draw.randrange(64 + 4 * 56), len(data) - draw.randrange(1, 1500))
        )
        match draw.randrange(4):
            case 0:
                data[at] = draw.randrange(256)
            case 1:
                data[at] ^= 1 << draw.randrange(8)
            case 2:
                form = draw.choice("<H <I <Q".split())
                value = draw.choice(WILD) & ((1 << 8 * struct.calcsize(form)) - 1)
                if at + struct.calcsize(form) <= len(data):
                    struct.pack_into(form, data, at, value)
            case _:
                end = min(len(data), at + draw.randrange(64))
                data[at:end] = draw.randbytes(end - at)
    return bytes(data[: draw.randrange(len(data))] if draw.random() < 0.1 else data)


@pytest.mark.parametrize("block", range(10))
def test_a_mutated_kernel_is_used_or_refused_and_never_anything_else(sample_bytes, block):
    for seed in range(block * 40, block * 40 + 40):
        use_everything(mutations(sample_bytes, seed))


@pytest.mark.parametrize(
    "name", [".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_ranges"]
)
def test_damaged_debug_information_is_refused(sample_bytes, name):
    """Noise all over one section at a time."""
    section = next(
        s for s in parse_kernel(sample_bytes, "kernel image k", "k").elf.sections if s.name == name
    )
    for seed in range(15):
        draw = random.Random(seed)
        data = bytearray(sample_bytes)
        for _ in range(1 + section.size // 20):
            data[section.offset + draw.randrange(section.size)] = draw.randrange(256)
        use_everything(bytes(data))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_noise_behind_an_elf_header_is_refused(noise):
    with pytest.raises(GuestImageError):
        parse_kernel(b"\x7fELF\x02\x01\x01" + noise, "kernel image k", "k")


def test_a_kernel_cut_short_is_used_or_refused(sample_bytes):
    for length in range(0, len(sample_bytes), 331):
        use_everything(sample_bytes[:length])


def test_sizes_that_promise_gigabytes_cost_no_memory(make_elf):
    whole = bytearray(make_elf(tuple((0x100000 + i * 0x10000, b"\xf4" * 16, 16) for i in range(60))))
    struct.pack_into("<Q", whole, 64 + 40, 1 << 31)
    for i in range(60):
        struct.pack_into("<QQ", whole, 64 + i * 56 + 32, 0x10000, 0x10000)
    big = bytes(whole) + bytes(1 << 20)
    tracemalloc.start()
    with pytest.raises(GuestImageError):
        parse_kernel(big, "kernel image k", "k")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20

# SPDX-License-Identifier: GPL-2.0-or-later
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.guest.expression import ExpressionError, evaluate, resolve_address
from emu.guest.image import KernelImage


@pytest.fixture
def value(sample: KernelImage):
    return lambda text: evaluate(text, sample.symbols, sample.read)


def refused(sample, text):
    with pytest.raises(ExpressionError) as caught:
        evaluate(text, sample.symbols, lambda a, n: bytes(n))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("window", 0x7000_0000_1000),
        ("frames[3].owner", "OWNER_SHARED"),
        ("frames[3].flags", 0x40),
        ("frames[ 0 ] . uses", 2),
        ("frames->flags", 1),
        ("(*frames).flags", 1),
        ("(frames+3)->uses", 3),
        ("procs[1].name", "overrun"),
        ("procs[1].name[1]", ord("v")),
        ("*procs[1].name", ord("o")),
        ("current->name", "overrun"),
        ("current->parent->name", "init"),
        ("current->range.high", 4),
        ("current->any.word", 0x0807060504030201),
        ("current->any.bytes", bytes(range(1, 9))),
        ("current->left", -1),
        ("current->right", 0xFFFF_FFFF),
        ("matrix[1][2]", -6),
        ("matrix[procs[0].pid][0]", 4),
        ("*matrix[1]", 4),
        ("negative", -5),
        ("truth", 1),
        ("message[1]", ord("e")),
        ("last_call", "SYS_write"),
        ("last_call+1", 2),
        ("negative + 2 - 1", -4),
        ("main.c:private_count", 17),
        ("data.c:private_count", 99),
        ("sample:truth", 1),
        ("frames[0x3].uses", 3),
        ("late->lateness", 12),
    ],
)
def test_an_expression_has_the_value_that_c_gives_it(value, text, expected):
    assert value(text).python == expected


def test_addresses_are_values_too(sample, value):
    address = sample.symbols.address_of
    assert value("&frames[2]").python == address("frames") + 32
    assert value("&procs[1].name").python == address("procs") + 72 + 4
    assert value("&frames[2] + 1").python == address("frames") + 48
    assert value("*&negative").python == -5
    assert value("kernel_main").python == address("kernel_main")
    assert value("boot32+2").python == address("boot32") + 2
    assert value("window+16").python == 0x7000_0000_1010
    assert value("matrix+1").python == address("matrix") + 12
    assert value("frames[1]").address == address("frames") + 16


def test_a_value_knows_its_type_its_bytes_and_how_to_print_itself(value):
    shared = value("frames[3].owner")
    assert (shared.type.name, shared.raw, int(shared), str(shared)) == (
        "enum owner",
        b"\x07\0\0\0",
        7,
        "OWNER_SHARED",
    )
    assert str(value("window")) == "0x0000_7000_0000_1000"
    assert str(value("current->any.bytes")) == "01 02 03 04 05 06 07 08"
    assert str(value("bss")).endswith("... (400 bytes)")


def test_an_array_is_no_number(value):
    with pytest.raises(ExpressionError, match="is no number"):
        int(value("matrix"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an empty expression"),
        ("   ", "an empty expression"),
        ("windwo", "did you mean window?"),
        ("doubled", "doubled is a local variable of twice"),
        ("start_info", "start_info is a local variable of kernel_main"),
        ("private_count", "write data.c:private_count or main.c:private_count"),
        ("frames[8]", "index 8 is outside struct frame[8]: 0 to 7"),
        ("frames[1].ownr", "struct frame has no member ownr: did you mean owner?"),
        ("current.name", "struct process * is a pointer: write ->name"),
        ("negative.x", "needs a struct or union"),
        ("negative->x", "need a pointer, this is signed char"),
        ("*negative", "need a pointer"),
        ("*anything", "points to nothing that has a size"),
        ("negative[1]", "needs an array or a pointer"),
        ("current->age", "age is a bit field of struct process: bit fields are not supported"),
        ("frames[", "a name is missing at the end"),
        ("frames[1", "] is missing at the end"),
        ("(window", ") is missing at the end"),
        ("window)", ") is one too many"),
        ("frames 3", "3 is one too many"),
        ("window + current", "current is no number"),
        ("procs[0] + 1", "nothing can be added to struct process"),
        ("3.owner", "3 stands where a name should"),
        ("&&window", "& needs something that lies in memory"),
        ("window = 3", "= 3 is not understood here"),
        ("frames[0x].owner", "0x is no number"),
        ("win\x1bdow", "\\x1bdow is not understood here"),
        ("(" * 500, "longer than 400 characters"),
    ],
)
def test_what_has_no_value_is_refused_in_one_line_with_the_near_names(sample, text, words):
    assert words in refused(sample, text)


def test_memory_that_cannot_be_read_is_named(sample):
    def unmapped(address, size):
        raise LookupError("not mapped")

    with pytest.raises(ExpressionError, match=r"memory at 0x.* cannot be read \('?not mapped"):
        evaluate("window", sample.symbols, unmapped)
    with pytest.raises(ExpressionError, match="cannot be read"):
        evaluate("window", sample.symbols, lambda a, n: b"")


WORDS = ["frames", "current", "window", "owner", "name", "->", *"&*()[].+-> 019"]


@given(st.lists(st.sampled_from(WORDS), max_size=20).map("".join) | st.text(max_size=20))
def test_no_expression_ends_in_anything_but_a_value_or_the_one_line(sample_bytes, text):
    from emu.guest.image import parse_kernel

    sample = parse_kernel(sample_bytes, "k", "k")
    for function in (evaluate, resolve_address):
        with suppress(ExpressionError):
            function(text, sample.symbols, lambda a, n: bytes(n))


def test_an_address_is_a_number_a_symbol_or_the_value_of_an_expression(sample):
    address = sample.symbols.address_of

    def resolve(text):
        return resolve_address(text, sample.symbols, sample.read)

    assert resolve("0x1000") == 0x1000
    assert resolve(" 4_096 ") == 4096
    assert resolve("window") == address("window")
    assert resolve("window+16") == address("window") + 16
    assert resolve("matrix+1") == address("matrix") + 1
    assert resolve("matrix - 0x10") == address("matrix") - 16
    assert resolve("frames[1].uses") == address("frames") + 24
    assert resolve("*window") == 0x7000_0000_1000
    assert resolve("*window+0x1000") == 0x7000_0000_2000
    assert resolve("*current->root") == 0x2000
    assert resolve("*current->parent") == address("procs")
    assert resolve("**&window") == 0x7000_0000_1000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0x1_0000_0000_0000_0000", "does not fit in 64 bits"),
        ("-1", "does not fit in 64 bits"),
        ("nonsense", "no symbol nonsense in sample.elf"),
        ("", "an empty expression"),
        ("*", "an empty expression"),
        ("&window", "has no address"),
        ("*matrix", "is no number"),
    ],
)
def test_what_is_no_address_is_refused(sample, text, words):
    with pytest.raises(ExpressionError) as caught:
        resolve_address(text, sample.symbols, sample.read)
    assert words in str(caught.value)

# SPDX-License-Identifier: GPL-2.0-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.bits import LinearAddress
from emu.guest.disasm import disassemble, instruction_length


def test_instructions_are_written_one_a_line_with_their_addresses():
    lines = disassemble(bytes.fromhex("4889e5 fa c3"), LinearAddress(0x1000), 10)
    assert [(line.address, line.bytes.hex(), str(line)) for line in lines] == [
        (0x1000, "4889e5", "mov rbp, rsp"),
        (0x1003, "fa", "cli"),
        (0x1004, "c3", "ret"),
    ]


def test_no_more_lines_come_than_were_asked_for():
    assert len(disassemble(b"\x90" * 100, LinearAddress(0), 3)) == 3


def test_the_same_bytes_are_other_instructions_in_32_bits():
    assert str(disassemble(b"\x40", LinearAddress(0), 1, 32)[0]) == "inc eax"


def test_a_byte_that_begins_no_instruction_is_shown_as_bad():
    lines = disassemble(b"\x06\x90", LinearAddress(0), 5)
    assert [str(line) for line in lines] == ["(bad)", "nop"]


def test_a_jump_shows_where_it_goes_at_the_top_of_the_address_space():
    line = disassemble(b"\xeb\xfe", LinearAddress(0xFFFF_FFFF_FFFF_FFF0), 1)[0]
    assert line.operands == "0xfffffffffffffff0"


@pytest.mark.parametrize(
    ("data", "length"), [(b"\x90", 1), (bytes.fromhex("48b8") + bytes(8), 10), (b"\x06", 1), (b"", 0)]
)
def test_the_length_of_an_instruction_is_known(data, length):
    assert instruction_length(data) == length


@given(st.binary(max_size=40), st.integers(0, 2**64 - 1), st.sampled_from([32, 64]))
def test_garbage_is_shown_whole_and_never_an_error(data, address, bits):
    lines = disassemble(data, LinearAddress(address), 100, bits)
    assert b"".join(line.bytes for line in lines) == data

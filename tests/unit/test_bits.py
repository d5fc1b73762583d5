# SPDX-License-Identifier: GPL-2.0-or-later
"""Bits and addresses."""

import doctest

import pytest

import emu.bits
from emu.bits import (
    PAGE_SIZE_NAMES,
    PAGE_SIZES,
    extract,
    hexadecimal,
    is_canonical,
    mask,
    parse_number,
    sign_extend,
    size_name,
)


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(emu.bits)
    assert result.attempted and not result.failed


@pytest.mark.parametrize(("low", "high", "ones"), [(0, 0, 1), (12, 15, 0xF000), (63, 63, 1 << 63)])
def test_a_mask_has_ones_from_low_to_high_both_included(low: int, high: int, ones: int):
    assert mask(low, high) == ones


def test_extract_gives_the_bits_shifted_down():
    assert extract(0xABCD, 4, 11) == 0xBC


@pytest.mark.parametrize(
    ("linear", "bits", "canonical"),
    [
        pytest.param(0, 48, True, id="zero is canonical"),
        pytest.param(0x7FFF_FFFF_FFFF, 48, True, id="the last address of the lower half is canonical"),
        pytest.param(0x8000_0000_0000, 48, False, id="the first address above the lower half is not"),
        pytest.param(0xFFFF_7FFF_FFFF_FFFF, 48, False, id="the last address below the upper half is not"),
        pytest.param(0xFFFF_8000_0000_0000, 48, True, id="the first address of the upper half is canonical"),
        pytest.param(0xFFFF_FFFF_FFFF_FFFF, 48, True, id="the last address is canonical"),
        pytest.param(0x0001_0000_0000_0000, 48, False, id="a stray bit above a clear bit 47 is not"),
        pytest.param(0xFFFE_8000_0000_0000, 48, False, id="a missing bit above a set bit 47 is not"),
        pytest.param(0x0000_8000_0000_0000, 57, True, id="five levels make bit 47 an ordinary bit"),
        pytest.param(0x0100_0000_0000_0000, 57, False, id="with five levels bit 56 is the sign"),
    ],
)
def test_the_upper_bits_of_a_canonical_address_repeat_its_sign(linear: int, bits: int, canonical: bool):
    assert is_canonical(linear, bits) is canonical


@pytest.mark.parametrize(
    ("value", "bits", "extended"),
    [
        (0x7FFF_FFFF_FFFF, 48, 0x7FFF_FFFF_FFFF),
        (0x8000_0000_0000, 48, 0xFFFF_8000_0000_0000),
        (0x1234_0000_0000_0001, 48, 1),
        (0x80, 8, 0xFFFF_FFFF_FFFF_FF80),
    ],
)
def test_sign_extension_repeats_the_top_bit_and_forgets_what_stood_above(
    value: int, bits: int, extended: int
):
    assert sign_extend(value, bits) == extended


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0x7F12_3456_7ABC, 16, "0x0000_7f12_3456_7abc"),
        (6, 1, "0x6"),
        (0x12345, 1, "0x1_2345"),
        (0x1_0000_0000, 8, "0x1_0000_0000"),
    ],
)
def test_hex_is_grouped_by_four_from_the_right(value: int, digits: int, text: str):
    assert hexadecimal(value, digits) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [("4096", 4096), ("0x1000", 4096), ("0x0000_1000", 4096), ("main", None), ("", None)],
)
def test_a_number_is_read_as_a_person_types_it(text: str, number: int | None):
    assert parse_number(text) == number


def test_page_sizes_and_their_names_mirror_each_other():
    assert {PAGE_SIZES[name]: name for name in PAGE_SIZES} == PAGE_SIZE_NAMES
    assert PAGE_SIZES["2M"] == 2 << 20


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0"),
        (1, "1"),
        (1023, "1023"),
        (1 << 12, "4K"),
        (1 << 22, "4M"),
        (3 << 29, "1536M"),
        (1 << 48, "256T"),
    ],
)
def test_a_size_is_said_in_the_largest_unit_that_divides_it(count: int, said: str) -> None:
    assert size_name(count) == said


def test_a_size_beyond_all_units_is_still_said() -> None:
    assert size_name(1 << 80) == "1024Z"

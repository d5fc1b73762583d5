# SPDX-License-Identifier: GPL-2.0-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu import resources
from emu.guest.cpio import make_cpio, read_cpio
from emu.guest.elf import Elf
from emu.guest.image import GuestImageError
from emu.lesson.boot import bundled_programs

names = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=20)


@given(st.dictionaries(names.filter(lambda n: n != "TRAILER!!!"), st.binary(max_size=50), max_size=5))
def test_what_is_packed_is_unpacked(files):
    assert read_cpio(make_cpio(files)) == files


def test_the_order_in_which_files_are_given_does_not_matter():
    assert make_cpio({"a": b"1", "b": b"2"}) == make_cpio({"b": b"2", "a": b"1"})


@pytest.mark.parametrize("name", ["", "a\0b", "TRAILER!!!"])
def test_a_name_that_the_format_cannot_hold_is_refused(name):
    with pytest.raises(GuestImageError, match="cannot be a file name"):
        make_cpio({name: b""})


@given(st.binary(max_size=300))
def test_an_archive_of_noise_is_refused(noise):
    with pytest.raises(GuestImageError, match="archive of programs"):
        read_cpio(noise)


def test_an_archive_cut_short_anywhere_is_refused():
    whole = make_cpio({"one": b"12345", "two": b"6"})
    for length in range(len(whole) - 3):
        with pytest.raises(GuestImageError):
            read_cpio(whole[:length])


def test_a_size_that_is_no_number_is_refused():
    whole = bytearray(make_cpio({"one": b"12345"}))
    whole[54:62] = b"-0000001"
    with pytest.raises(GuestImageError):
        read_cpio(bytes(whole))


def test_the_archive_holds_of_each_program_what_is_loaded_and_no_symbols():
    archive = read_cpio((resources.guest_images() / "programs.cpio").read_bytes())
    for name, program in bundled_programs().programs.items():
        whole, kept = Elf(program.data, name), Elf(archive[name], name)
        assert kept.program_headers == whole.program_headers and kept.entry == whole.entry
        for header in whole.program_headers:
            place = header.offset, header.file_bytes, name
            assert kept.bytes_at(*place) == whole.bytes_at(*place)
        assert kept.sections == []
        assert len(kept.data) < len(whole.data)

# SPDX-License-Identifier: GPL-2.0-or-later
import struct
from pathlib import Path

import pytest

from emu.bits import LinearAddress
from emu.guest.image import GuestImageError, KernelImage, load_kernel, parse_kernel


def refusal(data: bytes) -> str:
    with pytest.raises(GuestImageError) as caught:
        parse_kernel(data, "kernel image k", "k")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("kernel image k: ")
    return str(caught.value)


def test_a_kernel_is_its_segments_in_order_and_the_entry_of_its_pvh_note(make_elf):
    image = parse_kernel(
        make_elf(((0x200000, b"late", 4), (0x100000, b"early", 0x1000))), "kernel image k", "k"
    )
    assert [(s.physical, s.data, s.memory_bytes) for s in image.segments] == [
        (0x100000, b"early", 0x1000),
        (0x200000, b"late", 4),
    ]
    assert image.entry == 0x100000
    assert image.bits == 64
    assert len(image.sha256) == 64


def test_segments_may_touch(make_elf):
    touching = make_elf(((0x100000, b"a", 0x1000), (0x101000, b"b", 1)))
    assert len(parse_kernel(touching, "kernel image k", "k").segments) == 2


def test_a_32_bit_kernel_is_read_too(make_elf):
    image = parse_kernel(make_elf(bits=32), "kernel image k", "k")
    assert (image.bits, image.entry, image.segments[0].memory_bytes) == (32, 0x100000, 0x2000)


def test_a_kernel_without_sections_has_no_symbols(make_elf):
    assert not list(parse_kernel(make_elf(), "kernel image k", "k").symbols.names())


def test_a_note_of_eight_bytes_is_an_entry_too(make_elf):
    note = struct.pack("<III4sQ", 4, 8, 18, b"Xen\0", 0x100004)
    assert parse_kernel(make_elf(note=note), "kernel image k", "k").entry == 0x100004


def test_the_pvh_note_is_found_behind_other_notes(make_elf):
    other = struct.pack("<III4s5s3x", 4, 5, 3, b"GNU\0", b"12345")
    note = other + struct.pack("<III4sI", 4, 4, 18, b"Xen\0", 0x100008)
    assert parse_kernel(make_elf(note=note), "kernel image k", "k").entry == 0x100008


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"note": struct.pack("<III4sI", 4, 4, 17, b"Xen\0", 0x100000)}, "no PVH note"),
        ({"note": struct.pack("<III4sI", 4, 4, 18, b"XEN\0", 0x100000)}, "no PVH note"),
        ({"note": struct.pack("<III4sH2x", 4, 2, 18, b"Xen\0", 1)}, "holds 2 bytes"),
        ({"note": struct.pack("<III4sI", 4, 400, 18, b"Xen\0", 0)}, "longer than its segment"),
        ({"note_align": 8}, "p_align 8"),
        ({"note": struct.pack("<III4sI", 4, 4, 18, b"Xen\0", 0x300000)}, "entry 0x300000 is in no segment"),
        ({"segments": ()}, "no segment to load"),
        ({"segments": ((0x100000, b"abc", 2),)}, "larger in the file than in memory"),
        ({"segments": ((0x100000, b"a", 0x2000), (0x101000, b"b", 1))}, "overlap at physical 0x101000"),
        ({"segments": ((0x100000, b"a", 0x1001), (0x101000, b"b", 1))}, "overlap at physical 0x101000"),
        ({"segments": ((1 << 32, b"a", 1),)}, "above 4 GiB"),
        ({"kind": 3}, "not a static executable"),
        ({"machine": 40}, "not for x86"),
    ],
)
def test_a_kernel_that_cannot_boot_is_refused_in_one_line_that_says_why(make_elf, change, words):
    assert words in refusal(make_elf(**change))


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fEL"])
def test_what_is_no_elf_file_is_refused(data):
    assert "not an ELF file" in refusal(data)


def test_a_kernel_cut_short_anywhere_is_refused(make_elf):
    whole = make_elf()
    for length in range(len(whole)):
        refusal(whole[:length])


def test_a_missing_file_and_a_folder_are_refused_by_path(tmp_path: Path):
    for path, what in ((tmp_path / "none", "no such file"), (tmp_path, "not a regular file")):
        with pytest.raises(GuestImageError, match=what) as caught:
            load_kernel(path)
        assert str(path) in str(caught.value)


def test_a_path_with_a_nul_is_refused_like_any_other():
    with pytest.raises(GuestImageError):
        load_kernel(Path("a\0b"))


def test_the_sample_kernel_loads_from_its_file(sample_path: Path):
    image = load_kernel(sample_path)
    assert image.entry == 0x100000
    assert image.name == "sample.elf"


def test_initialised_data_is_read_by_its_linear_address(sample: KernelImage):
    assert sample.read(sample.symbols.address_of("negative"), 1) == b"\xfb"


def test_bss_reads_as_zeros_and_what_is_not_loaded_is_refused(sample: KernelImage):
    assert sample.read(sample.symbols.address_of("bss"), 400) == bytes(400)
    with pytest.raises(GuestImageError, match="nothing is loaded at 0x10"):
        sample.read(LinearAddress(0x10), 1)

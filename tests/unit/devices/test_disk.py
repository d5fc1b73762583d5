# SPDX-License-Identifier: GPL-2.0-or-later
"""What a disk holds: the image, and over it what was written, which checkpoints share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.devices.disk import BLOCK_BYTES, GROUP_BLOCKS, SECTOR_BYTES, Disk, DiskImage
from emu.devices.dma import event_fields

SECTORS = 3 * GROUP_BLOCKS * BLOCK_BYTES // SECTOR_BYTES // 2 + 3


@pytest.mark.parametrize("size", [0, -512, 511, 513])
def test_a_disk_is_whole_sectors(size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 512"):
        Disk(DiskImage("x", size))


def test_behind_the_content_of_its_image_a_disk_is_zero() -> None:
    disk = Disk(DiskImage("x", 2048, b"\x01" * 700))
    assert disk.read(0, 2048) == b"\x01" * 700 + bytes(1348)


WRITES = st.lists(
    st.tuples(st.integers(0, SECTORS - 1) | st.integers(0, 20), st.integers(1, 24), st.integers(1, 255)),
    max_size=12,
)


@given(WRITES, st.integers(0, 12))
def test_a_disk_reads_what_was_last_written_and_goes_back_to_any_moment(
    writes: list[tuple[int, int, int]], moment: int
) -> None:
    image = bytes(range(1, 256)) * 40
    disk = Disk(DiskImage("x", SECTORS * SECTOR_BYTES, image))
    model = bytearray(image.ljust(SECTORS * SECTOR_BYTES, b"\0"))
    saved, expected = disk.overlay, bytes(model)
    for number, (sector, count, value) in enumerate(writes):
        if number == moment:
            saved, expected = disk.overlay, bytes(model)
        count = min(count, SECTORS - sector)
        data = bytes((value,)) * (count * SECTOR_BYTES)
        disk.write(sector, data)
        model[sector * SECTOR_BYTES : sector * SECTOR_BYTES + len(data)] = data
        assert disk.read(sector, len(data)) == data
    assert disk.read(0, len(model)) == bytes(model)
    disk.overlay = saved
    assert disk.read(0, len(model)) == expected


def test_two_checkpoints_share_all_that_did_not_change() -> None:
    disk = Disk(DiskImage("x", SECTORS * SECTOR_BYTES))
    disk.write(0, bytes(BLOCK_BYTES))
    disk.write(GROUP_BLOCKS * BLOCK_BYTES // SECTOR_BYTES, bytes(BLOCK_BYTES))
    before = disk.overlay
    disk.write(8, b"\x01" * BLOCK_BYTES)
    assert before[0] is not None
    assert disk.overlay[0] is not None
    assert disk.overlay[0][0] is before[0][0]
    assert disk.overlay[1] is before[1]


def test_a_short_transfer_is_told_whole_and_a_long_one_by_its_beginning_and_a_digest() -> None:
    short = event_fields("disk", 0x1000, bytes(range(16)), True)
    assert short == {
        "device": "disk", "address": 0x1000, "size": 16, "data": bytes(range(16)).hex(), "digest": "", "write": True,
    }  # fmt: skip
    one, other = (event_fields("disk", 0, bytes(4095) + end, False) for end in (b"\0", b"\1"))
    assert (one["size"], one["data"]) == (4096, bytes(16).hex())
    assert one["digest"] != other["digest"]
    assert one["digest"] == "ad7facb2586fc6e9"

# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures that come in: formats, byte orders, units, and everything that is none."""

import gzip
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap, wrpcapng

from emu.devices.virtio_net import MOST_FRAME_BYTES, Arrival
from emu.net.captures import MOST_CAPTURE_BYTES, Capture, in_step, read_capture
from emu.net.errors import NetError

FRAMES = (b"\1" * 60, b"\2" * 14, b"\3" * MOST_FRAME_BYTES)
TIMES_NS = (1_700_000_000_000_000_000, 1_700_000_000_000_250_000, 1_700_000_002_000_000_000)


def pcap(
    frames: tuple[bytes, ...] = FRAMES, order: str = "<", nano: bool = False, link: int = 1, more: int = 0
) -> bytes:
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    data = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, link)
    for time, frame in zip(TIMES_NS, frames, strict=False):
        seconds, rest = divmod(time, 1_000_000_000)
        data += struct.pack(
            order + "IIII", seconds, rest if nano else rest // 1000, len(frame), len(frame) + more
        )
        data += frame
    return data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(order: str = "<", resolution: int | None = None, link: int = 1, after: bytes = b"") -> bytes:
    option = b"" if resolution is None else struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    data = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    data += block(1, struct.pack(order + "HHI", link, 0, 65535) + option, order)
    unit = 1000 if resolution is None else 10 ** (9 - resolution)
    for time, frame in zip(TIMES_NS, FRAMES, strict=True):
        high, low = divmod(time // unit, 1 << 32)
        body = struct.pack(order + "IIIII", 0, high, low, len(frame), len(frame)) + frame
        data += block(6, body, order)
    return data + after


def written(folder: Path, data: bytes) -> Path:
    path = folder / "some.pcap"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        *(pcap(order=order, nano=nano) for order in "<>" for nano in (False, True)),
        *(pcapng(order, resolution) for order in "<>" for resolution in (None, 6, 9)),
        pcapng(after=block(5, bytes(12))),
    ],
)
def test_every_byte_order_and_unit_is_the_same_capture(tmp_path: Path, data: bytes) -> None:
    capture = read_capture(written(tmp_path, data))
    assert capture.name == "some.pcap"
    assert tuple(arrival.frame for arrival in capture.arrivals) == FRAMES
    assert [arrival.stamp_us for arrival in capture.arrivals] == [0, 250, 2_000_000]
    assert [arrival.due for arrival in capture.arrivals] == [0, 25_000, 200_000_000]


def test_what_scapy_writes_can_be_read(tmp_path: Path) -> None:
    packets = [Ether(frame) for frame in FRAMES]
    for number, packet in enumerate(packets):
        packet.time = 5 + number
    for write in (wrpcap, wrpcapng):
        write(str(tmp_path / "some.pcap"), packets)
        arrivals = read_capture(tmp_path / "some.pcap").arrivals
        assert [(a.stamp_us, a.frame) for a in arrivals] == list(
            zip((0, 1_000_000, 2_000_000), FRAMES, strict=True)
        )


def test_time_does_not_run_backwards(tmp_path: Path) -> None:
    data = bytearray(pcap())
    struct.pack_into("<I", data, 24, 1_700_000_001)
    arrivals = read_capture(written(tmp_path, bytes(data))).arrivals
    assert [arrival.stamp_us for arrival in arrivals] == [0, 0, 1_000_000]


def test_a_frame_that_was_cut_by_a_snapshot_length_comes_in_as_far_as_it_is_held(tmp_path: Path) -> None:
    arrivals = read_capture(written(tmp_path, pcap(more=1000))).arrivals
    assert tuple(arrival.frame for arrival in arrivals) == FRAMES


def test_a_capture_without_frames_is_one(tmp_path: Path) -> None:
    assert read_capture(written(tmp_path, pcap(()))).arrivals == ()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"\xd4", "no capture"),
        (b"no capture at all, but some text", "no capture"),
        (pcap()[:23], "no capture"),
        (pcap()[:30], "cut short or damaged behind frame 0"),
        (pcap()[:40], "cut short or damaged behind frame 0"),
        (pcap()[:-1], "cut short or damaged behind frame 2"),
        (pcap() + b"\0", "cut short or damaged behind frame 3"),
        (pcap((FRAMES[0], b"")), "frame 2 has 0 bytes"),
        (pcap((bytes(MOST_FRAME_BYTES + 1),)), "frame 1 has 1,515 bytes"),
        (pcap(()) + struct.pack("<IIII", 0, 0, 0xFFFF_FFFF, 60) + bytes(60), "damaged behind frame 0"),
        (pcap(link=113), "link type 113"),
        (pcapng(link=101), "link type 101"),
        (pcapng()[:-1], "cut short or damaged"),
        (pcapng()[:-6], "cut short or damaged"),
        (pcapng() + b"\6\0", "cut short or damaged"),
        (pcapng()[:-4] + b"\0\0\0\0", "cut short or damaged"),
        (pcapng(after=block(6, struct.pack("<IIIII", 7, 0, 0, 0, 0))), "cut short or damaged"),
        (pcapng(after=block(6, b"\0\0")), "cut short or damaged"),
        (gzip.compress(pcap(), mtime=0), "compressed"),
    ],
)
def test_what_is_no_capture_is_said_in_one_line(tmp_path: Path, data: bytes, words: str) -> None:
    path = written(tmp_path, data)
    with pytest.raises(NetError) as refusal:
        read_capture(path)
    text = str(refusal.value)
    assert words in text and str(path) in text and "\n" not in text and ";" in text


def test_nothing_that_is_no_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "huge").touch()
    with (tmp_path / "huge").open("r+b") as file:
        file.truncate(MOST_CAPTURE_BYTES + 1)
    for name, words in (
        ("missing", "no such file"),
        (".", "not a regular file"),
        ("huge", "more than 64 MiB"),
    ):
        with pytest.raises(NetError, match=words):
            read_capture(tmp_path / name)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([pcap(), pcap(order=">", nano=True), pcapng(), pcapng(">", 9)]),
    st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), max_size=4),
    st.integers(0, 2000),
)
def test_a_damaged_capture_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, damages: list[tuple[int, bytes]], cut: int
) -> None:
    damaged = bytearray(data)
    for at, junk in damages:
        damaged[at : at + len(junk)] = junk
    path = written(tmp_path_factory.mktemp("damaged"), bytes(damaged[: max(1, len(damaged) - cut)]))
    with suppress(NetError):
        arrivals = read_capture(path).arrivals
        assert all(0 < len(arrival.frame) <= MOST_FRAME_BYTES for arrival in arrivals)
        assert [a.due for a in arrivals] == sorted(a.due for a in arrivals)


def capture_of(start_us: int, *stamps: int) -> Capture:
    return Capture("x.pcap", tuple(Arrival(us * 100, us, b"frame") for us in stamps), start_us)


def test_captures_that_overlap_stay_in_step() -> None:
    both = in_step({"eth0": capture_of(1_000_000, 0, 500, 900), "eth1": capture_of(1_000_300, 0, 5_000)})
    assert [arrival.stamp_us for arrival in both["eth0"]] == [0, 500, 900]
    assert [(arrival.stamp_us, arrival.due) for arrival in both["eth1"]] == [(300, 30_000), (5_300, 530_000)]


def test_captures_of_different_days_begin_together() -> None:
    both = in_step({"eth0": capture_of(86_400_000_000, 0, 7), "eth1": capture_of(0, 0, 9)})
    assert [arrival.stamp_us for arrival in both["eth0"]] == [0, 7]
    assert [arrival.stamp_us for arrival in both["eth1"]] == [0, 9]


def test_an_empty_capture_is_in_step_with_any() -> None:
    both = in_step({"eth0": capture_of(50, 0, 7), "eth1": capture_of(0)})
    assert [arrival.stamp_us for arrival in both["eth0"]] == [0, 7]
    assert in_step({}) == {}

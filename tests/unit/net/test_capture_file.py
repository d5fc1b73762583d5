# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures that go out: what reads them, and what a run that breaks off leaves."""

import shutil
import subprocess
from pathlib import Path

import pytest
from scapy.utils import rdpcap

from emu.net.capture_file import CaptureFile
from emu.net.captures import read_capture
from emu.net.errors import NetError

FRAMES = ((0, b"\1" * 60), (12_345_678_901, b"\2" * 1514))
"""At clock values: 123.456789 s, and a hundredth of a microsecond that no capture has."""


def test_a_capture_is_whole_after_each_frame(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    capture = CaptureFile("eth0", path)
    assert read_capture(path).arrivals == ()
    for number, (clock, frame) in enumerate(FRAMES, 1):
        capture("eth0", clock, frame)
        assert len(read_capture(path).arrivals) == number == capture.frames
    capture("eth1", 0, b"another card's")
    capture.close()
    packets = rdpcap(str(path))
    assert [(bytes(packet), float(packet.time)) for packet in packets] == [
        (FRAMES[0][1], 0.0),
        (FRAMES[1][1], 123.456789),
    ]


def test_the_header_is_that_of_ethernet_frames_with_microseconds(tmp_path: Path) -> None:
    CaptureFile("eth0", tmp_path / "out.pcap").close()
    header = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000")
    assert (tmp_path / "out.pcap").read_bytes() == header


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="no tcpdump")
def test_tcpdump_reads_it(tmp_path: Path) -> None:
    capture = CaptureFile("eth0", tmp_path / "out.pcap")
    for clock, frame in FRAMES:
        capture("eth0", clock, frame)
    capture.close()
    read = subprocess.run(
        ["tcpdump", "-tt", "-n", "-r", str(tmp_path / "out.pcap")], capture_output=True, text=True, check=True
    )
    assert [line.split()[0] for line in read.stdout.splitlines()] == ["0.000000", "123.456789"]


def test_what_cannot_be_created_is_said_in_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "such" / "folder"):
        with pytest.raises(NetError, match="cannot be written"):
            CaptureFile("eth0", path)

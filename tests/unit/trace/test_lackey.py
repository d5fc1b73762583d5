# SPDX-License-Identifier: GPL-2.0-or-later
"""Lackey's lines, understood; and files that are not what they should be, refused or skipped."""

import gzip
import io
import os
import tracemalloc
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.tlb.counters import FETCH, READ, WRITE
from emu.trace.demand import Touch
from emu.trace.lackey import BLOCK_BYTES, MEMO_LINES, LackeyError, LackeyTrace, open_lackey, touches_of

GOOD = b"I  0401ab70,3\n S 1fff000778,8\n"
TALK = b"==4711== Lackey, an example Valgrind tool\n==4711== Command: ./count \xc3\xa9 9\n"


class Generated(io.RawIOBase):
    """A file as long as one likes, that is nowhere."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._rest = self._rest or next(self._chunks, b"")
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def trace_of(data: bytes, skip: bool = False) -> LackeyTrace:
    return LackeyTrace(io.BufferedReader(io.BytesIO(data)), "t", skip)


def all_of(trace: LackeyTrace) -> list[Touch]:
    return list(chain.from_iterable(trace))


def refusal(data: bytes, skip: bool = False) -> str:
    with pytest.raises(LackeyError) as caught:
        all_of(trace_of(data, skip))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "touches"),
    [
        ("I  0023C790,2", [(FETCH, 0x23C, 0x790, 2, 1)]),
        ("I  0023c790,2", [(FETCH, 0x23C, 0x790, 2, 1)]),
        (" L 1fff000778,8", [(READ, 0x1FFF000, 0x778, 8, 0)]),
        (" S 1fff000778,8", [(WRITE, 0x1FFF000, 0x778, 8, 0)]),
        (" M 0482e418,4", [(READ, 0x482E, 0x418, 4, 0), (WRITE, 0x482E, 0x418, 4, 0)]),
        (" M 0482e418,4\r", [(READ, 0x482E, 0x418, 4, 0), (WRITE, 0x482E, 0x418, 4, 0)]),
        ("L 10,1", [(READ, 0, 0x10, 1, 0)]),
        ("I  00400ffd,3", [(FETCH, 0x400, 0xFFD, 3, 1)]),
        ("I  00400ffe,3", [(FETCH, 0x400, 0xFFE, 2, 1), (FETCH, 0x401, 0, 1, 0)]),
        (" L 00400fff,16", [(READ, 0x400, 0xFFF, 1, 0), (READ, 0x401, 0, 15, 0)]),
        (
            " M 00400fff,2",
            [(READ, 0x400, 0xFFF, 1, 0), (READ, 0x401, 0, 1, 0), (WRITE, 0x400, 0xFFF, 1, 0), (WRITE, 0x401, 0, 1, 0)],
        ),
        (" L 7fffffffeff8,8", [(READ, 0x7FFFFFFFE, 0xFF8, 8, 0)]),
        ("==4711== I  0023C790,2", []),
        ("--4711-- a warning", []),
        ("**4711** a message", []),
    ],
)  # fmt: skip
def test_a_line_is_its_accesses_page_by_page(line: str, touches: list[Touch]) -> None:
    assert list(touches_of(line)) == touches


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "'' is no access"),
        (b" X 0401ab70,3", "is no access"),
        (b" L 0401ab70", "is no access"),
        (b" L 0401ab70,", "is no access"),
        (b" L     0401ab70,8", "is no access"),
        (b" L 0401ab70,8 ", "is no access"),
        (b" L 0401ab70,-8", "is no access"),
        (b" L 0x401ab70,8", "is no access"),
        (b" L 0401ab7g,8", "is no access"),
        (b"IL 0401ab70,8", "is no access"),
        (b"the program prints", "is no access"),
        (b"== 4711 == talk", "is no access"),
        (b" L 0401ab70,0", "has a size that is not from 1 to 1024"),
        (b" L 0401ab70,1025", "has a size"),
        (b" L 0401ab70,9999999999999999", "has a size"),
        (b" L 0401ab70,99999999999999999", "is no access"),
        (b" L ffffffff81000000,8", "lies outside user space, which ends at 7ffffffff000"),
        (b" L 800000000000,8", "lies outside user space"),
        (b" L 7fffffffeff9,8", "lies outside user space"),
        (b" L 10000000000000000,8", "is no access"),
    ],
)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_a_malformed_line_is_refused_by_its_number_or_skipped(line: bytes, why: str, ending: bytes) -> None:
    data = GOOD + line + ending + GOOD
    said = refusal(data)
    assert said.startswith("lackey trace t: line 3: ") and why in said.replace("\\r", "")
    assert "expected I, L, S or M" in said and "--malformed skip" in said
    trace = trace_of(data, skip=True)
    assert len(all_of(trace)) == 4
    assert (trace.lines, trace.skipped) == (5, 1)


def test_the_number_of_a_line_counts_through_all_blocks() -> None:
    pairs = 3 * BLOCK_BYTES // len(GOOD)
    assert f"line {2 * pairs + 1}: 'oops'" in refusal(GOOD * pairs + b"oops\n" + GOOD)


def test_the_first_of_two_malformed_lines_is_named() -> None:
    assert "line 2: 'b'" in refusal(b" L 10,1\nb\na\nb\n")


def test_talk_is_no_access_and_not_malformed() -> None:
    trace = trace_of(TALK + GOOD + b"==4711== Exit code:       0\n")
    assert len(all_of(trace)) == 2
    assert (trace.lines, trace.skipped) == (5, 0)
    assert trace.command == "./count é 9"


@pytest.mark.parametrize("end", [b" L 0401ab70,1", b" L 0401a", b"\r", b"==4711== Exit co"])
def test_a_file_that_ends_in_the_middle_of_a_line_is_refused_there_or_skipped(end: bytes) -> None:
    assert "line 3: " in refusal(GOOD + end) and "ends in the middle" in refusal(GOOD + end)
    trace = trace_of(GOOD + end, skip=True)
    assert len(all_of(trace)) == 2
    assert (trace.lines, trace.skipped) == (3, 1)


@pytest.mark.parametrize("data", [b"", TALK, b"\n" * 5], ids=["empty", "talk alone", "empty lines"])
def test_a_file_without_an_access_says_how_to_record_one(data: bytes) -> None:
    said = refusal(data, skip=True)
    assert f"no access in its {data.count(10)} lines" in said
    assert "valgrind --tool=lackey --trace-mem=yes" in said


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_in_one_line(data: bytes) -> None:
    assert refusal(data + b"!\n").isprintable()
    assert refusal(data.replace(b",", b";"), skip=True).isprintable()


@given(st.lists(st.integers(1, 200), max_size=60))
def test_lines_are_the_same_however_the_file_is_cut(cuts: list[int]) -> None:
    data = b"".join(b" M %x,%d\n" % (n * 1234567, n % 9 + 1) for n in range(60))
    pieces, at = [], 0
    for cut in [*cuts, len(data)]:
        pieces.append(data[at : at + cut])
        at += cut
    trace = LackeyTrace(io.BufferedReader(Generated(filter(None, iter(pieces))), 1), "t")
    assert all_of(trace) == all_of(trace_of(data))
    assert trace.lines == 60


def test_more_lines_than_are_remembered_are_understood_too() -> None:
    count = 2 * MEMO_LINES + 5
    data = b"".join(b" L %x,1\n" % (n << 12) for n in range(count))
    assert [page for _, page, *_ in all_of(trace_of(data + data))] == [*range(count), *range(count)]


def test_a_compressed_trace_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(gzip.compress(GOOD) + gzip.compress(GOOD))
    trace = open_lackey(path)
    assert len(all_of(trace)) == 4
    assert trace.lines == 4


@pytest.mark.parametrize("cut", [slice(2), slice(15), slice(-9)], ids=["magic", "header", "end"])
def test_a_compressed_trace_that_breaks_off_is_named(cut: slice) -> None:
    data = gzip.compress(b"".join(b" L %x,1\n" % (n * n) for n in range(5_000)))
    assert "compressed data break off or are damaged after line" in refusal(data[cut])


@pytest.mark.parametrize("place", [-6, 10], ids=["the sum", "the first block"])
def test_a_compressed_trace_with_a_damaged_byte_is_named(place: int) -> None:
    data = bytearray(gzip.compress(GOOD))
    data[place] = 0xFF
    assert "compressed data break off or are damaged" in refusal(bytes(data))


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "no", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(LackeyError, match=f"{path}: cannot be read .{why}"):
            open_lackey(path)


def test_the_file_is_closed_at_the_end_and_at_an_error(tmp_path: Path) -> None:
    for number, data in enumerate((GOOD, b"oops\n", gzip.compress(GOOD), gzip.compress(b"oops\n"))):
        path = tmp_path / str(number)
        path.write_bytes(data)
        file = path.open("rb")
        try:
            all_of(LackeyTrace(file, "t"))
        except LackeyError:
            assert number % 2
        assert file.closed


def test_how_much_is_done_is_a_share_of_the_file_and_unknown_for_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(GOOD * 20_000)
    trace = open_lackey(path)
    shares = [trace.done for _ in trace]
    assert shares == sorted(shares, key=float) and shares[-1] == 1.0 and len(shares) > 5
    reading, writing = os.pipe()
    os.write(writing, GOOD)
    os.close(writing)
    trace = LackeyTrace(os.fdopen(reading, "rb"), "t")
    assert [trace.done for _ in trace] == [None]


def peak_bytes(chunks: Iterator[bytes], skip: bool = False) -> int:
    trace = LackeyTrace(io.BufferedReader(Generated(chunks)), "t", skip)
    tracemalloc.start()
    try:
        for touches in trace:
            for _ in touches:
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_trace() -> None:
    def lines(count: int) -> Iterator[bytes]:
        for n in range(0, count, 1000):
            yield b"".join(b" L %x,4\n" % (m << 6) for m in range(n, n + 1000))

    small, large = peak_bytes(lines(2 * MEMO_LINES)), peak_bytes(lines(4 * MEMO_LINES))
    assert large < small * 1.1
    assert large < 32 << 20


def test_a_line_without_end_is_not_held() -> None:
    endless = chain([GOOD], (b"x" * BLOCK_BYTES for _ in range(64)), [b"\n", GOOD])
    assert peak_bytes(endless, skip=True) < 1 << 20
    zeros = chain([GOOD, b" L "], (b"0" * BLOCK_BYTES for _ in range(64)), [b"10,1\n"])
    with pytest.raises(LackeyError, match=r"line 3: ' L 0{37}'\.\.\. is no access"):
        all_of(LackeyTrace(io.BufferedReader(Generated(zeros)), "t"))

# SPDX-License-Identifier: GPL-2.0-or-later
import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.events import Accessed, ConsoleWritten, Kind
from emu.trace.header import TraceError, TraceHeader, header_differences
from emu.trace.reader import read_trace
from emu.trace.recorder import Recorder, parse_kinds, write_trace

from .conftest import any_event

HEADER = TraceHeader(image_sha256="ab" * 32, command_line="program=x", geometry="haswell", seed=7)


def line(seq: int, cpl: int = 3) -> ConsoleWritten:
    return ConsoleWritten(seq=seq, insn=seq, cpu=0, cpl=cpl, rip=0, text=f"line {seq}")


def recorded(path: Path):
    header, events = read_trace(path)
    return header, list(events)


@given(st.lists(any_event, max_size=6), st.sampled_from(["t.jsonl", "t.jsonl.gz"]))
def test_every_event_comes_back_as_it_was_written(tmp_path_factory, events, name):
    path = tmp_path_factory.mktemp("t") / name
    write_trace(path, HEADER, events)
    assert recorded(path)[1] == events


def test_a_trace_is_json_lines_with_the_header_first(tmp_path, one_of_each):
    path = tmp_path / "t.jsonl"
    write_trace(path, HEADER, one_of_each)
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    assert lines[0]["kind"] == "header"
    assert lines[0]["format_version"] == 1
    assert [one["kind"] for one in lines[1:]] == [kind.value for kind in Kind]
    assert lines[4]["global"] is False


def test_the_header_says_what_was_recorded_and_names_no_folder(tmp_path):
    files = {"disk": "/home/me/disk.img", "net_in": "C:\\data\\a.pcap", "net_out": "b.pcap"}
    header = TraceHeader(files=files, kinds=["nonsense"])
    with Recorder(header, tmp_path / "t", kinds=frozenset({Kind.FAULT, Kind.ACCESS})):
        pass
    read, _ = recorded(tmp_path / "t")
    assert read.files == {"disk": "disk.img", "net_in": "a.pcap", "net_out": "b.pcap"}
    assert read.kinds == ["access", "fault"]
    assert read.window == "first user instruction"
    assert Recorder(plain_hits=True, from_reset=True).header.kinds == ["all"]
    assert Recorder(from_reset=True).header.window == "reset"
    assert Recorder().header.kinds == [kind.value for kind in Kind]


def test_recording_begins_with_the_first_user_instruction():
    recorder = Recorder()
    for event in (line(1, cpl=0), line(2, cpl=3), line(3, cpl=0)):
        recorder(event)
    assert [e.seq for e in recorder.events] == [2, 3]


def test_recording_from_reset_keeps_what_came_before():
    recorder = Recorder(from_reset=True)
    recorder(line(1, cpl=0))
    assert [e.seq for e in recorder.events] == [1]


def test_plain_level_1_hits_are_left_out_unless_asked_for(one_of_each):
    miss = one_of_each[0]
    assert isinstance(miss, Accessed)
    plain = msgspec.structs.replace(miss, tlb="l1_hit")
    stale = msgspec.structs.replace(miss, tlb="l1_hit", stale=True)
    second = msgspec.structs.replace(miss, tlb="l2_hit")
    ordinary, everything = Recorder(from_reset=True), Recorder(from_reset=True, plain_hits=True)
    for event in (miss, plain, stale, second):
        ordinary(event)
        everything(event)
    assert ordinary.events == [miss, stale, second]
    assert everything.events == [miss, plain, stale, second]


def test_only_the_kinds_asked_for_are_kept(one_of_each):
    recorder = Recorder(kinds=frozenset({Kind.FAULT, Kind.MARK}), from_reset=True)
    for event in one_of_each:
        recorder(event)
    assert [e.kind for e in recorder.events] == [Kind.FAULT, Kind.MARK]


def test_kinds_are_parsed_from_words():
    assert parse_kinds("fault, mark") == (frozenset({Kind.FAULT, Kind.MARK}), False)
    assert parse_kinds("all") == (frozenset(Kind), True)
    with pytest.raises(TraceError, match="did you mean fault"):
        parse_kinds("falt")
    with pytest.raises(TraceError, match="there are access, "):
        parse_kinds("")


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz"])
def test_the_same_events_make_the_same_bytes(tmp_path, one_of_each, name):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_trace(tmp_path / folder / name, HEADER, one_of_each)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_compressed_trace_holds_no_time_and_no_name(tmp_path):
    write_trace(tmp_path / "t.jsonl.gz", HEADER, [])
    data = (tmp_path / "t.jsonl.gz").read_bytes()
    assert data[3] == 0
    assert data[4:8] == b"\0\0\0\0"


def test_a_trace_is_recognised_as_compressed_by_its_contents(tmp_path):
    write_trace(tmp_path / "t.jsonl.gz", HEADER, [line(1)])
    (tmp_path / "t.jsonl.gz").rename(tmp_path / "t")
    assert recorded(tmp_path / "t")[1] == [line(1)]


def test_a_run_that_ends_in_an_exception_leaves_whole_lines(tmp_path):
    path = tmp_path / "t.jsonl"

    def interrupted():
        yield from (line(seq) for seq in range(5000))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_trace(path, HEADER, interrupted())
    assert [e.seq for e in recorded(path)[1]] == list(range(5000))


def test_what_a_killed_process_leaves_is_whole_lines(tmp_path):
    recorder = Recorder(HEADER, tmp_path / "t")
    for seq in range(5000):
        recorder(line(seq))
    events = recorded(tmp_path / "t")[1]
    assert 1000 < len(events) < 5000
    recorder.close()


@pytest.mark.skipif(os.name == "nt", reason="sends signals")
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_ctrl_c_at_any_moment_leaves_a_readable_trace(tmp_path, suffix):
    """Signals land while lines are being written, again and again."""
    path = tmp_path / f"t{suffix}"
    program = f"""
import itertools, signal
from pathlib import Path
from emu.events import ConsoleWritten
from emu.trace.recorder import Recorder
from emu.trace.reader import read_trace
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would this
caught = 0
for round in range(40):
    signal.setitimer(signal.ITIMER_REAL, 0.003 + round * 0.0004)
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with Recorder(path=Path({str(path)!r})) as recorder:
            for seq in itertools.count():
                recorder(ConsoleWritten(seq=seq, insn=0, cpu=0, cpl=3, rip=0, text="x" * 500))
    except KeyboardInterrupt:
        caught += 1
    numbers = [event.seq for event in read_trace(Path({str(path)!r}))[1]]
    assert numbers == list(range(len(numbers))), numbers[-5:]
assert caught == 40
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("name", ["/dev/full", "/none/t", "/", "a\0b"])
def test_a_file_that_cannot_be_written_ends_in_one_line(name):
    with pytest.raises(TraceError, match="cannot be written") as caught:
        write_trace(Path(name), HEADER, [line(1)])
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="no file size limit there")
def test_a_disk_that_fills_up_leaves_whole_lines(tmp_path):
    path = tmp_path / "t"
    program = f"""
import resource, signal
from pathlib import Path
from emu.events import ConsoleWritten
from emu.trace.recorder import Recorder
from emu.trace.header import TraceError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with Recorder(path=Path({str(path)!r})) as recorder:
        for seq in range(10_000):
            recorder(ConsoleWritten(seq=seq, insn=0, cpu=0, cpl=3, rip=0, text="x" * 70))
except TraceError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert "cannot be written" in done.stdout, done.stderr
    assert len(recorded(path)[1]) > 100


def refusal(path: Path) -> str:
    with pytest.raises(TraceError) as caught:
        recorded(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_trace_cut_anywhere_is_refused_or_ends_at_a_whole_line(tmp_path, one_of_each):
    path = tmp_path / "t"
    write_trace(path, HEADER, one_of_each)
    whole = path.read_bytes()
    ends = {i + 1 for i, byte in enumerate(whole) if byte == 10}
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        if length in ends:
            recorded(path)
        else:
            words = refusal(path)
            assert "cut short" in words or "no trace" in words


def test_the_events_before_the_cut_are_read(tmp_path):
    path = tmp_path / "t"
    write_trace(path, HEADER, [line(1), line(2), line(3)])
    path.write_bytes(path.read_bytes()[:-20])
    _, events = read_trace(path)
    assert [next(events).seq, next(events).seq] == [1, 2]
    with pytest.raises(TraceError, match="line 4: the trace is cut short here; what is before it is good"):
        next(events)
    assert next(events, None) is None


def test_a_compressed_trace_cut_anywhere_is_refused(tmp_path, one_of_each):
    path = tmp_path / "t.gz"
    write_trace(path, HEADER, one_of_each)
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        refusal(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "line 1: this is no trace; give a file that --trace wrote"),
        (b"\n", "no trace"),
        (b"hello\n", "no trace"),
        (b"\x00\xff\xfe" * 100, "no trace"),
        (b"\xff\n\xff\n", "no trace"),
        (b"[1]\n", "no trace"),
        (b"[" * 100_000 + b"\n", "no trace"),
        (b'{"kind":"mark"}\n', "no trace"),
        (b'{"kind":"header"}\n', "no trace"),
        (b'{"kind":"mark","format_version":1}\n', "no trace"),
        (b'{"a":' + b"[" * 100_000 + b"\n", "no trace"),
        (
            b'{"kind":"header","format_version":2}\n',
            "line 1: format version 2, this Pagewalk reads version 1",
        ),
        (b'{"kind":"header","format_version":1,"seed":"x"}\n', "a damaged header"),
        (b'{"kind":"header","format_version":1}\nnoise\n', "line 2: not an event"),
        (b'{"kind":"header","format_version":1}\n\xff\xff\n', "line 2: not an event"),
        (
            b'{"kind":"header","format_version":1}\n{"kind":"dance\\u001b"}\n',
            "line 2: unknown kind of event dance?;",
        ),
        (b'{"kind":"header","format_version":1}\n{}\n', "unknown kind of event None"),
        (b'{"kind":"header","format_version":1}\n{"kind":"mark"}\n', "line 2: a damaged mark event"),
        (gzip.compress(b"hello\n", mtime=0), "no trace"),
        (b"\x1f\x8bnoise and more noise", "cut short"),
    ],
)
def test_what_is_no_trace_is_refused_in_one_line_with_its_place(tmp_path, data, words):
    path = tmp_path / "t"
    path.write_bytes(data)
    assert words in refusal(path)
    assert str(path) in refusal(path)


@given(st.binary(max_size=300))
def test_noise_behind_a_header_never_ends_in_anything_else(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("t") / "t"
    path.write_bytes(b'{"kind":"header","format_version":1}\n' + noise)
    if noise:
        refusal(path)


def test_a_missing_trace_is_refused_by_its_path(tmp_path):
    assert "none: cannot be read" in refusal(tmp_path / "none")
    refusal(tmp_path)


def test_a_header_from_before_there_were_cpu_models_is_read(tmp_path):
    path = tmp_path / "old"
    path.write_bytes(b'{"kind":"header","format_version":1,"geometry":"haswell"}\n')
    header, _ = read_trace(path)
    assert (header.geometry, header.cpu) == ("haswell", "")


def test_headers_are_compared_field_by_field():
    other = msgspec.structs.replace(HEADER, seed=8, geometry="mine")
    assert header_differences(HEADER, other) == ["geometry: 'haswell' and 'mine'", "seed: 7 and 8"]


def test_a_trace_is_read_a_line_at_a_time(tmp_path):
    import tracemalloc

    path = tmp_path / "t"
    write_trace(path, HEADER, (line(i) for i in range(50_000)))
    tracemalloc.start()
    assert sum(1 for _ in read_trace(path)[1]) == 50_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_ctrl_c_still_reaches_whoever_asked_for_it(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with Recorder(path=tmp_path / "t"):
        pass
    assert signal.getsignal(signal.SIGINT) is before

# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever is handed to `trace import`: counters, or one line with the mend; nothing half-done in between."""

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.bad_input.command import Command, Said, press_ctrl_c

GOOD = b"I  00401000,4\n L 00600ffc,8\n"
IMPORT = ("trace", "import", "--from", "lackey")

FILES: list[tuple[str, bytes, list[str]]] = [
    ("an empty file", b"", ["no access in its 0 lines", "--trace-mem=yes"]),
    ("talk without accesses", b"==1== Command: ./a\n", ["no access in its 1 lines", "--trace-mem=yes"]),
    ("a text", b"hello\n", ["line 1: 'hello' is no access", "expected I, L, S or M"]),
    ("a program's own words among the lines", GOOD + b"hello\n" + GOOD, ["line 3: 'hello'", "--malformed skip"]),
    ("a binary file", bytes(range(256)) * 1000, ["line 1: ", "is no access"]),
    ("an escape sequence", GOOD + b"\x1b[2J\n", [r"line 3: '\x1b[2J' is no access"]),
    ("a file that ends in the middle of a line", GOOD + b" L 0060", ["line 3: ' L 0060'", "ends in the middle"]),
    ("an address of the kernel", GOOD + b" L ffffffff81000000,8\n", ["line 3", "outside user space"]),
    ("a size of nothing", GOOD + b" L 00600000,0\n", ["line 3", "size", "from 1 to 1024"]),
    ("an absurd size", GOOD + b" L 00600000,99999\n", ["line 3", "size", "from 1 to 1024"]),
    ("a line of 20 MB", GOOD + b"x" * 20_000_000 + b"\n", ["line 3: 'xxx", "'..."]),
    ("a compressed file cut short", gzip.compress(GOOD * 99)[:-4], ["compressed data break off", "record it again"]),
]  # fmt: skip
WORDS: list[tuple[str, list[str], list[str]]] = [
    ("a file that does not exist", ["no", "--from", "lackey"], ["no: cannot be read", "check the path"]),
    ("a folder", [".", "--from", "lackey"], ["cannot be read (Is a directory)"]),
    ("no form", ["good"], ["--from"]),
    ("a form that does not exist", ["good", "--from", "lacky"], ["lacky", "lackey"]),
    ("no file", ["--from", "lackey"], ["requires an argument"]),
    ("an option in the place of the file", ["--jsn", "--from", "lackey"], ["--jsn: cannot be read"]),
    ("a page size that nobody has", ["good", "--from", "lackey", "--page-size", "8K"], ["8K", "4K", "2M"]),
    (
        "a geometry that does not exist",
        ["good", "--from", "lackey", "--tlb", "haswel"],
        ["no TLB geometry", "haswell"],
    ),
    ("a negative seed", ["good", "--from", "lackey", "--seed=-1"], ["--seed -1", "from 0"]),
    ("another answer to malformed lines", ["good", "--from", "lackey", "--malformed", "ignore"], ["ignore", "skip"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "words"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_file_that_is_no_whole_trace_is_one_line(pagewalk: Command, data: bytes, words: list[str]) -> None:
    (pagewalk.folder / "t").write_bytes(data)
    pagewalk(*IMPORT, "t", "--json").is_one_line("lackey trace t: ", *words)


@pytest.mark.parametrize(("arguments", "words"), [w[1:] for w in WORDS], ids=[w[0] for w in WORDS])
def test_words_that_make_no_sense_are_one_line(
    pagewalk: Command, arguments: list[str], words: list[str]
) -> None:
    (pagewalk.folder / "good").write_bytes(GOOD)
    pagewalk("trace", "import", *arguments).is_one_line(*words)


def test_all_that_is_malformed_can_be_skipped(pagewalk: Command) -> None:
    (pagewalk.folder / "t").write_bytes(b"".join(data + b"\n" for _, data, _ in FILES[2:11]))
    said = pagewalk(*IMPORT, "t", "--malformed", "skip")
    assert (said.code, said.errors) == (0, "")
    assert "malformed, skipped), 8 instructions, 3 pages of 4K" in said.out


def test_pages_too_far_apart_for_any_tables_are_said_with_the_place(pagewalk: Command) -> None:
    lines = (f" L {n << 30:x},8\n" for n in range(35_000))
    (pagewalk.folder / "t").write_text("".join(lines))
    said = pagewalk(*IMPORT, "t")
    said.is_one_line("lackey trace t: before line 3", "pages fill 256 MiB", "--page-size 2M", "cut the trace")
    assert pagewalk(*IMPORT, "t", "--page-size", "2M").code == 0


def on_stdin(pagewalk: Command, data: bytes, *more: str) -> Said:
    words = Command._words([*IMPORT, "-", *more])
    done = subprocess.run(
        words, input=data, cwd=pagewalk.folder, env=pagewalk.environment, capture_output=True, check=False
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_stdin_is_read_like_a_file(pagewalk: Command, pack: type[bytes]) -> None:
    said = on_stdin(pagewalk, pack(GOOD))
    assert said.code == 0 and "2 lines, 1 instructions" in said.out
    assert json.loads(on_stdin(pagewalk, pack(GOOD), "--json").out)["file"] == "-"
    on_stdin(pagewalk, pack(b"hello\n")).is_one_line("lackey trace on stdin: line 1: 'hello'")


def test_a_reader_who_leaves_ends_it_quietly(pagewalk: Command) -> None:
    (pagewalk.folder / "t").write_bytes(GOOD)
    process = pagewalk.start(*IMPORT, "t")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait()) == ("", 0)
    process.stderr.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_ctrl_c_in_a_trace_that_is_still_being_written_says_how_far_it_came(pagewalk: Command) -> None:
    pipe = Path(pagewalk.folder / "pipe")
    os.mkfifo(pipe)
    process = pagewalk.start(*IMPORT, "pipe", "--json")
    with pipe.open("wb", buffering=0) as writer:
        for _ in range(200):
            writer.write(GOOD * 1000)
        said = press_ctrl_c(process)
    assert (said.code, said.out) == (130, "")
    assert len(said.lines) == 1
    assert said.errors.startswith("interrupted; so far 3") and "3 pages of 4K mapped" in said.errors

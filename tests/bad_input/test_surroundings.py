# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong around Pagewalk - files, packages, rights - is one line too."""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_input.command import ROOT, Command
from tests.bad_input.kernels import PANIC, kernel


@pytest.fixture
def copy(tmp_path: Path) -> Command:
    """A checkout of its own, whose guest may be broken."""
    folder = tmp_path / "checkout"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "emu", folder / "emu", ignore=ignore)
    shutil.copytree(ROOT / "guest", folder / "guest", ignore=ignore)
    return Command(tmp_path, [folder])


def test_a_guest_that_was_never_built_says_how_to_build_it(copy: Command) -> None:
    shutil.rmtree(copy.folder / "checkout" / "guest" / "out")
    copy("run", "overrun").is_one_line("guest's images", "guest build")


def test_a_kernel_image_cut_in_half_is_named(copy: Command) -> None:
    image = copy.folder / "checkout" / "guest" / "out" / "kernel.elf"
    image.write_bytes(image.read_bytes()[:30000])
    copy("run", "overrun").is_one_line("kernel.elf")


def test_a_kernel_image_of_random_bytes_is_named(copy: Command) -> None:
    image = copy.folder / "checkout" / "guest" / "out" / "kernel.elf"
    image.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 8)
    copy("run", "overrun").is_one_line("kernel.elf")


def test_a_program_that_is_missing_is_named(copy: Command) -> None:
    (copy.folder / "checkout" / "guest" / "out" / "overrun").unlink()
    copy("run", "overrun").is_one_line("overrun", "no such file")


def test_an_archive_that_is_missing_is_named(copy: Command) -> None:
    (copy.folder / "checkout" / "guest" / "out" / "programs.cpio").unlink()
    copy("run", "overrun").is_one_line("programs.cpio")


def test_a_checkout_without_lessons_says_so(copy: Command) -> None:
    copy("lessons").is_one_line("lessons not found")


def test_a_c_program_without_the_compiler_names_the_extra(
    pagewalk_with: Callable[[str], Command],
) -> None:
    pagewalk = pagewalk_with("import sys; sys.modules['ziglang'] = None")
    (pagewalk.folder / "mine.c").write_text("int main(void) { return 0; }\n")
    pagewalk("run", "./mine.c").is_one_line("pagewalk[guest]")
    pagewalk("guest", "build", "mine.c").is_one_line("pagewalk[guest]")


def test_another_version_of_the_engine_is_refused_by_name(pagewalk_with: Callable[[str], Command]) -> None:
    pagewalk = pagewalk_with("import unicorn; unicorn.__version__ = '2.0.1'")
    pagewalk("run", "overrun").is_one_line("2.0.1", "unicorn==2.1.4")


def test_a_mistake_of_ours_is_one_line_that_asks_for_a_report(
    pagewalk_with: Callable[[str], Command],
) -> None:
    pagewalk = pagewalk_with("import emu.guest.image as i; i.load_kernel = lambda path: 1 // 0")
    said = pagewalk("run", "overrun")
    assert said.code == 70
    assert len(said.lines) == 1
    assert "internal error, ZeroDivisionError" in said.errors and "please report it" in said.errors
    pagewalk.environment["PAGEWALK_DEBUG"] = "1"
    assert "Traceback" in pagewalk("run", "overrun").errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_ends_the_trace_in_one_line(pagewalk: Command) -> None:
    said = pagewalk("run", "overrun", "--json", "--trace", "/dev/full")
    said.is_one_line("/dev/full", "cannot be written")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_one_line(pagewalk: Command) -> None:
    with Path("/dev/full").open("w") as full:
        process = pagewalk.start("geometries", stdout=full)
        _, errors = process.communicate()
    assert process.returncode == 2
    assert errors == "pagewalk: stdout cannot be written: No space left on device; choose a place with room\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_right_to_write_is_one_line(pagewalk: Command) -> None:
    pagewalk.folder.chmod(0o500)
    try:
        pagewalk("run", "overrun", "--trace", "t").is_one_line("cannot be written")
    finally:
        pagewalk.folder.chmod(0o700)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    command = Command(tmp_path_factory.mktemp("trace"))
    assert command("run", "overrun", "--trace", "t").code == 0
    return (command.folder / "t").read_bytes()


@pytest.mark.parametrize("command", ["show", "stats", "export"])
def test_a_trace_cut_in_half_names_the_line(pagewalk: Command, trace: bytes, command: str) -> None:
    (pagewalk.folder / "t").write_bytes(trace[: len(trace) // 2])
    extra = ["--to", "csv", "-o", "out.csv"] if command == "export" else []
    said = pagewalk("trace", command, "t", *extra)
    assert said.code == 2
    assert len(said.lines) == 1
    line = trace[: len(trace) // 2].count(b"\n") + 1
    assert "cut short" in said.errors and f"line {line}:" in said.errors
    assert not (pagewalk.folder / "out.csv").exists()


def test_a_compressed_trace_cut_in_half_names_the_line(pagewalk: Command, trace: bytes) -> None:
    packed = gzip.compress(trace, mtime=0)
    (pagewalk.folder / "t.gz").write_bytes(packed[: len(packed) // 2])
    said = pagewalk("trace", "stats", "t.gz")
    said.is_one_line("cut short")


def test_a_damaged_event_names_the_line(pagewalk: Command, trace: bytes) -> None:
    lines = trace.split(b"\n")
    lines[5] = b'{"kind":"fault","seq":"x"}'
    (pagewalk.folder / "t").write_bytes(b"\n".join(lines))
    pagewalk("trace", "stats", "t").is_one_line("line 6", "damaged fault event")


def test_a_trace_of_another_format_version_is_refused_by_name(pagewalk: Command, trace: bytes) -> None:
    (pagewalk.folder / "t").write_bytes(trace.replace(b'"format_version":1', b'"format_version":9', 1))
    pagewalk("trace", "diff", "t", "t").is_one_line("format version 9", "reads version 1")


def test_nothing_of_a_trace_moves_the_cursor(pagewalk: Command, trace: bytes) -> None:
    line = next(line for line in trace.split(b"\n") if b'"kind":"console"' in line)
    start = line.index(b'"text":"') + 8
    evil = line[:start] + b"\\u001b[2J\\u009b" + line[start:]
    (pagewalk.folder / "t").write_bytes(trace.split(b"\n")[0] + b"\n" + evil + b"\n")
    said = pagewalk("trace", "show", "t")
    assert said.code == 0
    assert "\x1b" not in said.out and "\x9b" not in said.out
    assert "\\x1b[2J" in said.out


def test_a_kernel_of_ones_own_needs_no_program(pagewalk: Command) -> None:
    (pagewalk.folder / "k.elf").write_bytes(kernel(PANIC))
    said = pagewalk("run", "--kernel", "k.elf", "--set", "any=thing")
    assert said.code == 3
    assert "panic" in said.errors

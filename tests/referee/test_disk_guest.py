# SPDX-License-Identifier: GPL-2.0-or-later
"""Referee 2, on the disk: the kernel's own driver, twenty threads and 100 pages, in the machine and in QEMU."""

from functools import lru_cache
from pathlib import Path

import pytest

from emu.devices.disk import DiskImage
from emu.events import DmaDone, Event, Marked
from emu.machine import Ending, Machine
from tests.helpers.disk_guest import DISK_BYTES, build, machine, run_in_qemu
from tests.helpers.kernel import Trace, lines_by_process

BUDGET = 20_000_000
PAGE = 4096
PASS = 33
THREADS = {str(pid): [f"{pid}: 5 pages written and read back"] for pid in range(2, 22)}
KERNEL = [
    "0: pagewalk kernel, 32 MiB of memory, paging on",
    f"0: a disk of {DISK_BYTES // 512} sectors",
    "0: 5 pages written and read back before any process",
    "0: the last sector: error 0",
    "0: across the end: error -5",
    "0: beyond the end: error -5",
    "0: far beyond the end: error -5",
    "0: nothing: error -5",
    "0: half a sector: error -5",
    "0: too much: error -5",
]
SWAP_LOOKS = 1
"""The kernel reads the first page of a disk to see whether it may swap to it."""
LINES = {"0": KERNEL, **THREADS}

pytest.importorskip("ziglang", reason="compiling the guest needs pagewalk[guest]")


@pytest.fixture
def image(pytestconfig: pytest.Config) -> Path:
    return build(pytestconfig.cache.mkdir("disk-guest"))


def content(board: Machine) -> bytes:
    slot = board.virtio.slots[0]
    assert slot is not None
    return slot.device.disk.read(0, DISK_BYTES)


@lru_cache
def run_here(image: Path) -> tuple[Machine, list[Event], str]:
    board = machine(image, DiskImage("blank", DISK_BYTES))
    events: list[Event] = []
    board.journal.observers.append(events.append)
    trace = Trace(board)
    board.run(BUDGET)
    return board, events, trace.digest()


def test_every_thread_reads_back_what_it_wrote(image: Path) -> None:
    board, _, _ = run_here(image)
    assert lines_by_process(bytes(board.console)) == LINES
    assert board.ended is not None
    assert board.ended.ending is Ending.EXITED


@pytest.mark.qemu
def test_the_driver_prints_the_same_in_qemu_and_leaves_the_same_disk(image: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(DISK_BYTES))
    console, status = run_in_qemu(image, disk)
    assert lines_by_process(console) == LINES
    assert status == PASS
    assert disk.read_bytes() == content(run_here(image)[0])


def test_requests_reach_the_disk_in_the_order_of_the_calls_and_many_at_once(image: Path) -> None:
    marks = [e for e in run_here(image)[1] if isinstance(e, Marked) and e.name.startswith("disk_")]
    asked = [tuple(m.arguments.values()) for m in marks if m.name == "disk_request"]
    done = [tuple(m.arguments.values())[:3] for m in marks if m.name == "disk_done"]
    assert asked == done
    assert len(asked) == SWAP_LOOKS + 2 * 5 * 21 + 1
    under_way = most = 0
    for mark in marks:
        under_way += 1 if mark.name == "disk_request" else -1
        most = max(most, under_way)
    assert most == 16, "the table of requests was full"
    assert under_way == 0
    first_writes = [
        m.arguments["sector"] for m in marks if m.name == "disk_request" and m.arguments["write"]
    ][5:25]
    assert first_writes == sorted(first_writes), (
        "the threads started in this order, and none overtook another"
    )


def test_each_page_goes_straight_into_the_frame_that_was_named(image: Path) -> None:
    events = run_here(image)[1]
    frames = {
        e.arguments["frame_number"] for e in events if isinstance(e, Marked) and e.name == "disk_request"
    }
    pages = [e for e in events if isinstance(e, DmaDone) and e.size == PAGE]
    assert len(pages) == SWAP_LOOKS + 2 * 5 * 21
    assert {e.address // PAGE for e in pages} <= frames


def test_a_request_is_done_2000_instructions_after_it_was_asked_for(image: Path) -> None:
    board = machine(image, DiskImage("blank", DISK_BYTES))
    clocks: dict[str, list[int]] = {"port": [], "dma": []}

    def note(event: Event) -> None:
        if event.kind == "port" and getattr(event, "address", 0) == 0xFEB0_0050:
            clocks["port"].append(board.journal.clock)
        elif isinstance(event, DmaDone) and event.size == PAGE:
            clocks["dma"].append(board.journal.clock)

    board.journal.observers.append(note)
    while not clocks["dma"]:
        board.run(1000)
    assert clocks["dma"][0] - clocks["port"][0] == 2000


def test_a_machine_is_busy_while_a_request_is_under_way_so_it_is_not_idle_for_ever(image: Path) -> None:
    board = machine(image, DiskImage("blank", DISK_BYTES))
    busy: set[tuple[bool, bool]] = set()
    while board.ended is None:
        board.run(700)
        busy.add((board.virtio.is_busy(), board._busy()))  # pyright: ignore[reportPrivateUsage]
    assert busy == {(False, False), (True, True)}


def test_a_run_back_and_forth_ends_in_the_state_and_trace_of_the_straight_one(image: Path) -> None:
    board = machine(image, DiskImage("blank", DISK_BYTES), keep_history=True)
    trace = Trace(board)
    for target, back in ((150_000, 100), (300_000, 200_000), (500_000, 1), (700_000, 650_000)):
        board.run(max(0, target - board.journal.insn))
        board.step_back(back)
        trace.forget_from(board.journal.seq)
    board.run(BUDGET)
    assert trace.digest() == run_here(image)[2]
    assert content(board) == content(run_here(image)[0])


def test_going_back_undoes_what_was_written_to_the_disk(image: Path) -> None:
    board = machine(image, DiskImage("blank", DISK_BYTES), keep_history=True)
    board.run(BUDGET)
    assert any(content(board))
    board.seek(1000)
    assert not any(content(board))


def test_without_a_disk_every_request_is_refused_and_nothing_else_happens(image: Path) -> None:
    board = machine(image, None)
    board.run(BUDGET)
    lines = lines_by_process(bytes(board.console))
    assert lines["0"][1:3] == [
        "0: a disk of 0 sectors",
        "0: 0 pages written and read back before any process",
    ]
    assert lines["2"] == ["2: 0 pages written and read back"]
    assert board.ended is not None
    assert board.ended.ending is Ending.EXITED


def at_the_threads(image: Path) -> Machine:
    """A machine in which some threads have their requests under way."""
    board = machine(image, DiskImage("blank", DISK_BYTES))
    while b"too much" not in board.console or not board.virtio.is_busy():
        board.run(1000)
    return board


def test_a_disk_that_needs_a_reset_is_given_up_and_the_kernel_lives_on(image: Path) -> None:
    board = at_the_threads(image)
    slot = board.virtio.slots[0]
    assert slot is not None
    slot.fail("the test says so")
    board.run(BUDGET)
    lines = lines_by_process(bytes(board.console))
    assert lines["0"][-1] == "0: the disk asked for a reset: it is not used any more"
    assert {pid: lines[pid] for pid in THREADS} == {
        pid: [f"{pid}: 0 pages written and read back"] for pid in THREADS
    }
    assert slot.status == 0, "the driver has reset it"
    assert board.ended is not None
    assert board.ended.ending is Ending.EXITED


def test_an_io_error_of_the_disk_is_an_error_of_that_request_alone(image: Path) -> None:
    board = at_the_threads(image)
    slot = board.virtio.slots[0]
    assert slot is not None
    end = slot.device.disk.sectors = (2 * 5 + 5) * 8  # the pages of thread 2 and no more
    errors: set[tuple[bool, object]] = set()

    def note(event: Event) -> None:
        if isinstance(event, Marked) and event.name == "disk_done":
            errors.add((int(event.arguments["sector"]) < end, event.arguments["error"]))

    board.journal.observers.append(note)
    board.run(BUDGET)
    assert errors == {(True, 0), (False, -5)}
    lines = lines_by_process(bytes(board.console))
    assert lines["2"] == THREADS["2"]
    assert lines["3"] == ["3: 0 pages written and read back"]
    assert not slot.trouble
    assert board.ended is not None
    assert board.ended.ending is Ending.EXITED

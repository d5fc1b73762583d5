# SPDX-License-Identifier: GPL-2.0-or-later
"""Reverse syscalls: what the kernel calls, how a call may end, and what no handler can do to it."""

import re

import pytest

from emu.lesson import Call, Lab

from .memory import balance_is_equal, marks, run, said

SUMS = [
    "2: call 1 answered: length 100, verdict 4950, sum 4950",
    "2: call 2 answered: length 100, verdict 5050, sum 5050",
]
ABANDONED = [
    "2: call 1 abandoned: length 0, verdict 0, sum 4950",
    "2: call 2 abandoned: length 0, verdict 0, sum 5050",
]
TIMED_OUT = [line.replace("abandoned", "timed out") for line in ABANDONED]


def status(number: int) -> list[str]:
    return [f"2: the called process ended with status {number}"]


MODES = {
    "adds up what lies in the page": ("sum", [*SUMS, *status(0)]),
    "writes to the page, and the kernel finds it there": (
        "double",
        [
            *(line.replace(f"sum {n}", f"sum {2 * n}") for line, n in zip(SUMS, (4950, 5050), strict=True)),
            *status(0),
        ],
    ),
    "faults": (
        "fault",
        [
            "3: killed: page fault at 0x0000_7000_0000_2000 (write, user, not present), rip *",
            *ABANDONED,
            *status(142),
        ],
    ),
    "returns instead of answering": (
        "return",
        [
            "3: killed: page fault at 0x0000_0000_0000_0000 (fetch, user, not present), rip 0x0000_0000_0000_0000",
            *ABANDONED,
            *status(142),
        ],
    ),
    "exits": ("exit", [*ABANDONED, *status(3)]),
    "sleeps before it answers": ("sleep", [*SUMS, *status(0)]),
    "never answers": ("never", [*TIMED_OUT, "3: killed by another process", *status(137)]),
    "answers when the deadline is over, and goes on": ("late", [*TIMED_OUT, *status(0)]),
    "touches the page when the deadline is over": (
        "touch",
        [
            *TIMED_OUT,
            "3: killed: page fault at 0x0000_7000_0000_1000 (write, user, not present), rip *",
            *status(142),
        ],
    ),
    "answers the call before once more": (
        "twice",
        ["3: the answer to the call before, once more: -2", *SUMS, *status(0)],
    ),
    "lets a child answer": (
        "child",
        ["4: the child answers: -1", "5: the child answers: -1", *SUMS, *status(0)],
    ),
    "says it has more bytes than the page": (
        "length",
        ["3: an answer longer than the page: -22"] * 2 + [*SUMS, *status(0)],
    ),
    "gives a verdict without sense": (
        "verdict",
        ["3: an answer without sense: -22"] * 2 + [*SUMS, *status(0)],
    ),
    "takes its registration back in the middle": (
        "unregister",
        ["3: taking the registration back in the middle: -16"] * 2 + [*SUMS, *status(0)],
    ),
    "does work that makes the kernel call again": (
        "nested",
        [
            "3: in the middle of call 1 I ordered call 3",
            "3: in the middle of call 2 I ordered call 4",
            *SUMS,
            "2: call 3 answered: length 10, verdict 2045, sum 2045",
            "2: call 4 answered: length 10, verdict 2045, sum 2045",
            *status(0),
        ],
    ),
    "is killed in the middle": (
        "killed",
        [
            "2: self-check: 0 findings",
            "2: the kernel's books: 0",
            "3: killed by another process",
            *ABANDONED,
            *status(137),
        ],
    ),
}


def by_process(lines: list[str]) -> list[str]:
    """Lines of the console, process by process; the place in a program's code left out, where one is told."""
    plain = [re.sub(r"rip 0x0000_0000_0040_\w+", "rip *", line) for line in lines]
    return sorted(plain, key=lambda line: line.partition(":")[0])


@pytest.mark.parametrize("handler", MODES)
def test_the_call_ends_as_defined_and_the_page_comes_back_when_the_handler(handler: str) -> None:
    mode, expected = MODES[handler]
    lab = run(mode, program="upcall", memory_mib=8)
    books = ["2: self-check: 0 findings", "2: the kernel's books: 0"]
    assert by_process(said(lab)) == by_process([*expected, *books])
    assert balance_is_equal(lab.events)
    assert lab.value("ukshm_statistics.pages") == 0
    mapped = [mark.arguments["linear"] for mark in marks(lab, "ukshm_map")]
    assert mapped and mapped == [mark.arguments["linear"] for mark in marks(lab, "ukshm_unmap")]


def test_what_the_kernel_does_not_call() -> None:
    lines = said(run("register", program="upcall"))
    assert lines == [
        "2: a handler in the kernel: -14",
        "2: a handler at no address: -14",
        "2: a handler in my data: -14",
        "2: a handler where nothing is: -14",
        "2: a stack in the kernel: -14",
        "2: a stack in my code: -14",
        "2: a stack where nothing is: -14",
        "2: a stack at 0: -14",
        "2: a stack that is crooked: 0",
        "2: a first role: 0",
        "2: a second role: -16",
        "3: in the child: the parent's role: -16",
        "3: in the child: another: 0",
        "3: in the child: not as root: -1",
        "2: back: 0, and once more: -22",
    ]


def test_a_call_that_comes_with_an_interrupt_changes_no_register_of_what_it_interrupts() -> None:
    lab = run("spin", program="upcall", memory_mib=8)
    assert said(lab)[:4] == [*SUMS, "3: registers that the handler changed under me: none", *status(0)]


def test_a_program_that_makes_no_system_call_is_called_from_an_interrupt() -> None:
    lab = Lab()
    lab.boot("upcall", "spin", memory_mib=8)
    lab.run_until(Call("window_share"))
    timer, netfs = 32, 3
    assert lab.value(f"listeners[{netfs}].interrupted.vector") == timer


def test_a_process_that_is_called_runs_before_all_others_that_are_ready() -> None:
    lab = Lab()
    lab.boot("upcall", "busy", memory_mib=8)
    lab.run_until(Call("upcall_submit"))
    before = len(marks(lab, "switch"))
    lab.run_until(Call("handler"))
    assert [mark.arguments["next_pid"] for mark in marks(lab, "switch")[before:]] == [6]


def test_more_calls_than_the_queue_holds_are_refused_and_the_others_answered() -> None:
    lab = run("sum", "40", program="upcall", memory_mib=8)
    lines = said(lab)
    assert lines.count("2: ordering a call: error -105") == 8
    assert sum(" answered: " in line for line in lines) == 32


def test_an_unmapped_page_is_dropped_from_the_tlb_before_the_kernel_uses_it_again() -> None:
    lab = run("sum", program="upcall", memory_mib=8)
    events = list(lab.events)
    for mark in marks(lab, "ukshm_unmap"):
        behind = events[events.index(mark) :]
        kinds = [event for event in behind if event.kind == "invalidate"]
        keeps = [event for event in behind if event in marks(lab, "frame_owner")]
        assert kinds and keeps and kinds[0].seq < keeps[0].seq


def test_page_tables_are_in_order_while_a_page_is_shared() -> None:
    lab = Lab()
    lab.boot("upcall")
    lab.run_until(Call("handler"))
    assert lab.check("upcall").errors == ()

# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver that speaks TFTP, in a guest, against our server and against servers that are down, slow or lie.

No page is lost in any of these runs: the kernel would say so in a line of its own, and each run's lines are listed.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from emu.events import Marked
from emu.lesson import Call, Lab
from emu.net.datagrams import Datagram, Endpoint, ipv4
from emu.net.tftp import Opcode, TftpServer, packet
from tests.helpers.netfs import Answer, Server, built, run

pytestmark = pytest.mark.long

BYTES = bytes(range(256)) * 20
"""A page and a quarter, five of the driver's blocks."""
TEXT = bytes(32 + n % 95 for n in range(70_000))
FILES = {b"five": BYTES, **{b"%d" % n: TEXT[:n] for n in (0, 1, 511, 512, 513, 1024, 4096, 4097, 70_000)}}
EIO, ETIMEDOUT = -5, -110
DIRECT_MAP = 0xFFFF_8880_0000_0000
SUM = sum(BYTES[::64])
WHOLE = f"3: {len(BYTES)} bytes, sum {SUM}"


def good() -> TftpServer:
    return TftpServer(FILES)


def opcode(datagram: Datagram) -> int:
    return int.from_bytes(datagram.payload[:2], "big")


def is_request(datagram: Datagram) -> bool:
    return opcode(datagram) in (Opcode.RRQ, Opcode.WRQ)


def read_with(answer: Answer, name: str = "five", *arguments: str) -> tuple[list[str], Server]:
    """What the stubborn reader says of a file from such a server, and the server."""
    server = Server(answer)
    words = ("with", "stubborn", f"/net/{name}", *arguments)
    done = run("netfs", *words, server=server, files=[built("stubborn")])
    assert done.has_ended
    return done.lines, server


def changed(
    change: Callable[[Datagram], Sequence[Datagram]], files: dict[bytes, bytes] | None = None
) -> Answer:
    """Our server, but for what `change` makes of its answers."""
    server = TftpServer(files or FILES)

    def answer(datagram: Datagram) -> list[Datagram]:
        return [one for right in server.answer(datagram) for one in change(right)]

    return answer


def only(wanted: int, payload: bytes) -> Callable[[Datagram], Sequence[Datagram]]:
    """Another payload for answers of that opcode (of DATA: of the third block)."""

    def change(right: Datagram) -> Sequence[Datagram]:
        is_wanted = opcode(right) == wanted
        if wanted == Opcode.DATA:
            is_wanted = is_wanted and right.payload[2:4] == b"\0\3"
        return [replace(right, payload=payload)] if is_wanted else [right]

    return change


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 4096, 4097, 70_000])
def test_a_file_of_any_size_is_printed_to_the_byte(size: int) -> None:
    done = run("netfs", f"/net/{size}", server=good())
    assert done.console == TEXT[:size] and done.has_ended


@pytest.mark.parametrize("size", [0, 1, 1024, 4097])
def test_a_file_is_copied_on_the_server_and_is_the_same(size: int) -> None:
    server = good()
    done = run("netfs", "with", "cp", f"/net/{size}", "/net/new", server=server)
    assert done.lines == [f"3: /net/{size} -> /net/new: {size} bytes"]
    assert dict(server.state().written) == {b"new": TEXT[:size]}


@pytest.mark.parametrize(
    ("name", "error"), [("nothing", -2), ("../five", -13), ("sub/../../five", -13), ("x" * 58, -2)]
)
def test_what_the_server_refuses_is_the_readers_error(name: str, error: int) -> None:
    assert run("netfs", f"/net/{name}", server=good()).lines == [f"3: cat: /net/{name}: error {error}"]


def test_a_name_that_is_too_long_does_not_reach_the_driver() -> None:
    assert run("netfs", "/net/" + "x" * 59, server=good()).lines[0].endswith(": error -36")


# -- down and slow ------------------------------------------------------------------------------------------------


def test_a_server_that_is_down_is_an_error_and_not_for_ever() -> None:
    server = Server(lambda datagram: [])
    done = run("netfs", "/net/five", server=server)
    assert done.lines == [f"3: cat: /net/five: error {ETIMEDOUT}"] and done.has_ended
    assert len(server.heard) == 5 and len({d.payload for d in server.heard}) == 1


def test_no_machine_at_all_is_an_error() -> None:
    done = run("netfs", "server=192.0.2.9:1069", "/net/five", server=good())
    assert done.lines == [f"3: cat: /net/five: error {ETIMEDOUT}"] and done.has_ended


def test_a_server_that_goes_down_in_the_middle_is_an_error_and_comes_back() -> None:
    server, count = good(), 0

    def answer(datagram: Datagram) -> list[Datagram]:
        nonlocal count
        count += 1
        return [] if 5 < count <= 10 else server.answer(datagram)  # five tries

    lines, _ = read_with(answer)
    assert lines == [f"3: at 4096: error {ETIMEDOUT}", WHOLE]


def test_every_answer_lost_once_costs_time_and_no_byte() -> None:
    server = good()
    lost: set[bytes] = set()

    def answer(datagram: Datagram) -> list[Datagram]:
        right = server.answer(datagram)
        if datagram.payload in lost:
            return right
        lost.add(datagram.payload)
        return []

    assert read_with(answer)[0] == [WHOLE]


def test_answers_that_come_twice_are_taken_once() -> None:
    lines, server = read_with(changed(lambda right: [right, right]))
    assert lines == [WHOLE]
    assert len(server.heard) == 8  # the request and 7 acknowledgements: no duplicate was acknowledged


def test_answers_that_come_when_the_next_question_is_asked_are_taken() -> None:
    server = good()
    waiting: list[Datagram] = []

    def answer(datagram: Datagram) -> list[Datagram]:
        late, waiting[:] = list(waiting), server.answer(datagram)
        return late

    lines, _ = read_with(answer)
    assert lines == [WHOLE]


# -- lying --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0",
        b"\0\3\0",
        struct.pack("!HH", Opcode.DATA, 4) + bytes(1024),
        struct.pack("!HH", Opcode.DATA, 3) + bytes(1025),
        struct.pack("!HH", Opcode.DATA, 3) + bytes(1400),
        packet(Opcode.ACK, 3),
        packet(Opcode.RRQ, b"five", b"octet"),
        b"\0\7\0\3",
        b"\xff" * 40,
        packet(Opcode.ERROR, 0, b"no"),
        packet(Opcode.ERROR, 999, b"\x1b[31m" * 20),
        b"\0\5\0\7no end",
    ],
    ids=str,
)
def test_a_block_that_is_none_is_an_error_and_the_next_try_begins_anew(payload: bytes) -> None:
    lines, _ = read_with(changed(only(Opcode.DATA, payload)))
    assert lines == [f"3: at 0: error {EIO}"] * 3 + ["3: 0 bytes, sum 0"]


@pytest.mark.nightly
@pytest.mark.parametrize(
    "words",
    [
        [b"blksize", b"1025"],
        [b"blksize", b"0"],
        [b"blksize", b"7"],
        [b"blksize", b""],
        [b"blksize", b"-8"],
        [b"blksize", b"1024x"],
        [b"tsize", b"99999999999999999999"],
        [b"timeout", b"1"],
        [b"blksize"],
    ],
    ids=str,
)
def test_options_that_were_not_asked_for_or_make_no_sense_are_refused(words: list[bytes]) -> None:
    lines, server = read_with(changed(only(Opcode.OACK, packet(Opcode.OACK, *words))))
    assert lines == [f"3: at 0: error {EIO}"] * 3 + ["3: 0 bytes, sum 0"]
    assert packet(Opcode.ERROR, 8)[:4] in {d.payload[:4] for d in server.heard}


def test_options_without_an_end_are_refused() -> None:
    lines, _ = read_with(changed(only(Opcode.OACK, b"\0\6blksize\x001024")))
    assert lines[0] == f"3: at 0: error {EIO}"


@pytest.mark.parametrize("size", [0, len(BYTES) - 1, len(BYTES) + 1, 999_999])
def test_a_file_that_is_not_as_long_as_was_said_is_an_error(size: int) -> None:
    lines, _ = read_with(
        changed(only(Opcode.OACK, packet(Opcode.OACK, b"blksize", b"1024", b"tsize", b"%d" % size)))
    )
    assert lines == [f"3: at 4096: error {EIO}"] * 3 + [f"3: 4096 bytes, sum {sum(BYTES[:4096:64])}"]


def test_a_file_that_changes_before_it_is_begun_anew_is_an_error() -> None:
    servers = [TftpServer({b"five": BYTES}), TftpServer({b"five": BYTES + b"more"})]
    count = 0

    def answer(datagram: Datagram) -> list[Datagram]:
        nonlocal count
        count += 1
        if count > 10:
            return servers[1].answer(datagram)
        return [] if count > 5 else servers[0].answer(datagram)

    assert read_with(answer)[0][:2] == [f"3: at 4096: error {ETIMEDOUT}", f"3: at 4096: error {EIO}"]


def test_a_server_without_options_is_served_with_blocks_of_512() -> None:
    server = good()

    def answer(datagram: Datagram) -> list[Datagram]:
        words = datagram.payload.split(b"\0octet\0")
        plain = words[0] + b"\0octet\0" if is_request(datagram) else datagram.payload
        return server.answer(replace(datagram, payload=plain))

    lines, server_with = read_with(answer)
    assert lines == [WHOLE] and len(server_with.heard) == 12


def test_another_port_gets_an_error_and_its_blocks_are_not_taken() -> None:
    def change(right: Datagram) -> list[Datagram]:
        if opcode(right) != Opcode.DATA:
            return [right]
        forged = right.payload[:4] + bytes(1024)
        return [Datagram(Endpoint(right.source.address, 6666), right.destination, forged), right]

    lines, server = read_with(changed(change))
    assert lines == [WHOLE]
    assert {d.destination.port for d in server.heard if opcode(d) == Opcode.ERROR} == {6666}
    assert {d.payload[:4] for d in server.heard if opcode(d) == Opcode.ERROR} == {b"\0\5\0\5"}


def test_another_address_is_not_heard() -> None:
    def change(right: Datagram) -> list[Datagram]:
        forged = packet(Opcode.ERROR, 1, b"there is no such file")
        return [
            replace(right, source=replace(right.source, address=ipv4("192.0.2.3")), payload=forged),
            right,
        ]

    assert read_with(changed(change))[0] == [WHOLE]


def test_an_old_block_again_and_again_is_no_answer() -> None:
    def change(right: Datagram) -> list[Datagram]:
        if opcode(right) == Opcode.DATA and right.payload[2:4] > b"\0\3":
            return [replace(right, payload=struct.pack("!HH", Opcode.DATA, 1) + bytes(1024))] * 3
        return [right]

    lines, _ = read_with(changed(change))
    assert lines == [f"3: at 0: error {ETIMEDOUT}"] * 3 + ["3: 0 bytes, sum 0"]


def test_more_than_the_driver_can_hear_is_lost_and_not_more() -> None:
    def change(right: Datagram) -> list[Datagram]:
        return [right, *[replace(right, payload=struct.pack("!HH", Opcode.DATA, 0))] * 100]

    assert read_with(changed(change))[0] == [WHOLE]


@pytest.mark.nightly
@pytest.mark.parametrize("code", range(9))
def test_an_error_of_the_servers_is_one_of_ours(code: int) -> None:
    lines, _ = read_with(changed(only(Opcode.OACK, packet(Opcode.ERROR, code, b"why"))))
    error = {1: -2, 2: -13, 3: -28}.get(code, EIO)
    assert lines == [f"3: at 0: error {error}"] * 3 + ["3: 0 bytes, sum 0"]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (packet(Opcode.ERROR, 3, b"full"), -28),
        (packet(Opcode.ACK, 9), EIO),
        (packet(Opcode.DATA, 1, b"x"), EIO),
    ],
    ids=["full", "another block", "not an acknowledgement"],
)
def test_a_write_that_the_server_does_not_take_is_the_writers_error(wanted: bytes, error: int) -> None:
    def change(right: Datagram) -> list[Datagram]:
        is_second = right.payload == packet(Opcode.ACK, 2)
        return [replace(right, payload=wanted) if is_second else right]

    server = Server(changed(change))
    done = run("netfs", "with", "cp", "/net/4097", "/net/new", server=server)
    assert done.lines == [f"3: cp: /net/new: error {error}"]


def test_an_error_at_the_last_block_comes_out_at_the_close() -> None:
    server = Server(changed(only(Opcode.ACK, packet(Opcode.ERROR, 3, b"full"))))
    done = run("netfs", "with", "cp", "hello", "/net/new", server=server)
    assert done.lines[0].startswith("3: cp: /net/new: error -28") and done.has_ended


# -- the driver ---------------------------------------------------------------------------------------------------


def test_the_driver_is_killed_in_the_middle_of_a_file() -> None:
    lines, _ = read_with(good().answer, "five", "kill")
    assert (
        lines
        == [
            "3: kill 0",
            "2: killed by another process",
            f"3: at 4096: error {EIO}",  # it was asked already
            *["3: at 4096: error -19"] * 2,
            f"3: 4096 bytes, sum {sum(BYTES[:4096:64])}",
        ]
    )


def test_little_time_is_an_error_in_time_and_the_driver_lives() -> None:
    """The driver's five patient tries would take 500 ticks; 20 ticks are all it is given."""
    server = Server(lambda datagram: [])
    done = run("netfs", "/net/one", "/net/two", server=server, switches={"ukshm.deadline": "1"})
    assert done.lines == [f"3: cat: /net/{name}: error {ETIMEDOUT}" for name in ("one", "two")]
    assert done.has_ended and done.booted.machine.journal.clock < 200 * 100_000 + 5_000_000


def test_the_program_beside_it_is_the_one_whose_status_counts() -> None:
    assert run("netfs", "with", "nothing", server=good()).lines == [
        "2: netfs: the program 'nothing' could not be started (error -2)"
    ]


@pytest.mark.nightly
@pytest.mark.parametrize(
    "word", ["server=1.2.3", "server=1.2.3.4.5", "server=1.2.3.256", "server=1.2.3.4:", "server=1.2.3.4:0",
             "server=1.2.3.4:65536", "server=x", "server=1.2.3.4x"]
)  # fmt: skip
def test_an_address_that_is_none_is_told_with_an_example(word: str) -> None:
    lines = run("netfs", word, "/net/x").lines
    assert len(lines) == 1 and word in lines[0] and "server=192.0.2.2:69" in lines[0]


def test_without_files_it_says_how_it_is_used() -> None:
    assert run("netfs").lines == [
        "2: netfs: give the files to print, as in /net/hello.txt, or: with PROGRAM ARGUMENT..."
    ]


# -- time ---------------------------------------------------------------------------------------------------------


def test_back_in_time_and_in_a_fork_the_server_says_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "five").write_bytes(TEXT[:5120])
    lab = Lab()
    lab.boot("netfs", "/net/five", peer=[f"tftp={tmp_path}"])
    lab.run_until(Call("netfs_read"))
    (tmp_path / "five").write_bytes(b"another file by now")
    fork = lab.fork()
    lab.run_to_exit()
    middle = lab.machine.journal.insn - 20_000
    lab.step_back(20_000)
    assert lab.machine.journal.insn == middle
    lab.run_to_exit()
    fork.run_to_exit()
    assert str(lab.console) == str(fork.console)
    assert TEXT[:5120].decode() in str(lab.console)


def test_a_read_travels_to_the_driver_and_back_on_one_frame(tmp_path: Path) -> None:
    (tmp_path / "five").write_bytes(TEXT[:100])
    lab = Lab()
    lab.boot("netfs", "/net/five", peer=[f"tftp={tmp_path}"])
    lab.run_until(
        lambda event: isinstance(event, Marked) and event.name == "netfs_done" and event.arguments["length"]
    )
    told = [
        event.arguments for event in lab.events if isinstance(event, Marked) and event.name == "ukshm_map"
    ]
    frame = lab.events[-1].arguments["frame_number"]
    assert [shared["frame_number"] for shared in told] == [frame, frame]  # for the OPEN, for the READ
    assert bytes(lab.memory(DIRECT_MAP + frame * 4096, 101)) == TEXT[:100] + b"\0"

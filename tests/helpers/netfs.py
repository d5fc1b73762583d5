# SPDX-License-Identifier: GPL-2.0-or-later
"""The network file system at work: a guest with the driver, a server at the far end of eth1, and what became of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from emu import resources
from emu.guest.build import build_program
from emu.lesson.boot import Booted, boot, request_of
from emu.net.datagrams import Datagram
from emu.net.tftp import TftpServer
from emu.net.tftp_peer import TftpPeer

Answer = Callable[[Datagram], Sequence[Datagram]]
BUDGET = 60_000_000
GUESTS = Path(__file__).resolve().parents[1] / "unit" / "guest_kernel" / "guests"


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="pagewalk-test-")


@cache
def built(name: str) -> Path:
    """One of the tests' own guest programs, compiled once."""
    path = Path(_folder().name) / name
    build_program(GUESTS / f"{name}.c", path, resources.guest_sources())
    return path


class Server(TftpServer):
    """A server that answers in a way of its own; `heard` is all that came."""

    def __init__(self, answer: Answer) -> None:
        super().__init__({})
        self._answer = answer
        self.heard: list[Datagram] = []

    def answer(self, datagram: Datagram) -> list[Datagram]:
        self.heard.append(datagram)
        return list(self._answer(datagram))


def peer_of(server: TftpServer) -> TftpPeer:
    """The machine at 192.0.2.2 with that server on it."""
    peer = TftpPeer({})
    peer.server = server
    return peer


@dataclass(frozen=True)
class Run:
    """A guest that has ended, or has run out of its budget."""

    booted: Booted

    @property
    def console(self) -> bytes:
        """What was printed behind the kernel's first line; newlines as the guest wrote them."""
        return bytes(self.booted.machine.console).replace(b"\r\n", b"\n").partition(b"\n")[2]

    @property
    def lines(self) -> list[str]:
        return self.console.decode().splitlines()

    @property
    def has_ended(self) -> bool:
        """In order: no panic, not idle for ever."""
        ended = self.booted.machine.ended
        return ended is not None and ended.code == 0x10


def run(
    program: str | Path,
    *arguments: str,
    server: TftpServer | None = None,
    switches: Mapping[str, str] | None = None,
    files: Sequence[Path] = (),
    budget: int = BUDGET,
) -> Run:
    """Boot `program`, with cards and that server if there is one, and run it to its end. `files` are in the archive."""
    request = request_of(
        str(program),
        arguments,
        switches=switches,
        network=server is not None,
        files=[str(file) for file in files],
    )
    booted = boot(request, keep_history=False)
    if server is not None:
        booted.machine.attach_peer("eth1", peer_of(server).answer)
    booted.machine.run_until(budget)
    return Run(booted)

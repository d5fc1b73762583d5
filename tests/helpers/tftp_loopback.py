# SPDX-License-Identifier: GPL-2.0-or-later
"""From the guest's wire to UDP on 127.0.0.1 and back: servers and clients that nobody here wrote."""

import json
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from emu.net.datagrams import Datagram, Endpoint, ipv4
from emu.net.tftp import TFTP_PORT, Opcode, TftpServer

HOST = "127.0.0.1"
BUFFER = 65536
SECONDS = 5.0
QUIET_SECONDS = 0.3
"""For an answer that is not expected: the last acknowledgement, an error."""
LARGEST_BLOCK = 1024
"""What the driver asks for: a shorter one is the last, if not all are."""
FIRST_TID = 40_000
"""The ports that a real server takes are chance; in the guest's world they are these, in order."""


class Bridge(TftpServer):
    """A server in the guest's world whose every answer is given by a real one on loopback, one for one."""

    def __init__(self, port: int, close: ExitStack) -> None:
        super().__init__({})
        self._port = port
        self._close = close
        self._sockets: dict[Endpoint, socket.socket] = {}
        self._tids: list[int] = []
        self.exchanges: list[tuple[Datagram, list[Datagram]]] = []

    def answer(self, datagram: Datagram) -> list[Datagram]:
        near = self._sockets.get(datagram.source)
        if near is None:
            near = self._close.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            self._sockets[datagram.source] = near
        to = (
            self._port
            if datagram.destination.port == TFTP_PORT
            else self._tids[datagram.destination.port - FIRST_TID]
        )
        near.sendto(datagram.payload, (HOST, to))
        answers: list[Datagram] = []
        if select.select([near], [], [], self._patience(datagram))[0]:
            payload, (_, port) = near.recvfrom(BUFFER)
            answers = [
                Datagram(Endpoint(datagram.destination.address, self._tid(port)), datagram.source, payload)
            ]
        self.exchanges.append((datagram, answers))
        return answers

    def _patience(self, datagram: Datagram) -> float:
        """Whether an answer is due: not to an error, and not to the acknowledgement of a short block."""
        if datagram.payload[1] == Opcode.ERROR:
            return QUIET_SECONDS
        before = [answers for asked, answers in self.exchanges if asked.source == datagram.source and answers]
        is_last = (
            datagram.payload[1] == Opcode.ACK and before and len(before[-1][0].payload) < 4 + LARGEST_BLOCK
        )
        return QUIET_SECONDS if is_last and before[-1][0].payload[1] == Opcode.DATA else SECONDS

    def _tid(self, port: int) -> int:
        if port not in self._tids:
            self._tids.append(port)
        return FIRST_TID + self._tids.index(port)


def _words(datagram: Datagram) -> list[Any]:
    return [datagram.source.port, datagram.destination.port, datagram.payload.hex()]


def save(exchanges: Sequence[tuple[Datagram, list[Datagram]]], path: Path) -> None:
    """One line an exchange: what was asked, what was answered; [port from, port to, bytes]."""
    lines = [
        json.dumps({"asked": _words(a), "answered": [_words(b) for b in answers]}) for a, answers in exchanges
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


class Recording(TftpServer):
    """A recorded server. Who asks anything but what was asked then is told so: the test fails."""

    def __init__(self, path: Path) -> None:
        super().__init__({})
        self._lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def answer(self, datagram: Datagram) -> list[Datagram]:
        assert self._lines, "more was asked than in the recording"
        line = self._lines.pop(0)
        assert _words(datagram) == line["asked"]
        return [
            Datagram(Endpoint(datagram.destination.address, source), datagram.source, bytes.fromhex(payload))
            for source, _, payload in line["answered"]
        ]

    @property
    def is_over(self) -> bool:
        return not self._lines


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@contextmanager
def served_on_loopback(server: TftpServer) -> Iterator[int]:
    """Our own server on a real port, which is given; each of its ports is a socket of its own."""
    with ExitStack() as close:
        sockets: dict[int, socket.socket] = {}

        def open_port(port: int) -> socket.socket:
            if port not in sockets:
                sockets[port] = close.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sockets[port].bind((HOST, 0))
            return sockets[port]

        well_known = open_port(TFTP_PORT).getsockname()[1]
        told = threading.Event()

        def serve() -> None:
            while not told.is_set():
                ports = {near: port for port, near in sockets.items()}
                for near in select.select(list(ports), [], [], QUIET_SECONDS)[0]:
                    payload, (_, client) = near.recvfrom(BUFFER)
                    asked = Datagram(Endpoint(ipv4(HOST), client), Endpoint(ipv4(HOST), ports[near]), payload)
                    for answer in server.answer(asked):
                        open_port(answer.source.port).sendto(answer.payload, (HOST, answer.destination.port))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield well_known
        finally:
            told.set()
            thread.join()

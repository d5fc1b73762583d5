# SPDX-License-Identifier: GPL-2.0-or-later
"""A TFTP server as a state machine: a datagram in, datagrams out, no clock and no chance.

RFC 1350 (octet mode), with the options blksize and tsize of RFC 2347 to 2349. It never sends anything unasked: when
something was lost it is the client that asks again, with a second request or acknowledgement. What clients write is
kept in memory, and never reaches the folder it serves.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from emu.net.datagrams import Datagram, Endpoint

TFTP_PORT: Final = 69
FIRST_TID: Final = 50_000
"""Transfers get the ports from here on, one after the other."""
TIDS: Final = 10_000
MOST_TRANSFERS: Final = 64
"""When one more begins, the oldest is forgotten."""
DEFAULT_BLOCK_BYTES: Final = 512
LEAST_BLOCK_BYTES: Final = 8
MOST_BLOCK_BYTES: Final = 1428
MOST_WRITTEN_BYTES: Final = 4 << 20
MOST_WRITTEN_FILES: Final = 64


class Opcode(IntEnum):
    """What a packet is."""

    RRQ = 1
    WRQ = 2
    DATA = 3
    ACK = 4
    ERROR = 5
    OACK = 6


class Problem(IntEnum):
    """The error codes of RFC 1350 that this server sends."""

    NOT_DEFINED = 0
    NOT_FOUND = 1
    ACCESS_VIOLATION = 2
    FULL = 3
    ILLEGAL = 4
    UNKNOWN_TID = 5


@dataclass(frozen=True, slots=True)
class Transfer:
    """One file on its way. `contents`: all of it when it is read, what has come so far when it is written."""

    client: Endpoint
    tid: int
    request: bytes
    name: bytes
    is_read: bool
    contents: bytes
    block_bytes: int
    block: int
    """Of a read: the block that was sent last, 0 for the OACK. Of a write: the block that came last."""
    answer: bytes
    """What was sent last, for when the client asks again."""
    first: int
    """What `block` was in the beginning."""
    is_done: bool = False

    def block_data(self, number: int) -> bytes:
        """The bytes of block `number` (from 1) of a file that is read."""
        return self.contents[(number - 1) * self.block_bytes : number * self.block_bytes]


@dataclass(frozen=True, slots=True)
class TftpState:
    """Everything that changes: for a checkpoint."""

    transfers: tuple[Transfer, ...] = ()
    written: tuple[tuple[bytes, bytes], ...] = ()
    started: int = 0


def packet(opcode: Opcode, *parts: int | bytes) -> bytes:
    """A packet: numbers become 16 bits, strings get their zero byte; for DATA the last part is the data as it is."""
    out = [struct.pack("!H", opcode)]
    for part in parts:
        if isinstance(part, int):
            out.append(struct.pack("!H", part & 0xFFFF))
        else:
            out.append(part if opcode is Opcode.DATA else part + b"\0")
    return b"".join(out)


def error(problem: Problem, text: str) -> bytes:
    """An ERROR packet."""
    return packet(Opcode.ERROR, problem, text.encode())


class TftpServer:
    """Serves `files`, by name; None among them is what must not be given away."""

    def __init__(self, files: Mapping[bytes, bytes | None]) -> None:
        self.files = files
        self._now = TftpState()

    def state(self) -> TftpState:
        """What `load_state` takes; nothing in it changes afterwards."""
        return self._now

    def load_state(self, state: TftpState) -> None:
        """Go on from a moment that `state` gave."""
        self._now = state

    def answer(self, datagram: Datagram) -> list[Datagram]:
        """The answers to one datagram: none or one."""
        payload, client, port = datagram.payload, datagram.source, datagram.destination.port
        if port == TFTP_PORT:
            tid, reply = self._request(client, payload)
        elif FIRST_TID <= port < FIRST_TID + TIDS:
            tid, reply = port, self._go_on(client, port, payload)
        else:
            return []
        if not reply:
            return []
        return [Datagram(Endpoint(datagram.destination.address, tid), client, reply)]

    # -- requests ---------------------------------------------------------------------------------------------

    def _request(self, client: Endpoint, payload: bytes) -> tuple[int, bytes]:
        """The port to answer from, and the answer to what came to port 69."""
        for transfer in self._now.transfers:
            if (transfer.client, transfer.request, transfer.block) == (client, payload, transfer.first):
                return transfer.tid, transfer.answer  # the first answer was lost
        tid = FIRST_TID + self._now.started % TIDS
        opcode = int.from_bytes(payload[:2], "big")
        if opcode == Opcode.ERROR:
            return tid, b""
        words = payload[2:].split(b"\0")
        if opcode not in (Opcode.RRQ, Opcode.WRQ) or len(words) < 3 or words[-1]:
            return tid, error(Problem.ILLEGAL, "a request is wanted: name, mode")
        if words[1].lower() != b"octet":
            return tid, error(Problem.NOT_DEFINED, "only the mode octet is served")
        name, options = words[0], _options(words[2:-1])
        refusal = self._refusal(name, opcode == Opcode.WRQ)
        if refusal:
            return tid, refusal
        return tid, self._begin(client, tid, payload, name, options)

    def _file(self, name: bytes) -> bytes | None:
        """What a client wrote under that name, or what the folder holds."""
        return dict(self._now.written).get(name, self.files.get(name))

    def _refusal(self, name: bytes, is_write: bool) -> bytes:
        if name.startswith(b"/") or b"\\" in name or b".." in name.split(b"/"):
            return error(Problem.ACCESS_VIOLATION, "the name leads out of the folder")
        if self._file(name) is not None:
            return b""
        if name in self.files:
            return error(Problem.ACCESS_VIOLATION, "this file is not given away")
        return b"" if is_write and name else error(Problem.NOT_FOUND, "there is no such file")

    def _begin(
        self, client: Endpoint, tid: int, request: bytes, name: bytes, options: dict[bytes, int]
    ) -> bytes:
        is_read = request[1] == Opcode.RRQ
        contents = (self._file(name) or b"") if is_read else b""
        block_bytes = min(options.get(b"blksize", DEFAULT_BLOCK_BYTES), MOST_BLOCK_BYTES)
        agreed: list[bytes] = []
        if b"blksize" in options:
            agreed += [b"blksize", b"%d" % block_bytes]
        if b"tsize" in options:
            agreed += [b"tsize", b"%d" % (len(contents) if is_read else options[b"tsize"])]
        first = 1 if is_read and not agreed else 0
        if agreed:
            answer = packet(Opcode.OACK, *agreed)
        else:
            answer = packet(Opcode.DATA, 1, contents[:block_bytes]) if is_read else packet(Opcode.ACK, 0)
        transfer = Transfer(client, tid, request, name, is_read, contents, block_bytes, first, answer, first)
        others = [t for t in self._now.transfers if t.tid != tid][-(MOST_TRANSFERS - 1) :]
        self._now = replace(self._now, transfers=(*others, transfer), started=self._now.started + 1)
        return answer

    # -- what follows a request -------------------------------------------------------------------------------

    def _go_on(self, client: Endpoint, tid: int, payload: bytes) -> bytes:
        opcode = int.from_bytes(payload[:2], "big")
        known = [t for t in self._now.transfers if t.client == client and t.tid == tid]
        if opcode == Opcode.ERROR:
            self._put(known, None)
            return b""
        if not known:
            return error(Problem.UNKNOWN_TID, "no transfer has this port")
        transfer = known[0]
        wanted = Opcode.ACK if transfer.is_read else Opcode.DATA
        if opcode != wanted or len(payload) < 4 or len(payload) > 4 + transfer.block_bytes:
            self._put(known, None)
            return error(Problem.ILLEGAL, f"{wanted.name} is wanted")
        number = int.from_bytes(payload[2:4], "big")
        if transfer.is_read:
            return self._acknowledged(transfer, number)
        return self._received(transfer, number, payload[4:])

    def _put(self, old: list[Transfer], new: Transfer | None) -> None:
        others = [t for t in self._now.transfers if t not in old]
        self._now = replace(self._now, transfers=(*others, *([new] if new else [])))

    def _acknowledged(self, transfer: Transfer, number: int) -> bytes:
        """An ACK of a file that is read: the next block, or the same again for the ACK before."""
        if number == (transfer.block - 1) & 0xFFFF and transfer.block:
            return transfer.answer
        if number != transfer.block & 0xFFFF:
            return b""
        if transfer.block and len(transfer.block_data(transfer.block)) < transfer.block_bytes:
            self._put([transfer], None)
            return b""
        block = transfer.block + 1
        answer = packet(Opcode.DATA, block, transfer.block_data(block))
        self._put([transfer], replace(transfer, block=block, answer=answer))
        return answer

    def _received(self, transfer: Transfer, number: int, data: bytes) -> bytes:
        """DATA of a file that is written: kept when its last block has come."""
        if number == transfer.block & 0xFFFF and transfer.block:
            return transfer.answer  # the ACK was lost
        if number != (transfer.block + 1) & 0xFFFF or transfer.is_done:
            return b""
        contents = transfer.contents + data
        written = dict(self._now.written)
        total = sum(len(c) for n, c in written.items() if n != transfer.name) + len(contents)
        if total > MOST_WRITTEN_BYTES or (
            len(written) == MOST_WRITTEN_FILES and transfer.name not in written
        ):
            self._put([transfer], None)
            return error(Problem.FULL, "there is no more room")
        answer = packet(Opcode.ACK, number)
        is_done = len(data) < transfer.block_bytes
        if is_done:
            written[transfer.name] = contents
            self._now = replace(self._now, written=tuple(sorted(written.items())))
            contents = b""
        new = replace(transfer, block=transfer.block + 1, contents=contents, answer=answer, is_done=is_done)
        self._put([transfer], new)
        return answer


def _options(words: list[bytes]) -> dict[bytes, int]:
    """The options that are known and make sense; all others are passed over, as RFC 2347 wants it."""
    found: dict[bytes, int] = {}
    for name, value in zip(words[::2], words[1::2], strict=False):
        name = name.lower()
        if name in found or not (value.isdigit() and len(value) < 10):
            continue
        if (name == b"blksize" and int(value) >= LEAST_BLOCK_BYTES) or name == b"tsize":
            found[name] = int(value)
    return found

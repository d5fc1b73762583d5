# SPDX-License-Identifier: GPL-2.0-or-later
"""The referee's network: QEMU with two cards whose wires end in sockets here."""

import select
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.kernel import MEMORY_MIB
from tests.helpers.qemu import arguments

MACS = {"eth0": "52:54:00:12:34:56", "eth1": "52:54:00:12:34:57"}
FRAME_MAX = 65536
SECONDS = 60.0
QUIET_SECONDS = 0.5
"""So long nothing must come before we believe that nothing will."""


def _in_real_time(words: list[str]) -> list[str]:
    """An idle guest waits with us: otherwise a minute of its time passes between two packets."""
    return [word.replace("sleep=off", "sleep=on") for word in words]


class QemuNetwork:
    """A running guest and the far ends of its two wires."""

    def __init__(self, process: subprocess.Popen[bytes], wires: dict[str, tuple[socket.socket, str]]) -> None:
        self.process = process
        self._wires = wires
        self._names = {wire.fileno(): name for name, (wire, _) in wires.items()}

    def send(self, card: str, frame: bytes) -> None:
        """Put a frame on a wire."""
        wire, far = self._wires[card]
        wire.sendto(frame, far)

    def receive(self, seconds: float = QUIET_SECONDS) -> Iterator[tuple[str, bytes]]:
        """The guest's frames, each with its card, until nothing comes for so long."""
        while ready := select.select(list(self._names), [], [], seconds)[0]:
            for wire in ready:
                yield self._names[wire], self._wires[self._names[wire]][0].recv(FRAME_MAX)

    def wait_for_console(self, text: bytes) -> bytes:
        """What the guest has printed, up to and including `text`."""
        assert self.process.stdout is not None
        console, end = b"", time.monotonic() + SECONDS
        while text not in console:
            assert time.monotonic() < end, console
            if select.select([self.process.stdout], [], [], 1.0)[0]:
                piece = self.process.stdout.read1(4096)  # pyright: ignore[reportAttributeAccessIssue]
                assert piece, console
                console += piece
        return console


@contextmanager
def qemu_with_network(command_line: str, folder: Path, memory_mib: int = MEMORY_MIB) -> Iterator[QemuNetwork]:
    """QEMU with eth0 in slot 1 and eth1 in slot 2; ended at the end of the block."""
    wires: dict[str, tuple[socket.socket, str]] = {}
    options: list[str] = []
    for slot, (card, mac) in enumerate(MACS.items(), start=1):
        near, far = str(folder / f"{card}.here"), str(folder / f"{card}.qemu")
        wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        wire.bind(near)
        wires[card] = (wire, far)
        options += [
            *(
                "-netdev",
                f"dgram,id={card},local.type=unix,local.path={far},remote.type=unix,remote.path={near}",
            ),
            *("-device", f"virtio-net-device,netdev={card},mac={mac},bus=virtio-mmio-bus.{slot}"),
        ]
    command = [*_in_real_time(arguments(command_line, memory_mib)), *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as process:
        try:
            yield QemuNetwork(process, wires)
        finally:
            process.kill()
            for wire, _ in wires.values():
                wire.close()

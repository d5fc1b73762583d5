# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine at the other end of eth1 that serves a folder by TFTP: `--peer tftp=DIR`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from emu.net.datagrams import arp_answer, ipv4, read_udp, write_udp
from emu.net.folder import read_folder
from emu.net.tftp import TftpServer, TftpState

ADDRESS: Final = ipv4("192.0.2.2")
MAC: Final = b"\x02\x00" + ADDRESS


class TftpPeer:
    """Answers ARP for 192.0.2.2 and TFTP to it; everything else is silence. A frame in, frames out."""

    name = "tftp"

    def __init__(self, files: Mapping[bytes, bytes | None]) -> None:
        """`files`: what `read_folder` gave."""
        self.server = TftpServer(files)

    @classmethod
    def of_folder(cls, folder: Path) -> "TftpPeer":
        """One that serves a folder, as it is now. FolderError."""
        return cls(read_folder(folder))

    def answer(self, frame: bytes) -> list[bytes]:
        """The frames that answer one that was sent on the wire."""
        arp = arp_answer(frame, MAC, ADDRESS)
        if arp is not None:
            return [arp]
        datagram = read_udp(frame, MAC)
        if datagram is None or datagram.destination.address != ADDRESS:
            return []
        return [write_udp(answer, MAC, frame[6:12]) for answer in self.server.answer(datagram)]

    def state(self) -> TftpState:
        """For a checkpoint."""
        return self.server.state()

    def load_state(self, state: TftpState) -> None:
        """Back to a moment that `state` gave."""
        self.server.load_state(state)

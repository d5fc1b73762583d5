# SPDX-License-Identifier: GPL-2.0-or-later
"""The peers that `--peer KIND=WHAT` puts on eth1, by kind.

A kind is a function that reads WHAT once, before the run, and gives a factory: each machine of the run (the one that
goes back, a fork) makes a peer of its own from it. NetError or FolderError, one line, if WHAT will not do. A peer sees
every frame that its card sends, ARP requests too; what it leaves unanswered the board's neighbourhood may answer.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from emu.devices.virtio_net import Peer
from emu.net.errors import NetError
from emu.net.folder import read_folder
from emu.net.tftp_peer import TftpPeer

PEER_CARD: Final = "eth1"
MakePeer = Callable[[], Peer]
PeerKind = Callable[[str], MakePeer]


def _tftp(folder: str) -> MakePeer:
    return partial(TftpPeer, read_folder(Path(folder)))


KINDS: Final[dict[str, PeerKind]] = {"tftp": _tftp}


def peer_factory(text: str) -> MakePeer:
    """The factory that `KIND=WHAT` asks for. NetError for an unknown kind, and what the kind refuses with."""
    kind, equals, what = text.partition("=")
    if not equals or not what or kind not in KINDS:
        known = ", ".join(f"{name}=..." for name in KINDS)
        raise NetError(
            f"peer {text!r}: no such thing; give one of {known} (tftp=DIR serves the files of DIR)"
        )
    return KINDS[kind](what)

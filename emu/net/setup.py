# SPDX-License-Identifier: GPL-2.0-or-later
"""From the words of an option to the cards of the board."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emu.devices.network import CARD_SLOTS, CardSetup, NetworkSetup
from emu.net.captures import in_step, read_capture
from emu.net.errors import NetError
from emu.net.peers import PEER_CARD, peer_factory

DEFAULT_CARD: Final = "eth0"
PACES: Final = ("pcap", "closed")


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """The cards, and the captures' base names by card."""

    setup: NetworkSetup
    captures: tuple[tuple[str, str], ...] = ()


def card_and_file(text: str) -> tuple[str, Path]:
    """(card, file) that `[CARD=]FILE` names. NetError if there is no file in it."""
    card, equals, name = text.partition("=")
    if not equals or card not in CARD_SLOTS:
        card, name = DEFAULT_CARD, text
    if not name:
        raise NetError(f"capture {text!r}: no file named; write [eth0=]FILE")
    return card, Path(name)


def by_card(texts: Sequence[str], what: str) -> dict[str, Path]:
    """Card -> file from several `[CARD=]FILE`. NetError if a card is named twice."""
    files: dict[str, Path] = {}
    for text in texts:
        card, path = card_and_file(text)
        if card in files:
            raise NetError(
                f"{what} {text}: {card} has {files[card]} already; give one file a card, eth1=FILE too"
            )
        files[card] = path
    return files


def network_request(
    net_in: Sequence[str] = (), pace: str = PACES[0], peers: Sequence[str] = (), stay_open: bool = False
) -> NetworkRequest:
    """Both cards, with what `net_in` ([CARD=]FILE) brings them, at that pace, and the peers (KIND=WHAT).

    `stay_open`: frames may come from elsewhere too, so links stay up when captures end. Bad input is a NetError.
    """
    if pace not in PACES:
        raise NetError(f"net pace {pace!r}: give one of {', '.join(PACES)}")
    captures = {card: read_capture(path) for card, path in by_card(net_in, "capture").items()}
    arrivals = in_step(captures)
    factories = tuple(peer_factory(text) for text in peers)
    cards = tuple(
        CardSetup(
            card,
            arrivals.get(card, ()),
            factories if card == PEER_CARD else (),
            stay_open,
        )
        for card in CARD_SLOTS
    )
    names = tuple((card, captures[card].name) for card in CARD_SLOTS if card in captures)
    return NetworkRequest(NetworkSetup(cards, pace == "closed"), names)

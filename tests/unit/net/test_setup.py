# SPDX-License-Identifier: GPL-2.0-or-later
"""From words to cards: which capture goes where, who is on the wire, and what is refused."""

from pathlib import Path

import pytest
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from emu.net.errors import NetError
from emu.net.folder import FolderError
from emu.net.peers import peer_factory
from emu.net.setup import card_and_file, network_request
from emu.net.tftp_peer import TftpPeer


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    wrpcap(str(tmp_path / "some=odd.pcap"), [Ether(bytes(60))])
    return tmp_path / "some=odd.pcap"


@pytest.mark.parametrize(
    ("text", "card", "name"),
    [
        ("a.pcap", "eth0", "a.pcap"),
        ("eth0=a.pcap", "eth0", "a.pcap"),
        ("eth1=a=b.pcap", "eth1", "a=b.pcap"),
        ("eth2=a.pcap", "eth0", "eth2=a.pcap"),
        ("some=odd.pcap", "eth0", "some=odd.pcap"),
    ],
)
def test_a_card_before_the_file_or_eth0(text: str, card: str, name: str) -> None:
    assert card_and_file(text) == (card, Path(name))


def test_both_cards_are_there_whoever_gets_a_capture(capture: Path) -> None:
    request = network_request([f"eth1={capture}"], "closed")
    eth0, eth1 = request.setup.cards
    assert ((eth0.name, eth0.capture), eth1.name, len(eth1.capture)) == (("eth0", ()), "eth1", 1)
    assert request.setup.closed and not eth0.open
    assert request.captures == (("eth1", "some=odd.pcap"),)


def test_every_machine_gets_a_peer_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    request = network_request(peers=[f"tftp={tmp_path}"])
    eth0, eth1 = request.setup.cards
    assert eth0.peers == ()
    (make,) = eth1.peers
    assert isinstance(make(), TftpPeer) and make() is not make()


def test_what_cannot_be_is_said_in_one_line(capture: Path, tmp_path: Path) -> None:
    for call, words in (
        (lambda: network_request([str(capture), f"eth0={capture}"]), "eth0 has"),
        (lambda: network_request([""]), "no file named"),
        (lambda: network_request(["eth1="]), "no file named"),
        (lambda: network_request(pace="fast"), "pcap, closed"),
        (lambda: peer_factory("nfs=x"), "tftp="),
        (lambda: peer_factory("tftp"), "tftp="),
        (lambda: peer_factory("tftp="), "tftp="),
    ):
        with pytest.raises(NetError, match=words) as refusal:
            call()
        assert "\n" not in str(refusal.value)
    with pytest.raises(FolderError):
        peer_factory(f"tftp={tmp_path / 'missing'}")

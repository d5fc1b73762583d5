# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames into a guest's cards, one when it has nothing else to do, and what became of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from emu.devices.network import CardSetup, NetworkSetup
from emu.devices.virtio_net import Arrival
from emu.events import DmaDone, Event, Marked
from emu.lesson.boot import BootRequest, boot
from emu.lesson.files import GuestFile
from emu.machine import Ending, Machine
from emu.net.setup import NetworkRequest

ETH0, ETH1 = "52:54:00:12:34:56", "52:54:00:12:34:57"
INSIDE, OUTSIDE, GATEWAY = "10.0.0.1", "192.0.2.1", "192.0.2.254"
HOST, FAR = "10.0.0.2", "203.0.113.9"
BUDGET = 60_000_000
SENT, DELIVERED, DROPPED = 0, 1, 2
ARP_FRAME_BYTES = 42
REASONS = (
    "SHORT NOT_FOR_US ETHER_TYPE ARP IP_VERSION IP_HEADER IP_LENGTH IP_CHECKSUM TTL NO_ROUTE NO_NEIGHBOUR FRAGMENT "
    "PROTOCOL ICMP UDP TCP PORT RULE REJECTED QUEUE_FULL DEADLINE DEAD CHANGED NAT RING_FULL NO_MEMORY SOURCE"
).split()


@dataclass
class Fate:
    """A packet from its beginning to its end."""

    interface: int
    length: int
    time: int
    verdicts: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    end: int | None = None

    def __str__(self) -> str:
        if self.end is None:
            return "alive"
        return ("sent", "delivered")[self.end] if self.end < DROPPED else REASONS[self.end - DROPPED]


@dataclass
class Outcome:
    """A run: what was sent, and what the kernel told about each packet."""

    machine: Machine
    sent: list[tuple[str, bytes]]
    fates: dict[int, Fate]
    dma: list[DmaDone]
    offered: list[int]
    """For each frame sent how many had been offered by then."""

    @property
    def lines(self) -> list[str]:
        """The console."""
        return bytes(self.machine.console).decode().splitlines()

    def packets(self, card: str | None = None) -> list[Any]:
        """The IPv4 packets that were sent, in their order, ARP left out."""
        frames = [Ether(frame) for name, frame in self.sent if card in (None, name)]
        return [frame[IP] for frame in frames if IP in frame]

    def arrivals(self) -> list[str]:
        """What became of each packet that came in by a card; what was delivered with ARP's length is left out."""
        came = [fate for fate in self.fates.values() if fate.interface]
        return [str(fate) for fate in came if (fate.end, fate.length) != (DELIVERED, ARP_FRAME_BYTES)]


def inside(dst: str = INSIDE, src: str = HOST, **fields: Any) -> Any:
    """The front of a frame from a host inside."""
    return Ether(src="02:00:0a:00:00:02", dst=ETH0) / IP(src=src, dst=dst, **fields)


def outside(dst: str = OUTSIDE, src: str = FAR, **fields: Any) -> Any:
    """The front of a frame from the outer gateway."""
    return Ether(src="02:00:c0:00:02:fe", dst=ETH1) / IP(src=src, dst=dst, **fields)


def run(
    frames: Sequence[tuple[str, Packet | bytes] | Packet | bytes],
    program: str = "netstat",
    arguments: Iterable[str] = (),
    times: Sequence[float] | None = None,
    prepare: Callable[[Machine], object] | None = None,
    memory_mib: int = 32,
    closed: bool = True,
    rules: str = "",
    **switches: str,
) -> Outcome:
    """A guest that gets the frames (those without a card come in by eth0), `times` seconds old; one at a time if
    `closed`, else at those times. With `rules` the program is the firewall."""
    captures: dict[str, list[Arrival]] = {"eth0": [], "eth1": []}
    for number, entry in enumerate(frames):
        card, packet = entry if isinstance(entry, tuple) else ("eth0", entry)
        stamp = int(times[number] * 1_000_000) if times else 1 + number
        captures[card].append(Arrival(stamp * 100, stamp, bytes(packet)))
    cards = tuple(CardSetup(card, tuple(arrivals)) for card, arrivals in captures.items())
    words = tuple((name.replace("__", "."), value) for name, value in switches.items())
    files = (GuestFile("rules.txt", rules.encode()),) if rules else ()
    request = BootRequest(
        "firewall" if rules else program,
        ("rules.txt",) if rules else tuple(arguments),
        files=files,
        switches=words,
        memory_mib=memory_mib,
        network=NetworkRequest(NetworkSetup(cards, closed)),
    )
    machine = boot(request, keep_history=False).machine
    outcome = Outcome(machine, [], {}, [], [])
    machine.sent_listeners.append(lambda card, clock, frame: _note_sent(outcome, card, frame))
    machine.journal.observers.append(lambda event: _note(outcome, event))
    if prepare:
        prepare(machine)
    machine.run(BUDGET)
    assert machine.ended is not None, outcome.lines
    assert machine.ended.ending is Ending.EXITED, (machine.ended, outcome.lines)
    assert not [line for line in outcome.lines if line.startswith("0: leak")]
    return outcome


def _note_sent(outcome: Outcome, card: str, frame: bytes) -> None:
    outcome.sent.append((card, frame))
    outcome.offered.append(sum(card.next_frame for card in outcome.machine.network.cards.values()))


def _note(outcome: Outcome, event: Event) -> None:
    if isinstance(event, DmaDone):
        outcome.dma.append(event)
    if not isinstance(event, Marked) or event.name not in ("packet_in", "verdict", "packet_end"):
        return
    values = [int(value) for value in event.arguments.values()]
    number = values[0]
    if event.name == "packet_in":
        assert number not in outcome.fates, f"packet {number} begins twice"
        outcome.fates[number] = Fate(*values[1:4])
    elif event.name == "verdict":
        outcome.fates[number].verdicts.append((values[1], values[2]))
    else:
        assert outcome.fates[number].end is None, f"packet {number} ends twice"
        outcome.fates[number].end = values[1]


def is_sound(packet: Any) -> bool:
    """Whether scapy would give the packet the very checksums it has."""
    fresh = IP(bytes(packet))
    layer = fresh
    for kind in (IP, ICMP, UDP, TCP):
        if kind in fresh and (kind is IP or layer.payload is fresh[kind]):
            if kind is UDP and not fresh[UDP].chksum:
                continue
            del fresh[kind].chksum
    return bytes(fresh) == bytes(packet)


def arp_answer(frame: bytes) -> bytes | None:
    """What the board's neighbourhood says to an ARP request; None to anything else."""
    packet = Ether(frame)
    if ARP not in packet or packet[ARP].op != 1:
        return None
    asked = packet[ARP].pdst
    mac = "02:00:" + ":".join(f"{int(part):02x}" for part in asked.split("."))
    answer = ARP(op=2, hwsrc=mac, psrc=asked, hwdst=packet.src, pdst=packet[ARP].psrc)
    return bytes(Ether(src=mac, dst=packet.src) / answer)

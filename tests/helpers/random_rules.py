# SPDX-License-Identifier: GPL-2.0-or-later
"""Random rule files and random packets, from pools so small that packets meet the rules that are about them."""

from ipaddress import IPv4Address
from random import Random

from tests.helpers.iptables import BUILT_IN

ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.1.7", "10.9.0.1", "192.0.2.1", "198.51.100.7", "203.0.113.200"]
NETWORKS = [*ADDRESSES, "10.0.0.0/24", "10.0.0.0/8", "192.0.2.0/255.255.255.0", "128.0.0.0/1", "0.0.0.0/0"]
PORTS = [0, 22, 53, 80, 443, 1023, 1024, 5000, 65535]
PORT_WORDS = ["22", "53", "80:443", ":1023", "1024:", "5000", "0:65535", "65535"]
FLAG_WORDS = ["SYN,ACK SYN", "ALL NONE", "FIN,URG,PSH FIN", "ALL ALL", "ACK ACK", "RST NONE"]
ICMP_WORDS = ["0", "8", "3", "3/1", "3/3", "11/0", "5"]
OTHER_PROTOCOLS = ["2", "47", "255"]
KERNEL_TARGETS = ["ACCEPT", "DROP", "DENY", "REJECT", "FORWARD", "MASQUERADE"]
REJECTS = ["icmp-net-unreachable", "icmp-host-prohibited", "icmp-admin-prohibited"]

HOOKS_OF = {
    "REJECT": ("INPUT", "FORWARD", "OUTPUT"),
    "FORWARD": ("PREROUTING", "FORWARD"),
    "MASQUERADE": ("POSTROUTING",),
}


def _not(random: Random) -> str:
    return "! " if random.random() < 0.25 else ""


def _matches(random: Random, chain: str) -> str:
    """The matches of one rule; some have none."""
    words: list[str] = []
    kind = random.choice(["", "", "tcp", "tcp", "udp", "udp", "icmp", "icmp", "other"])
    if random.random() < 0.3:
        words.append(f"{_not(random)}-s {random.choice(NETWORKS)}")
    if random.random() < 0.3:
        words.append(f"{_not(random)}-d {random.choice(NETWORKS)}")
    if random.random() < 0.2 and chain not in ("OUTPUT", "POSTROUTING"):
        words.append(f"{_not(random)}-i {random.choice(['eth0', 'eth1', 'eth+'])}")
    if random.random() < 0.2 and chain not in ("INPUT", "PREROUTING"):
        words.append(f"{_not(random)}-o {random.choice(['eth0', 'eth1', 'eth+'])}")
    if random.random() < 0.15:
        words.append(f"{_not(random)}-f")
    if kind == "other":
        words.append(f"{_not(random)}-p {random.choice(OTHER_PROTOCOLS)}")
    elif kind and random.random() < 0.2:
        words.append(f"{_not(random)}-p {kind}")
    elif kind:
        words.append(f"-p {kind}")
        words += _transport(random, kind)
    return " ".join(words)


def _transport(random: Random, kind: str) -> list[str]:
    words: list[str] = [f"-m {kind}"] if random.random() < 0.4 else []
    if kind == "icmp":
        return [*words, f"{_not(random)}--icmp-type {random.choice(ICMP_WORDS)}"]
    if random.random() < 0.4:
        words.append(f"{_not(random)}--sport {random.choice(PORT_WORDS)}")
    if random.random() < 0.6:
        words.append(f"{_not(random)}--dport {random.choice(PORT_WORDS)}")
    if kind == "tcp" and random.random() < 0.4:
        flags = "--syn" if random.random() < 0.5 else f"--tcp-flags {random.choice(FLAG_WORDS)}"
        words.append(f"{_not(random)}{flags}")
    return words


def _target(random: Random, hooks: set[str], later: list[str], targets: list[str], ports: bool) -> str:
    choice = random.random()
    if choice < 0.1:
        return ""
    if choice < 0.25:
        return "-j RETURN"
    if choice < 0.5 and later:
        return f"-j {random.choice(later)}"
    fitting = [name for name in targets if hooks <= set(HOOKS_OF.get(name, BUILT_IN))]
    target = random.choice(fitting)
    if target == "REJECT" and random.random() < 0.5:
        return f"-j REJECT --reject-with {random.choice(REJECTS)}"
    if target == "FORWARD" and random.random() < 0.5:
        return f"-j FORWARD --to {random.choice(['eth0', 'eth1'])}"
    if target == "MASQUERADE" and ports and random.random() < 0.5:
        return f"-j MASQUERADE --to-ports {random.choice(['1024-2047', '5000'])}"
    return f"-j {target}"


def random_rules(random: Random, hook: str, targets: list[str] = KERNEL_TARGETS, most: int = 10) -> str:
    """A rule file for one hook: its chain, a few chains of one's own in any order, each jumping to later ones."""
    own = [f"chain{number}" for number in range(random.randrange(5))]
    lines: list[str] = []
    for number, chain in enumerate([hook, *own]):
        for _ in range(random.randrange(most + 1)):
            matches = _matches(random, chain if chain == hook else "")
            ports = "-p tcp" in matches.replace("! -p", "") or "-p udp" in matches.replace("! -p", "")
            target = _target(random, {hook}, own[number:], targets, ports)
            lines.append(" ".join(f"-A {chain} {matches} {target}".split()))
    if own:
        random.shuffle(lines)
    head = [f"-P {hook} {random.choice(['ACCEPT', 'DROP'])}", *(f"-N {name}" for name in own)]
    return "\n".join([*head, *lines]) + "\n"


def checksum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes."""
    total = sum(int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def random_packet(random: Random) -> bytes:
    """An IPv4 packet with a right header; what is behind it may be anything, or cut off."""
    protocol = random.choice([1, 1, 6, 6, 6, 17, 17, 17, 2, 255])
    options = bytes(4 * random.choice([0, 0, 0, 1, 10]))
    payload = _payload(random, protocol)
    fragment = 0
    if random.random() < 0.2:
        fragment = random.choice([0x2000, 0x2001, 1, 2, 0x2010, 0x1FF0])
    if random.random() < 0.1:
        payload = payload[: random.randrange(len(payload))]
    fragment &= ~0x1FFF if len(payload) % 8 and fragment & 0x2000 else 0xFFFF
    length = 20 + len(options) + len(payload)
    source, destination = (IPv4Address(random.choice(ADDRESSES)).packed for _ in range(2))
    header = bytearray([0x45 + len(options) // 4, 0, *length.to_bytes(2), *random.randbytes(2)])
    header += (
        fragment.to_bytes(2) + bytes([random.choice([1, 64, 255]), protocol, 0, 0]) + source + destination
    )
    header += options
    header[10:12] = checksum(header).to_bytes(2)
    return bytes(header) + payload


def _payload(random: Random, protocol: int) -> bytes:
    ports = b"".join(random.choice(PORTS).to_bytes(2) for _ in range(2))
    if protocol == 6:
        rest = random.randbytes(8) + bytes([0x50, random.choice([2, 18, 16, 17, 4, 0, 63, 41])])
        return ports + rest + random.randbytes(6 + random.randrange(8))
    if protocol == 17:
        return ports + random.randbytes(4 + random.randrange(12))
    if protocol == 1:
        return bytes([random.choice([0, 3, 5, 8, 11]), random.choice([0, 1, 3])]) + random.randbytes(6)
    return random.randbytes(1 + random.randrange(24))

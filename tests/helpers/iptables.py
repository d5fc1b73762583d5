# SPDX-License-Identifier: GPL-2.0-or-later
"""A second evaluator of rule files, written from what iptables(8) and iptables-extensions(8) say.

It shares nothing with the guest's: it reads the text by itself, keeps rules as words, and asks each packet's bytes
anew. Where the manual is silent the kernel's own modules are the source: xt_tcpudp drops a packet whose header it has
to read and cannot, and a TCP fragment that would lie over the flags of the header.
"""

import shlex
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

BUILT_IN = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}
REJECT_CODES = {
    "icmp-net-unreachable": 0,
    "icmp-host-unreachable": 1,
    "icmp-proto-unreachable": 2,
    "icmp-port-unreachable": 3,
    "icmp-net-prohibited": 9,
    "icmp-host-prohibited": 10,
    "icmp-admin-prohibited": 13,
}
ARGUMENTS = {"--tcp-flags": 2, "-f": 0, "--syn": 0}
HEADER_BYTES = {1: 8, 6: 20, 17: 8}

Verdict = tuple[str, int, int, int]
"""The target, its detail (reject code, interface), the lowest and the highest port."""


class Dropped(Exception):
    """A match could not look at what it had to."""


@dataclass
class PacketView:
    """An IPv4 packet as the manual speaks of it."""

    data: bytes
    card_in: str
    card_out: str

    @property
    def offset(self) -> int:
        return int.from_bytes(self.data[6:8]) & 0x1FFF

    @property
    def protocol(self) -> int:
        return self.data[9]

    def address(self, at: int) -> IPv4Address:
        return IPv4Address(self.data[at : at + 4])

    def transport(self) -> bytes | None:
        """The whole header behind the IP header; None in a fragment that is not the first."""
        if self.offset:
            if self.offset == 1 and self.protocol == PROTOCOLS["tcp"]:
                raise Dropped
            return None
        header = self.data[(self.data[0] & 15) * 4 :]
        if len(header) < HEADER_BYTES[self.protocol]:
            raise Dropped
        return header


@dataclass
class Match:
    option: str
    words: list[str]
    inverted: bool


@dataclass
class IptablesRule:
    line: int
    ip: list[Match] = field(default_factory=list)
    transport: list[Match] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    target: str = ""
    options: dict[str, str] = field(default_factory=dict)


def _port_range(word: str, separator: str = ":") -> tuple[int, int]:
    low, colon, high = word.partition(separator)
    first = int(low or 0)
    return first, (int(high or 65535) if colon else first)


def _holds(match: Match, packet: PacketView) -> bool:
    word = match.words[0] if match.words else ""
    match match.option:
        case "-p":
            return packet.protocol == (PROTOCOLS.get(word) or int(word))
        case "-s":
            return packet.address(12) in IPv4Network(word, strict=False)
        case "-d":
            return packet.address(16) in IPv4Network(word, strict=False)
        case "-i" | "-o":
            card = packet.card_in if match.option == "-i" else packet.card_out
            return card.startswith(word[:-1]) if word.endswith("+") else card == word
        case "-f":
            return packet.offset != 0
        case other:
            raise NotImplementedError(other)


def _transport_holds(match: Match, header: bytes) -> bool:
    word = match.words[0] if match.words else ""
    match match.option:
        case "--sport" | "--dport":
            low, high = _port_range(word)
            at = 0 if match.option == "--sport" else 2
            return low <= int.from_bytes(header[at : at + 2]) <= high
        case "--syn":
            return header[13] & 0b10111 == 0b00010
        case "--tcp-flags":
            mask, flags = (sum({FLAGS[name] for name in word.split(",")}) for word in match.words)
            return header[13] & mask == flags
        case "--icmp-type":
            kind, slash, code = word.partition("/")
            return header[0] == int(kind) and (not slash or header[1] == int(code))
        case other:
            raise NotImplementedError(other)


class Iptables:
    """The chains of a rule file that is right, and what they have counted."""

    def __init__(self, text: str) -> None:
        self.chains: dict[str, list[IptablesRule]] = {name: [] for name in BUILT_IN}
        self.policies = dict.fromkeys(BUILT_IN, "ACCEPT")
        self.packets: Counter[int] = Counter()
        self.bytes: Counter[int] = Counter()
        self.policy_packets: Counter[str] = Counter()
        for number, line in enumerate(text.splitlines(), 1):
            words = shlex.split(line, comments=True)
            if words:
                self._command(number, words)

    def _command(self, number: int, words: list[str]) -> None:
        match words:
            case ["-P", chain, policy]:
                self.policies[chain] = policy
            case ["-N", chain]:
                self.chains.setdefault(chain, [])
            case ["-A", chain, *rest]:
                self.chains.setdefault(chain, []).append(_read_rule(number, rest))
            case other:
                raise NotImplementedError(other)

    def judge(self, hook: str, data: bytes, card_in: str = "", card_out: str = "") -> Verdict:
        """What becomes of a packet, as (target, detail, lowest port, highest port)."""
        packet = PacketView(data, card_in, card_out)
        try:
            verdict = self._traverse(hook, packet)
        except Dropped:
            return ("DROP", 0, 0, 0)
        if verdict is None:
            self.policy_packets[hook] += 1
            return (self.policies[hook], 0, 0, 0)
        return verdict

    def _traverse(self, chain: str, packet: PacketView) -> Verdict | None:
        for rule in self.chains[chain]:
            if not _rule_matches(rule, packet):
                continue
            self.packets[rule.line] += 1
            self.bytes[rule.line] += len(packet.data)
            if rule.target == "RETURN":
                return None
            if rule.target in self.chains and rule.target not in BUILT_IN:
                verdict = self._traverse(rule.target, packet)
                if verdict:
                    return verdict
            elif rule.target:
                return _verdict(rule)
        return None


def _read_rule(number: int, words: list[str]) -> IptablesRule:
    rule = IptablesRule(number)
    inverted = False
    while words:
        option = words.pop(0)
        if option == "!":
            inverted = True
            continue
        count = ARGUMENTS.get(option, 1)
        arguments, words = words[:count], words[count:]
        if option == "-j":
            rule.target = arguments[0]
        elif option == "-m":
            rule.modules.append(arguments[0])
        elif option in ("--reject-with", "--to", "--to-ports"):
            rule.options[option] = arguments[0]
        elif option in ("-p", "-s", "-d", "-i", "-o", "-f"):
            rule.ip.append(Match(option, arguments, inverted))
        else:
            rule.transport.append(Match(option, arguments, inverted))
        inverted = False
    return rule


def _rule_matches(rule: IptablesRule, packet: PacketView) -> bool:
    if any(_holds(match, packet) == match.inverted for match in rule.ip):
        return False
    if not rule.transport and not rule.modules:
        return True
    header = packet.transport()
    return header is not None and all(
        _transport_holds(match, header) != match.inverted for match in rule.transport
    )


def _verdict(rule: IptablesRule) -> Verdict:
    match rule.target:
        case "REJECT":
            return ("REJECT", REJECT_CODES[rule.options.get("--reject-with", "icmp-port-unreachable")], 0, 0)
        case "FORWARD":
            return ("FORWARD", {"eth0": 1, "eth1": 2}.get(rule.options.get("--to", ""), 0), 0, 0)
        case "MASQUERADE":
            ports = rule.options.get("--to-ports")
            return ("MASQUERADE", 0, *(_port_range(ports, "-") if ports else (0, 0)))
        case "DENY":
            return ("DROP", 0, 0, 0)
        case target:
            return (target, 0, 0, 0)

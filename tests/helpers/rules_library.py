# SPDX-License-Identifier: GPL-2.0-or-later
"""The firewall's rule language and evaluator, compiled for this machine and called directly.

The same C files run in the guest, on both sides of the ring. Here they answer a hundred thousand times a second.
"""

import ctypes
import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

GUEST = Path(__file__).resolve().parents[2] / "guest"
FIREWALL = GUEST / "user" / "firewall"
SOURCES = [
    GUEST / "common" / "rules.c",
    GUEST / "common" / "rules_check.c",
    FIREWALL / "reader.c",
    FIREWALL / "numbers.c",
    FIREWALL / "rule_file.c",
    FIREWALL / "rule_matches.c",
    FIREWALL / "rule_target.c",
    FIREWALL / "targets.c",
]
HEADERS = [GUEST / "common" / "rules.h", GUEST / "include" / "network.h", GUEST / "user" / "ulib.h"]
SAY = "void say(const char *format, ...) { (void)format; }\n"
# Any undefined behaviour ends the process at once.
FLAGS = ["-shared", "-fPIC", "-O1", "-std=gnu17", "-fsanitize=undefined", "-fsanitize-trap=undefined"]

PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)
DROP, ACCEPT, REJECT, FORWARD_TARGET, MASQUERADE = range(5)

Verdict = ctypes.c_uint64


class Rule(ctypes.Structure):
    _fields_ = [
        ("matches", ctypes.c_uint32),
        ("inverted", ctypes.c_uint32),
        ("source", ctypes.c_uint32),
        ("source_mask", ctypes.c_uint32),
        ("destination", ctypes.c_uint32),
        ("destination_mask", ctypes.c_uint32),
        ("source_port", ctypes.c_uint16 * 2),
        ("destination_port", ctypes.c_uint16 * 2),
        *[
            (name, ctypes.c_uint8)
            for name in "card_in card_out protocol icmp_type icmp_code tcp_mask tcp_flags action".split()
        ],
        ("chain", ctypes.c_uint16),
        ("line", ctypes.c_uint16),
        ("reserved", ctypes.c_uint32),
        ("verdict", ctypes.c_uint64),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
    ]


class Chain(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char * 24),
        ("first", ctypes.c_uint16),
        ("count", ctypes.c_uint16),
        ("policy", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8 * 3),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
    ]


class RuleSet(ctypes.Structure):
    _fields_ = [
        ("magic", ctypes.c_uint32),
        ("chain_count", ctypes.c_uint16),
        ("rule_count", ctypes.c_uint16),
        ("chains", Chain * 32),
        ("rules", Rule * 256),
    ]


class Facts(ctypes.Structure):
    _fields_ = [
        ("source", ctypes.c_uint32),
        ("destination", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
        *[
            (name, ctypes.c_uint8)
            for name in "protocol card_in card_out icmp_type icmp_code tcp_flags".split()
        ],
        ("is_fragment", ctypes.c_bool),
        ("overlaps", ctypes.c_bool),
        ("has_ports", ctypes.c_bool),
        ("source_port", ctypes.c_uint16),
        ("destination_port", ctypes.c_uint16),
    ]


class PacketAtHand(ctypes.Structure):
    _fields_ = [
        ("bytes", ctypes.c_void_p),
        ("length", ctypes.c_uint32),
        ("is_changed", ctypes.c_bool),
        ("facts", Facts),
    ]


class RuleError(ctypes.Structure):
    _fields_ = [("line", ctypes.c_uint), ("text", ctypes.c_char * 200)]


@dataclass(eq=False)
class BadRules(Exception):
    """A rule file was refused: the line (0: the whole file) and the words."""

    line: int
    text: str


def build_library(folder: Path) -> Path:
    """The shared library in `folder`, compiled if the sources have changed since."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in [*SOURCES, *HEADERS, *FIREWALL.glob("*.h")]:
        digest.update(path.read_bytes())
    library = folder / f"rules-{digest.hexdigest()[:16]}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(prefix="pagewalk-rules-") as scratch:
            stub, output = Path(scratch) / "say.c", Path(scratch) / "rules.so"
            stub.write_text(SAY)
            command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *map(str, SOURCES), str(stub)]
            subprocess.run([*command, "-o", str(output)], check=True, cwd=scratch, capture_output=True)
            partial = library.with_suffix(f".{Path(scratch).name}")
            shutil.copyfile(output, partial)
            partial.replace(library)
    return library


class Rules:
    """A rule set, made from the text of a rule file."""

    def __init__(self, library: ctypes.CDLL, text: str | bytes) -> None:
        self.library = library
        self.set = RuleSet()
        error = RuleError()
        data = text.encode() if isinstance(text, str) else text
        # Ends where its memory ends, not in a zero byte.
        buffer = (ctypes.c_char * len(data)).from_buffer_copy(data) if data else None
        if library.rules_parse(
            ctypes.byref(self.set), buffer, ctypes.c_size_t(len(data)), ctypes.byref(error)
        ):
            raise BadRules(error.line, error.text.decode())

    def check(self, size: int | None = None) -> str | None:
        """What is wrong with the set as it is now, in words."""
        self.library.rules_check.restype = ctypes.c_char_p
        self.library.rules_bytes.restype = ctypes.c_size_t
        size = self.library.rules_bytes(ctypes.byref(self.set)) if size is None else size
        words = self.library.rules_check(ctypes.byref(self.set), ctypes.c_size_t(size))
        return words.decode() if words else None

    def facts(self, packet: bytes, card_in: int = 0, card_out: int = 0) -> Facts:
        """What the matches look at."""
        facts = Facts()
        self.library.rules_read_packet(ctypes.byref(facts), packet, len(packet), card_in, card_out)
        return facts

    def judge(self, hook: int, packet: bytes, card_in: int = 0, card_out: int = 0) -> int:
        """The verdict's word for an IPv4 packet, without user-defined targets."""
        facts = self.facts(packet, card_in, card_out)
        self.library.rules_judge.restype = Verdict
        return self.library.rules_judge(ctypes.byref(self.set), hook, ctypes.byref(facts), None, None)

    def judge_in_program(
        self, hook: int, packet: bytes, card_in: int = 0, card_out: int = 0
    ) -> tuple[int, bytes]:
        """The same with the program's own targets; the packet as they left it."""
        buffer = (ctypes.c_char * len(packet)).from_buffer_copy(packet)
        hand = PacketAtHand()
        self.library.packet_at_hand_read(
            ctypes.byref(hand),
            buffer,
            ctypes.c_uint32(len(packet)),
            ctypes.c_uint64(card_in),
            ctypes.c_uint64(card_out),
        )
        self.library.rules_judge.restype = Verdict
        facts = ctypes.byref(hand, PacketAtHand.facts.offset)
        verdict = self.library.rules_judge(
            ctypes.byref(self.set), hook, facts, self.library.run_user_target, ctypes.byref(hand)
        )
        return verdict, bytes(buffer)

    def counted(self) -> list[tuple[int, int, int]]:
        """Line, packets and bytes of each rule that has matched."""
        rules = self.set.rules[: self.set.rule_count]
        return sorted((rule.line, rule.packets, rule.bytes) for rule in rules if rule.packets)

    def policies(self) -> list[tuple[int, int]]:
        """Packets and bytes that came to the policy, by hook."""
        return [(chain.packets, chain.bytes) for chain in self.set.chains[:5]]

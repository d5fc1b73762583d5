# SPDX-License-Identifier: GPL-2.0-or-later
"""The real iptables, in a network namespace of its own: rules go in, packets go by, counters come out.

It is the legacy one, whose semantics these are; the one on top of nftables refuses `! -i eth+`.

Run as a program inside `unshare --net`: cases as JSON on stdin, one list of counters a case on stdout. Packets come
from two tun devices with the names of the guest's cards, and meet the rules in the raw table's PREROUTING, where
fragments are still fragments.
"""

import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path

CARDS = ("eth0", "eth1")
TUNSETIFF, IFF_TUN, IFF_NO_PI, SIOCSIFFLAGS, IFF_UP = 0x400454CA, 1, 0x1000, 0x8914, 1
Case = tuple[str, list[tuple[int, str]]]
"""A rule file, and packets: the number of the card, and the bytes in hexadecimal."""
Counters = dict[str, list[tuple[int, int]]]
"""For each chain the packets and bytes of its rules, in their order."""


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), IFF_UP))
    return device


def restorable(text: str) -> str:
    """A rule file of PREROUTING as iptables-restore wants it, chains first."""
    chains, rules = [], []
    for line in text.splitlines():
        words = line.split()
        if words[0] == "-P":
            chains.insert(0, f":PREROUTING {words[2]} [0:0]")
        elif words[0] == "-N":
            chains.append(f":{words[1]} - [0:0]")
        else:
            rules.append(line)
    return "\n".join(["*raw", *chains, *rules, "COMMIT", ""])


def _counters() -> Counters:
    saved = subprocess.run(
        ["iptables-legacy-save", "-c", "-t", "raw"], check=True, capture_output=True, text=True
    ).stdout
    found: Counters = {}
    for packets, octets, chain in re.findall(r"^\[(\d+):(\d+)\] -A (\S+)", saved, re.MULTILINE):
        found.setdefault(chain, []).append((int(packets), int(octets)))
    policy = re.search(r"^:PREROUTING \S+ \[(\d+):(\d+)\]", saved, re.MULTILINE)
    assert policy
    found["policy"] = [(int(policy[1]), int(policy[2]))]
    return found


def _main() -> None:
    cases: list[Case] = json.load(sys.stdin)
    devices = [_tun(name) for name in CARDS]
    results: list[Counters] = []
    for text, packets in cases:
        for word in ("-F", "-X"):
            subprocess.run(["iptables-legacy", "-t", "raw", word], check=True, capture_output=True)
        subprocess.run(
            ["iptables-legacy-restore"], input=restorable(text), text=True, check=True, capture_output=True
        )
        for card, data in packets:
            os.write(devices[card - 1], bytes.fromhex(data))
        results.append(_counters())
    json.dump(results, sys.stdout)


def _in_namespace(*command: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--net", *command], input=given, capture_output=True, text=True, check=False, timeout=120
    )


@cache
def why_not() -> str:
    """Why the real iptables cannot be asked here; empty if it can."""
    for tool in ("iptables-legacy", "iptables-legacy-restore", "iptables-legacy-save", "unshare"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun to bring packets in by"
    tried = _in_namespace("iptables-legacy", "-t", "raw", "-L", "-n")
    return (
        ""
        if not tried.returncode
        else f"iptables does not work in a network namespace: {tried.stderr[:100]!r}"
    )


def ask(cases: list[Case]) -> list[Counters]:
    """What the kernel of this machine counts. Raises AssertionError with its words if it refuses something."""
    result = _in_namespace(sys.executable, __file__, given=json.dumps(cases))
    assert not result.returncode, result.stderr
    return json.loads(result.stdout)


if __name__ == "__main__":
    _main()

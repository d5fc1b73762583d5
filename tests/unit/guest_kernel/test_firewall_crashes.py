# SPDX-License-Identifier: GPL-2.0-or-later
"""The firewall's program goes wrong at every point of a packet's life, on every path.

The kernel lives, pages come back, and what passes is what the policy says.
"""

import pytest
from scapy.layers.inet import ICMP, UDP

from tests.helpers.network import FAR, Outcome, inside, run

HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
STRUCK = {
    "fault": "DEAD",
    "exit": "DEAD",
    "killed": "DEAD",
    "hang": "DEADLINE",
    "late": "DEADLINE",
    "lie": "CHANGED",
}
PATHS = ("copy", "ukshm", "ring")
GOOD = {"sent", "delivered"}


def crash(path: str, mode: str, hook: str, dead: str = "deny") -> Outcome:
    ping = [inside(id=n) / ICMP(seq=n) / b"ping" for n in (1, 2)]
    through = [inside(FAR, id=n) / UDP(sport=1000 + n, dport=53) / b"hello" for n in (3, 4)]
    frames = [ping[0], through[0], ping[1], through[1]]
    arguments = [mode, str(HOOKS.index(hook))]
    outcome = run(frames, "mortal", arguments, firewall__path=path, firewall__dead=dead)
    assert "2: self-check: 0 findings" in outcome.lines
    assert all(fate.end is not None for fate in outcome.fates.values())
    return outcome


def check_policy(path: str, mode: str, hook: str) -> None:
    fates = [str(fate) for fate in crash(path, mode, hook).fates.values()]
    reason = STRUCK[mode]
    assert reason in fates
    assert set(fates) <= GOOD | {reason}
    if reason == "DEAD":  # nothing passes from there on
        assert fates[-1] == "DEAD"
    elif reason == "CHANGED" or mode == "late":  # one packet paid for it, and the next pass again
        assert fates.count(reason) == 1 and fates[-1] in GOOD


QUICK = [("ukshm", "fault", "PREROUTING"), ("ring", "killed", "FORWARD"), ("copy", "lie", "POSTROUTING")]


@pytest.mark.parametrize(("path", "mode", "hook"), QUICK)
def test_the_policy_holds_when_the_program_goes_wrong(path: str, mode: str, hook: str) -> None:
    check_policy(path, mode, hook)


@pytest.mark.nightly
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("mode", STRUCK)
@pytest.mark.parametrize("path", PATHS)
def test_the_policy_holds_whatever_goes_wrong_wherever(path: str, mode: str, hook: str) -> None:
    check_policy(path, mode, hook)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mode", ["exit", "hang"])
def test_with_the_other_policy_all_pass_when_the_program_cannot_say(path: str, mode: str) -> None:
    fates = [str(fate) for fate in crash(path, mode, "FORWARD", dead="allow").fates.values()]
    assert set(fates) <= GOOD
    assert fates.count("sent") >= 4

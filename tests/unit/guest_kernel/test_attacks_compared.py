# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine, forked before the attack: a switch is turned in the copy, both run on, and where they part is told."""

import pytest

from emu.lesson import Lab
from emu.lesson.wire import udp

REGISTERED = 900_000
BEGUN = 150_000
ATTACK = 1_500_000
PAYLOAD = b"hello, this is a packet"

ATTACKS = {
    "ghost": (REGISTERED, "ukshm.invalidate", "none"),
    "flip": (REGISTERED, "ukshm.check", "before_unmap"),
    "early": (BEGUN, "ukshm.order", "free_first"),
}
"""When the copy is made, and the switch that is turned in it."""


def packet(number: int) -> bytes:
    return udp(f"10.0.0.2:{1000 + number}", "203.0.113.9:53", PAYLOAD)


def attacked(lab: Lab) -> Lab:
    for number in range(2):
        lab.inject(packet(number))
        lab.machine.run(ATTACK)
    return lab


@pytest.mark.long
@pytest.mark.parametrize("program", ATTACKS)
def test_the_same_program_parts_from_itself_where_the_switch_lets_it_through(program: str) -> None:
    moment, switch, value = ATTACKS[program]
    safe = Lab()
    safe.boot(program, switches={"firewall.path": "ukshm"}, network=True)
    safe.machine.run(moment)
    unsafe, same = safe.fork(), safe.fork()
    unsafe.set_switch(switch, value)
    attacked(safe)
    assert safe.compare(attacked(same)).same
    parting = safe.compare(attacked(unsafe))
    assert not parting.same
    assert parting.difference is not None
    assert parting.consoles[0] != parting.consoles[1]
    assert not [line for lab in (safe, unsafe) for line in lab.console.lines() if "panic" in line]

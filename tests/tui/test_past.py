# SPDX-License-Identifier: GPL-2.0-or-later
"""The second machine, and where the head may stand."""

from emu.events import DmaDone, Event, Faulted, Interrupted
from emu.lesson import Lab
from emu.lesson.wire import udp
from emu.tui.past import Past
from emu.tui.teacher import head_of


def asked_at_the_card() -> Lab:
    """A firewall, and a packet that will leave while the kernel waits in HLT."""
    lab = Lab()
    lab.boot("tamper", switches={"firewall.path": "ring"}, network=True)
    lab.run_until(
        lambda event: getattr(event, "name", "") == "SYS_ukshm_register" and event.result is not None
    )
    lab.inject(udp("10.0.0.2:1001", "203.0.113.9:53", b"hello"))
    return lab


def test_it_comes_to_where_the_head_stands_between_a_device_and_its_interrupt() -> None:
    lab = asked_at_the_card()
    while len(lab.sent("eth1")) < 2:  # it asks for an address first
        lab.run_until(lambda event: isinstance(event, DmaDone) and event.device == "eth1" and not event.write)
    head = head_of(lab)
    past = Past(head)
    past.to_head()
    assert past.at == (head.insn, head.seq)
    assert not past.rewound and past.seen() == list(head.events)
    lab.run_until(lambda event: isinstance(event, Interrupted | Faulted))
    told: list[Event] = [event for event in lab.events if event.seq >= head.seq]
    assert isinstance(told[0], Interrupted), "that is what came next"

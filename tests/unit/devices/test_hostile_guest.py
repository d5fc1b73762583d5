# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a guest writes wherever, no device raises, and a checkpoint at any moment holds everything."""

from hypothesis import given
from hypothesis import strategies as st

from emu.devices import Bus, DebugExit, Pic8259Pair, Pit8254, Uart16550, VirtioSlots


class Board:
    """All devices on a bus, wired as on the board."""

    def __init__(self) -> None:
        self.pic = Pic8259Pair()
        self.uart = Uart16550(lambda byte: None, lambda level: self.pic.set_line(4, level))
        self.bus = Bus()
        slots = VirtioSlots()
        for device in (self.pic, Pit8254(lambda level: self.pic.set_line(0, level)), self.uart):
            self.bus.attach(device)
        self.bus.attach(DebugExit(lambda code: None))
        self.bus.attach_mmio(slots.base, slots.size, slots)
        self.now = 0

    def act(self, action: tuple[str, int, int, int]) -> int | None:
        """One action; what it gave, to compare two boards by."""
        verb, where, size, value = action
        match verb:
            case "out":
                self.bus.write_port(where, size, value)
            case "in":
                result = self.bus.read_port(where, size)
                assert 0 <= result < 1 << 8 * size
                return result
            case "store":
                self.bus.write_mmio(0xFEB0_0000 + where, size, value)
            case "load":
                return self.bus.read_mmio(0xFEB0_0000 + where, size)
            case "wait":
                self.now += value % 10_000_000
                self.bus.advance(self.now)
                due = self.bus.next_due()
                assert due is None or due > self.now
            case "type":
                self.uart.receive(value)
            case "line":
                self.pic.set_line(5 + value % 8, bool(value & 8))
            case _:
                pending = self.pic.pending()
                vector = self.pic.acknowledge()
                assert pending in (None, vector)
                return vector
        return None


PORTS = st.one_of(
    st.sampled_from(
        [0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1, 0x40, 0x41, 0x42, 0x43, 0x61, 0xF4, *range(0x3F8, 0x400)]
    ),
    st.integers(0, 0xFFFF),
)
VERBS = st.sampled_from(
    ["out", "out", "out", "in", "in", "load", "store", "wait", "type", "line", "acknowledge"]
)
ACTIONS = st.lists(
    st.tuples(VERBS, PORTS, st.sampled_from([1, 2, 4]), st.integers(0, 0xFFFF_FFFF) | st.integers(0, 0xFF)),
    max_size=60,
)


@given(before=ACTIONS, after=ACTIONS)
def test_random_traffic_never_raises_and_a_restored_board_goes_on_the_same(
    before: list[tuple[str, int, int, int]], after: list[tuple[str, int, int, int]]
) -> None:
    board, copy = Board(), Board()
    for action in before:
        board.act(action)
    state = board.bus.state()
    hash(state)
    copy.bus.load_state(state)
    copy.now = board.now
    assert copy.bus.state() == state
    assert [board.act(action) for action in after] == [copy.act(action) for action in after]
    assert board.bus.state() == copy.bus.state()

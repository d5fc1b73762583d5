# SPDX-License-Identifier: GPL-2.0-or-later
"""The 8254 interval timer (Intel, "8254 Programmable Interval Timer", order 231164).

Its oscillator has 1,193,182 ticks a second; tick k falls on clock value floor(k * 100e6 / 1193182). A counter
starts at the tick in which its count was written; interrupt line 0 follows OUT of channel 0. As in QEMU, OUT of
mode 2 is a pulse of one tick at the end of each period, mode 3 counts down in steps of two, BCD counts in binary.
Port 0x61 is the board's own: QEMU's microvm leaves it empty.
"""

from collections.abc import Callable
from typing import ClassVar, Final

from emu.devices.bus import ByteDevice, Registers, State

FREQUENCY_HZ: Final = 1_193_182
CLOCK_HZ: Final = 100_000_000
BASE_PORT: Final = 0x40
CONTROL_PORT: Final = 0x43
GATE_PORT: Final = 0x61
_REFRESH_TICKS: Final = 18
_LOW, _HIGH, _LOW_THEN_HIGH, _HIGH_OF_TWO = 1, 2, 3, 4


def clock_of_tick(tick: int) -> int:
    """The clock value on which PIT tick `tick` falls."""
    return tick * CLOCK_HZ // FREQUENCY_HZ


def tick_at(clock: int) -> int:
    """The last PIT tick that has fallen at `clock`."""
    return ((clock + 1) * FREQUENCY_HZ - 1) // CLOCK_HZ


class Counter(Registers):
    """One of the three counters. Times are in PIT ticks."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        *("mode", "bcd", "access", "count", "loaded_at", "gate", "low_byte", "read_step", "write_step"),
        *("latched", "latch_step", "status"),
    )

    def __init__(self, gate: bool) -> None:
        """After power-on: mode 3 with the longest period, as QEMU resets it."""
        self.mode, self.bcd, self.access = 3, 0, 0
        self.count, self.loaded_at, self.gate = 0x10000, 0, gate
        self.low_byte = self.read_step = self.write_step = self.latched = self.latch_step = 0
        self.status: int | None = None

    def value(self, tick: int) -> int:
        """What the counter holds at `tick`."""
        elapsed = tick - self.loaded_at
        if self.mode in (0, 1, 4, 5):
            return (self.count - elapsed) & 0xFFFF
        return self.count - (2 * elapsed if self.mode == 3 else elapsed) % self.count

    def out(self, tick: int) -> bool:
        """The level of OUT at `tick`."""
        elapsed = tick - self.loaded_at
        match self.mode:
            case 1:
                return elapsed < self.count
            case 2:
                return elapsed > 0 and elapsed % self.count == 0
            case 3:
                return elapsed % self.count < (self.count + 1) // 2
            case 4 | 5:
                return elapsed == self.count
            case _:
                return elapsed >= self.count

    def next_rise(self, tick: int) -> int | None:
        """The first tick after `tick` in which OUT goes (or, with a count of 1, stays) up."""
        elapsed = tick - self.loaded_at
        if self.mode in (2, 3):
            return self.loaded_at + (elapsed // self.count + 1) * self.count
        return self.loaded_at + self.count if self.mode != 1 and elapsed < self.count else None

    def control(self, value: int, tick: int) -> None:
        """A control word for this counter: latch, or access and mode."""
        access = value >> 4 & 3
        if access == 0:
            self.latch(tick)
            return
        self.access = self.read_step = self.write_step = access
        self.mode, self.bcd = value >> 1 & 7, value & 1

    def latch(self, tick: int) -> None:
        """Hold the count for the next reads; a count that is held already stays."""
        if not self.latch_step:
            self.latched, self.latch_step = self.value(tick), self.access

    def latch_status(self, tick: int) -> None:
        """Hold the status byte for the next read."""
        if self.status is None:
            self.status = self.out(tick) << 7 | self.access << 4 | self.mode << 1 | self.bcd

    def load(self, count: int, tick: int) -> None:
        """Start counting from `count`; 0 means 65,536."""
        self.count, self.loaded_at = count or 0x10000, tick

    def write(self, value: int, tick: int) -> bool:
        """A byte of the count; True if it started the counter."""
        match self.write_step:
            case 3:
                self.low_byte, self.write_step = value, _HIGH_OF_TWO
                return False
            case 4:
                self.load(value << 8 | self.low_byte, tick)
                self.write_step = _LOW_THEN_HIGH
            case 2:
                self.load(value << 8, tick)
            case _:
                self.load(value, tick)
        return True

    def read(self, tick: int) -> int:
        """Status, held count or running count, in that order, a byte at a time."""
        if self.status is not None:
            status, self.status = self.status, None
            return status
        if self.latch_step:
            step, self.latch_step = self.latch_step, _HIGH if self.latch_step == _LOW_THEN_HIGH else 0
            return (self.latched >> 8 if step == _HIGH else self.latched) & 0xFF
        step = self.read_step
        if step >= _LOW_THEN_HIGH:
            self.read_step = _LOW_THEN_HIGH + _HIGH_OF_TWO - step
        return (self.value(tick) >> 8 if step in (_HIGH, _HIGH_OF_TWO) else self.value(tick)) & 0xFF

    def set_gate(self, gate: bool, tick: int) -> None:
        """The GATE input: a rising edge restarts modes 1, 2, 3 and 5."""
        if gate and not self.gate and self.mode in (1, 2, 3, 5):
            self.loaded_at = tick
        self.gate = gate


class Pit8254(ByteDevice):
    """Three counters; `raise_irq` hears OUT of channel 0. Port 0x61 gates channel 2 and shows its OUT."""

    def __init__(self, raise_irq: Callable[[bool], None]) -> None:
        """A timer at clock 0. Connect `raise_irq` to line 0 of the interrupt controller."""
        self.name = "pit"
        self.ports = (*range(BASE_PORT, CONTROL_PORT + 1), GATE_PORT)
        self.counters = (Counter(True), Counter(True), Counter(False))
        self.tick = 0
        self.speaker = 0
        self._raise_irq = raise_irq

    def next_due(self) -> int | None:
        """The clock value at which channel 0 next raises its line. (Its falls are caught up with then.)"""
        rise = self.counters[0].next_rise(self.tick)
        return None if rise is None else clock_of_tick(rise)

    def advance(self, now: int) -> None:
        """Bring the timer to clock value `now`. Rises that were passed are one edge."""
        tick = tick_at(now)
        if tick <= self.tick:
            return
        rise = self.counters[0].next_rise(self.tick)
        self.tick = tick
        if rise is not None and rise <= tick:
            self._raise_irq(False)
            self._raise_irq(True)
        self._drive_line()

    def _drive_line(self) -> None:
        self._raise_irq(self.counters[0].out(self.tick))

    def read_byte(self, port: int) -> int:
        """A counter's byte, the gate port, or 0 from the control port, which cannot be read."""
        if port == GATE_PORT:
            refresh = self.tick // _REFRESH_TICKS & 1
            return self.speaker | self.counters[2].gate | refresh << 4 | self.counters[2].out(self.tick) << 5
        return 0 if port == CONTROL_PORT else self.counters[port - BASE_PORT].read(self.tick)

    def write_byte(self, port: int, value: int) -> None:
        """A byte of a count, a control word, or the gate port."""
        if port == GATE_PORT:
            self.speaker = value & 2
            self.counters[2].set_gate(bool(value & 1), self.tick)
        elif port != CONTROL_PORT:
            started = self.counters[port - BASE_PORT].write(value, self.tick)
            if started and port == BASE_PORT:
                self._drive_line()
        elif value >> 6 < 3:
            self.counters[value >> 6].control(value, self.tick)
        else:
            self._read_back(value)

    def _read_back(self, value: int) -> None:
        for index, counter in enumerate(self.counters):
            if value & 2 << index:
                if not value & 0x20:
                    counter.latch(self.tick)
                if not value & 0x10:
                    counter.latch_status(self.tick)

    def state(self) -> State:
        """The tick, the speaker bit and the three counters."""
        return (self.tick, self.speaker, *(counter.state() for counter in self.counters))

    def load_state(self, state: State) -> None:
        """The tick, the speaker bit and the three counters."""
        self.tick, self.speaker, *parts = state
        for counter, part in zip(self.counters, parts, strict=True):
            counter.load_state(part)

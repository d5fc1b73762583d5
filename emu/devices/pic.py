# SPDX-License-Identifier: GPL-2.0-or-later
"""Two cascaded 8259A interrupt controllers (Intel, "8259A Programmable Interrupt Controller", order 231468).

The output of the second chip is line 2 of the first. A line is edge triggered unless its chip's edge/level
register (ports 0x4D0, 0x4D1) says level. As in QEMU, a latched edge stays requested after the line has fallen
again. An acknowledge that finds nothing to deliver gets number 7 of that chip, the spurious interrupt, and sets
no in-service bit.
"""

from collections.abc import Callable
from typing import ClassVar, Final

from emu.devices.bus import ByteDevice, Registers, State

CASCADE_LINE: Final = 2
SPURIOUS_LINE: Final = 7
MASTER_PORT: Final = 0x20
SLAVE_PORT: Final = 0xA0
EDGE_LEVEL_PORT: Final = 0x4D0
_NOTHING: Final = 8


class Pic8259(Registers):
    """One chip, lines 0 to 7. `on_output` hears the level of INT, its request to whatever is above it."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        *("irr", "isr", "imr", "line_levels", "vector_base", "top_line", "level_triggered", "init_word"),
        *("wants_icw4", "is_single", "shows_isr", "poll_next", "special_mask", "special_nested"),
        *("auto_eoi", "rotates_on_auto_eoi"),
    )

    def __init__(self, on_output: Callable[[bool], None], level_lines: int, is_master: bool) -> None:
        """A chip after power-on. `level_lines` masks the lines that may be made level triggered."""
        self.on_output = on_output
        self.level_lines = level_lines
        self.is_master = is_master
        self.level_triggered = 0
        self.irr: int = 0
        self.isr: int = 0
        self.imr = self.line_levels = 0
        self.vector_base = self.top_line = self.init_word = 0
        self._reset()

    def _reset(self) -> None:
        self.irr &= self.level_triggered
        self.isr = self.imr = self.line_levels = 0
        self.vector_base = self.top_line = self.init_word = 0
        self.wants_icw4 = self.is_single = self.shows_isr = self.poll_next = False
        self.special_mask = self.special_nested = self.auto_eoi = self.rotates_on_auto_eoi = False

    def _priority(self, lines: int) -> int:
        """How far the first of `lines` is from the top priority: 0 to 7, or 8 if there is none."""
        rotated = (lines >> self.top_line | lines << 8 - self.top_line) & 0xFF
        return (rotated & -rotated).bit_length() - 1 if rotated else _NOTHING

    def requested(self) -> int | None:
        """The line to deliver next: the first unmasked request that outranks all in service."""
        blocking = self.isr & ~self.imr if self.special_mask else self.isr
        if self.special_nested and self.is_master:
            blocking &= ~(1 << CASCADE_LINE)
        priority = self._priority(self.irr & ~self.imr)
        return (priority + self.top_line) & 7 if priority < self._priority(blocking) else None

    def update(self) -> None:
        """Drive INT by what is requested now."""
        self.on_output(self.requested() is not None)

    def set_line(self, line: int, level: bool) -> None:
        """An input changes (or repeats) its level."""
        bit = 1 << line
        if self.level_triggered & bit:
            self.irr = self.irr | bit if level else self.irr & ~bit
        elif level and not self.line_levels & bit:
            self.irr |= bit
        self.line_levels = self.line_levels | bit if level else self.line_levels & ~bit
        self.update()

    def acknowledge(self, line: int) -> None:
        """INTA for `line`: from request to service, or straight to its end with automatic EOI."""
        if not self.auto_eoi:
            self.isr |= 1 << line
        elif self.rotates_on_auto_eoi:
            self.top_line = (line + 1) & 7
        self.irr &= ~(1 << line) | self.level_triggered
        self.update()

    def read(self, is_data: bool) -> int:
        """IMR at the data port, IRR or ISR (as OCW3 chose) at the other; either port answers a poll first."""
        if self.poll_next:
            self.poll_next = False
            line = self.requested()
            if line is None:
                return 0
            self.acknowledge(line)
            return 0x80 | line
        if is_data:
            return self.imr
        return self.isr if self.shows_isr else self.irr

    def write_command(self, value: int) -> None:
        """ICW1 (bit 4), OCW3 (bit 3) or OCW2."""
        if value & 0x10:
            self._reset()
            self.init_word = 2
            self.wants_icw4, self.is_single = bool(value & 1), bool(value & 2)
            self.update()
        elif value & 0x08:
            self._operation_word_3(value)
        else:
            self._operation_word_2(value >> 5, value & 7)

    def _operation_word_3(self, value: int) -> None:
        self.poll_next = self.poll_next or bool(value & 0x04)
        if value & 0x02:
            self.shows_isr = bool(value & 0x01)
        if value & 0x40:
            self.special_mask = bool(value & 0x20)

    def _operation_word_2(self, command: int, line: int) -> None:
        rotate, specific, end = command & 4, command & 2, command & 1
        if not specific and not end:
            self.rotates_on_auto_eoi = bool(rotate)
            return
        if end and not specific:
            priority = self._priority(self.isr)
            if priority == _NOTHING:
                return
            line = (priority + self.top_line) & 7
        if end:
            self.isr &= ~(1 << line)
        if rotate:
            self.top_line = (line + 1) & 7
        self.update()

    def write_data(self, value: int) -> None:
        """ICW2 to ICW4 while they are expected, else OCW1, the mask."""
        after = {2: 3, 3: 4 if self.wants_icw4 else 0}
        match self.init_word:
            case 2:
                self.vector_base = value & 0xF8
                self.init_word = after[3] if self.is_single else after[2]
            case 3:
                self.init_word = after[3]
            case 4:
                self.special_nested, self.auto_eoi = bool(value & 0x10), bool(value & 0x02)
                self.init_word = 0
            case _:
                self.imr = value
                self.update()


class Pic8259Pair(ByteDevice):
    """The board's interrupt lines 0 to 15 in, one interrupt request and its vector out."""

    def __init__(self) -> None:
        """Both chips after power-on, nothing requested."""
        self.name = "pic"
        self.ports = (
            MASTER_PORT,
            MASTER_PORT + 1,
            SLAVE_PORT,
            SLAVE_PORT + 1,
            EDGE_LEVEL_PORT,
            EDGE_LEVEL_PORT + 1,
        )
        self.master = Pic8259(lambda level: None, 0xF8, is_master=True)
        self.slave = Pic8259(lambda level: self.master.set_line(CASCADE_LINE, level), 0xDE, is_master=False)

    def set_line(self, irq: int, level: bool) -> None:
        """Interrupt line `irq` (0 to 15) takes `level`."""
        (self.slave if irq >= 8 else self.master).set_line(irq & 7, level)

    def pending(self) -> int | None:
        """The vector that an acknowledge would give now, or None while the CPU is not asked to interrupt."""
        line = self.master.requested()
        if line is None:
            return None
        if line != CASCADE_LINE:
            return self.master.vector_base + line
        inner = self.slave.requested()
        return self.slave.vector_base + (SPURIOUS_LINE if inner is None else inner)

    def vector(self, irq: int) -> int:
        """The vector of interrupt line `irq` (0 to 15), as the guest has set it."""
        return (self.slave if irq >= 8 else self.master).vector_base + (irq & 7)

    def acknowledge(self) -> int:
        """The CPU's INTA cycles: the vector to deliver, now in service."""
        line = self.master.requested()
        if line is None:
            return self.master.vector_base + SPURIOUS_LINE
        if line != CASCADE_LINE:
            self.master.acknowledge(line)
            return self.master.vector_base + line
        inner = self.slave.requested()
        if inner is not None:
            self.slave.acknowledge(inner)
        self.master.acknowledge(line)
        return self.slave.vector_base + (SPURIOUS_LINE if inner is None else inner)

    def _chip(self, port: int) -> Pic8259:
        return self.slave if port in (SLAVE_PORT, SLAVE_PORT + 1, EDGE_LEVEL_PORT + 1) else self.master

    def read_byte(self, port: int) -> int:
        """One register of one chip."""
        chip = self._chip(port)
        return chip.level_triggered if port >= EDGE_LEVEL_PORT else chip.read(bool(port & 1))

    def write_byte(self, port: int, value: int) -> None:
        """One register of one chip."""
        chip = self._chip(port)
        if port >= EDGE_LEVEL_PORT:
            chip.level_triggered = value & chip.level_lines
        elif port & 1:
            chip.write_data(value)
        else:
            chip.write_command(value)

    def state(self) -> State:
        """Both chips' registers."""
        return (self.master.state(), self.slave.state())

    def load_state(self, state: State) -> None:
        """Both chips' registers."""
        self.master.load_state(state[0])
        self.slave.load_state(state[1])

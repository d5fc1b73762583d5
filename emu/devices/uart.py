# SPDX-License-Identifier: GPL-2.0-or-later
"""The 16550 UART of COM1 (National Semiconductor, PC16550D data sheet).

A byte written leaves at once, so the transmitter is always empty again when the guest looks. Received bytes
wait outside until the receiver has room, so none is lost. Only the character time-out of the FIFO takes time:
four characters at the programmed rate. As in QEMU, the interrupt line does not depend on MCR's OUT2.
"""

from collections.abc import Callable
from typing import ClassVar, Final

from emu.devices.bus import ByteDevice

BASE_PORT: Final = 0x3F8
IRQ: Final = 4
FIFO_BYTES: Final = 16
BAUD_BASE: Final = 115_200
CLOCK_HZ: Final = 100_000_000

IER_RECEIVED, IER_TRANSMITTER_EMPTY, IER_LINE_STATUS, IER_MODEM_STATUS = 1, 2, 4, 8
IIR_MODEM_STATUS, IIR_NONE, IIR_TRANSMITTER_EMPTY, IIR_RECEIVED, IIR_LINE_STATUS, IIR_TIMEOUT = (
    0,
    1,
    2,
    4,
    6,
    12,
)
LSR_DATA_READY, LSR_OVERRUN, LSR_THR_EMPTY, LSR_TRANSMITTER_EMPTY = 0x01, 0x02, 0x20, 0x40
LCR_DLAB: Final = 0x80
MCR_LOOP: Final = 0x10
FCR_ENABLE, FCR_CLEAR_RECEIVER, FCR_CLEAR_TRANSMITTER = 1, 2, 4
MSR_CONNECTED: Final = 0xB0
"""DCD, DSR and CTS: somebody is at the other end."""
_TRIGGER_BYTES: Final = (1, 4, 8, 14)


class Uart16550(ByteDevice):
    """`transmit` gets each byte sent; `raise_irq` hears the level of INTR, which belongs on line 4."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        *("ier", "iir", "lcr", "mcr", "lsr", "fcr", "scratch", "divisor", "buffer", "fifo", "waiting"),
        *("thr_empty_pending", "timeout_pending", "timeout_at", "character_clocks", "now"),
    )

    def __init__(self, transmit: Callable[[int], None], raise_irq: Callable[[bool], None]) -> None:
        """A UART after reset: 9600 baud, FIFO off, nothing received."""
        self.name = "uart"
        self.ports = range(BASE_PORT, BASE_PORT + 8)
        self._transmit = transmit
        self._raise_irq = raise_irq
        self.ier, self.iir, self.lcr, self.mcr = 0, IIR_NONE, 0, 0x08
        self.lsr = LSR_THR_EMPTY | LSR_TRANSMITTER_EMPTY
        self.fcr = self.scratch = self.buffer = self.now = 0
        self.divisor = BAUD_BASE // 9600
        self.fifo = self.waiting = b""
        self.thr_empty_pending = self.timeout_pending = False
        self.timeout_at: int | None = None
        self.character_clocks = CLOCK_HZ // 9600 * 10

    def receive(self, byte: int) -> None:
        """A byte arrives from outside."""
        self.waiting += bytes((byte & 0xFF,))
        self._accept()

    def next_due(self) -> int | None:
        """The clock value of the FIFO's character time-out, if one runs."""
        return self.timeout_at

    def advance(self, now: int) -> None:
        """Bring the UART to clock value `now`."""
        self.now = max(now, self.now)
        if self.timeout_at is not None and self.timeout_at <= self.now:
            self.timeout_at = None
            self.timeout_pending = True
            self._update()

    def _accept(self) -> None:
        """Take waiting bytes while there is room for them; in loopback the outside is cut off."""
        while self.waiting and not self.mcr & MCR_LOOP and self._has_room():
            byte, self.waiting = self.waiting[0], self.waiting[1:]
            self._arrive(byte)

    def _has_room(self) -> bool:
        return len(self.fifo) < FIFO_BYTES if self.fcr & FCR_ENABLE else not self.lsr & LSR_DATA_READY

    def _arrive(self, byte: int) -> None:
        if self.fcr & FCR_ENABLE:
            if len(self.fifo) < FIFO_BYTES:
                self.fifo += bytes((byte,))
            else:
                self.lsr |= LSR_OVERRUN
            self._start_timeout()
        else:
            if self.lsr & LSR_DATA_READY:
                self.lsr |= LSR_OVERRUN
            self.buffer = byte
        self.lsr |= LSR_DATA_READY
        self._update()

    def _start_timeout(self) -> None:
        self.timeout_at = self.now + 4 * self.character_clocks

    def _cause(self) -> int:
        """The interrupt to report, by priority (PC16550D, "Interrupt Control Functions", table IV)."""
        if self.ier & IER_LINE_STATUS and self.lsr & LSR_OVERRUN:
            return IIR_LINE_STATUS
        if self.ier & IER_RECEIVED and self.timeout_pending:
            return IIR_TIMEOUT
        trigger = _TRIGGER_BYTES[self.fcr >> 6] if self.fcr & FCR_ENABLE else 0
        if self.ier & IER_RECEIVED and self.lsr & LSR_DATA_READY and len(self.fifo) >= trigger:
            return IIR_RECEIVED
        if self.ier & IER_TRANSMITTER_EMPTY and self.thr_empty_pending:
            return IIR_TRANSMITTER_EMPTY
        return IIR_NONE

    def _update(self) -> None:
        cause = self._cause()
        self.iir = cause | self.iir & 0xF0
        self._raise_irq(cause != IIR_NONE)

    def read_byte(self, port: int) -> int:
        """One register; reading some of them has effects, as in the data sheet."""
        offset = port - BASE_PORT
        match offset:
            case 0 if not self.lcr & LCR_DLAB:
                return self._read_received()
            case 0 | 1 if self.lcr & LCR_DLAB:
                return self.divisor >> 8 * offset & 0xFF
            case 1:
                return self.ier
            case 2:
                return self._read_iir()
            case 3:
                return self.lcr
            case 4:
                return self.mcr
            case 5:
                return self._read_lsr()
            case 6:
                return self._modem_status()
            case _:
                return self.scratch

    def _read_received(self) -> int:
        if not self.fcr & FCR_ENABLE:
            byte = self.buffer
            self.lsr &= ~LSR_DATA_READY
        else:
            byte = self.fifo[0] if self.fifo else 0
            self.fifo = self.fifo[1:]
            if self.fifo:
                self._start_timeout()
            else:
                self.lsr &= ~LSR_DATA_READY
                self.timeout_at = None
            self.timeout_pending = False
        self._update()
        self._accept()
        return byte

    def _read_iir(self) -> int:
        value = self.iir
        if value & 0x0F == IIR_TRANSMITTER_EMPTY:
            self.thr_empty_pending = False
            self._update()
        return value

    def _read_lsr(self) -> int:
        value = self.lsr
        if value & LSR_OVERRUN:
            self.lsr &= ~LSR_OVERRUN
            self._update()
        return value

    def _modem_status(self) -> int:
        if not self.mcr & MCR_LOOP:
            return MSR_CONNECTED
        return (self.mcr & 0x0C) << 4 | (self.mcr & 0x02) << 3 | (self.mcr & 0x01) << 5

    def write_byte(self, port: int, value: int) -> None:
        """One register; LSR and MSR ignore writes."""
        offset = port - BASE_PORT
        match offset:
            case 0 | 1 if self.lcr & LCR_DLAB:
                self.divisor = self.divisor & 0xFF << 8 * (1 - offset) | value << 8 * offset
                self._set_rate()
            case 0:
                self._send(value)
            case 1:
                self._write_ier(value & 0x0F)
            case 2:
                self._write_fcr(value)
            case 3:
                self.lcr = value
                self._set_rate()
            case 4:
                self.mcr = value & 0x1F
                self._accept()
            case 7:
                self.scratch = value
            case _:
                pass

    def _set_rate(self) -> None:
        """How long a character takes: start, data, parity and stop bits. Divisor 0 changes nothing."""
        if 0 < self.divisor <= BAUD_BASE:
            bits = 1 + (self.lcr & 3) + 5 + bool(self.lcr & 8) + (2 if self.lcr & 4 else 1)
            self.character_clocks = bits * self.divisor * CLOCK_HZ // BAUD_BASE

    def _send(self, byte: int) -> None:
        self.thr_empty_pending = False
        self._update()
        self.thr_empty_pending = True
        self._update()
        if self.mcr & MCR_LOOP:
            self._arrive(byte)
        else:
            self._transmit(byte)

    def _write_ier(self, value: int) -> None:
        changed, self.ier = self.ier ^ value, value
        if changed & IER_TRANSMITTER_EMPTY:
            self.thr_empty_pending = bool(value & IER_TRANSMITTER_EMPTY)
        if changed:
            self._update()

    def _write_fcr(self, value: int) -> None:
        """Turning the FIFO on or off empties it, whatever the clear bits say."""
        if (value ^ self.fcr) & FCR_ENABLE:
            value |= FCR_CLEAR_RECEIVER | FCR_CLEAR_TRANSMITTER
        if value & FCR_CLEAR_RECEIVER:
            self.lsr &= ~LSR_DATA_READY
            self.timeout_at, self.timeout_pending, self.fifo = None, False, b""
        if value & FCR_CLEAR_TRANSMITTER:
            self.thr_empty_pending = True
        self.fcr = value & 0xC9
        self.iir = self.iir & 0x0F | (0xC0 if self.fcr & FCR_ENABLE else 0)
        self._update()
        self._accept()

# SPDX-License-Identifier: GPL-2.0-or-later
"""COM1: what goes out, what comes in, when it interrupts."""

import pytest

from emu.devices import Uart16550

DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH = range(0x3F8, 0x400)
FCR = IIR


class Board:
    """A UART with its two wires recorded."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.level = False
        self.uart = Uart16550(self.sent.append, self.irq)

    def irq(self, level: bool) -> None:
        self.level = level

    def write(self, port: int, value: int) -> None:
        self.uart.write_port(port, 1, value)

    def read(self, port: int) -> int:
        return self.uart.read_port(port, 1)

    def receive(self, data: bytes) -> None:
        for byte in data:
            self.uart.receive(byte)


@pytest.fixture
def com1() -> Board:
    return Board()


def test_a_byte_written_goes_out_and_the_transmitter_is_empty_again(com1: Board) -> None:
    com1.write(DATA, ord("A"))
    assert com1.sent == [ord("A")]
    assert com1.read(LSR) == 0x60


def test_a_received_byte_shows_in_the_line_status_until_it_is_read(com1: Board) -> None:
    com1.receive(b"x")
    assert com1.read(LSR) == 0x61
    assert com1.read(DATA) == ord("x")
    assert com1.read(LSR) == 0x60


def test_bytes_wait_outside_until_there_is_room_and_none_is_lost(com1: Board) -> None:
    text = b"a line longer than the sixteen bytes of the FIFO"
    com1.receive(text)
    assert bytes(com1.read(DATA) for _ in text) == text
    com1.write(FCR, 0x01)
    com1.receive(text)
    assert bytes(com1.read(DATA) for _ in text) == text
    assert com1.read(LSR) == 0x60
    assert com1.read(DATA) == 0


def test_a_received_byte_interrupts_if_asked_to(com1: Board) -> None:
    com1.receive(b"x")
    assert not com1.level
    com1.write(IER, 0x01)
    assert com1.level
    assert com1.read(IIR) == 0x04
    com1.read(DATA)
    assert not com1.level
    assert com1.read(IIR) == 0x01


def test_an_empty_transmitter_interrupts_when_enabled_and_the_iir_read_ends_it(com1: Board) -> None:
    com1.write(IER, 0x02)
    assert com1.level
    assert com1.read(IIR) == 0x02
    assert not com1.level
    com1.write(DATA, 0)
    assert com1.level
    com1.write(IER, 0x00)
    assert not com1.level


def test_writing_the_same_enable_bits_again_changes_nothing(com1: Board) -> None:
    com1.write(IER, 0x02)
    com1.read(IIR)
    com1.write(IER, 0x02)
    assert not com1.level
    com1.write(IER, 0x03)
    assert not com1.level


@pytest.mark.parametrize(("bits", "trigger"), [(0x00, 1), (0x40, 4), (0x80, 8), (0xC0, 14)])
def test_the_fifo_interrupts_at_its_trigger_level(com1: Board, bits: int, trigger: int) -> None:
    com1.write(FCR, bits | 0x01)
    com1.write(IER, 0x01)
    com1.receive(b"x" * (trigger - 1))
    assert not com1.level
    com1.receive(b"x")
    assert com1.level
    assert com1.read(IIR) == 0xC4


def test_bytes_below_the_trigger_level_interrupt_after_four_character_times(com1: Board) -> None:
    com1.write(FCR, 0xC1)
    com1.write(IER, 0x01)
    com1.uart.advance(50)
    com1.receive(b"xy")
    due = com1.uart.next_due() or 0
    assert due == 50 + 4 * com1.uart.character_clocks
    com1.uart.advance(due - 1)
    assert not com1.level
    com1.uart.advance(due)
    assert com1.level
    assert com1.read(IIR) == 0xCC
    com1.read(DATA)
    assert not com1.level
    assert com1.uart.next_due() == due + 4 * com1.uart.character_clocks
    com1.read(DATA)
    assert com1.uart.next_due() is None


def test_the_character_time_follows_divisor_and_frame(com1: Board) -> None:
    com1.write(LCR, 0x83)
    com1.write(DATA, 1)
    com1.write(IER, 0)
    assert com1.uart.character_clocks == 10 * 100_000_000 // 115_200
    assert (com1.read(DATA), com1.read(IER)) == (1, 0)
    com1.write(LCR, 0x8F)
    assert com1.uart.character_clocks == 12 * 100_000_000 // 115_200
    com1.write(DATA, 0)
    assert com1.uart.character_clocks == 12 * 100_000_000 // 115_200
    com1.write(LCR, 0x03)
    assert com1.read(IER) == 0


@pytest.mark.parametrize("fifo", [0x00, 0x01])
def test_in_loopback_what_is_sent_comes_back_and_too_much_is_an_overrun(com1: Board, fifo: int) -> None:
    com1.write(FCR, fifo)
    com1.write(IER, 0x04)
    com1.write(MCR, 0x10)
    com1.receive(b"z")
    room = 16 if fifo else 1
    for byte in range(room):
        com1.write(DATA, byte)
    assert not com1.level
    com1.write(DATA, 99)
    assert com1.level
    assert com1.read(IIR) & 0x0F == 0x06
    assert com1.read(LSR) == 0x63
    assert com1.read(LSR) == 0x61
    assert not com1.level
    assert com1.sent == []
    assert [com1.read(DATA) for _ in range(room)] == (list(range(16)) if fifo else [99])
    com1.write(MCR, 0x00)
    assert com1.read(DATA) == ord("z")


def test_modem_status_says_connected_or_in_loopback_repeats_the_outputs(com1: Board) -> None:
    assert com1.read(MSR) == 0xB0
    com1.write(MCR, 0xFF)
    assert com1.read(MCR) == 0x1F
    assert com1.read(MSR) == 0xF0
    com1.write(MCR, 0x11)
    assert com1.read(MSR) == 0x20


def test_clearing_the_fifo_forgets_what_it_held(com1: Board) -> None:
    com1.write(FCR, 0x01)
    com1.receive(b"abc")
    com1.write(FCR, 0x03)
    assert com1.read(LSR) == 0x60
    com1.receive(b"d")
    com1.write(FCR, 0x01)
    assert com1.read(DATA) == ord("d")


def test_turning_the_fifo_off_empties_it(com1: Board) -> None:
    com1.write(FCR, 0x01)
    com1.receive(b"abc")
    com1.write(FCR, 0x00)
    assert com1.read(LSR) == 0x60
    assert com1.read(IIR) == 0x01


def test_clearing_the_transmitter_interrupts_as_an_empty_one_does(com1: Board) -> None:
    com1.write(IER, 0x02)
    com1.read(IIR)
    com1.write(FCR, 0x04)
    assert com1.level


def test_scratch_and_line_control_are_kept_and_status_registers_ignore_writes(com1: Board) -> None:
    com1.write(SCRATCH, 0x5A)
    com1.write(LCR, 0x1B)
    com1.write(LSR, 0xFF)
    com1.write(MSR, 0xFF)
    assert [com1.read(port) for port in (SCRATCH, LCR, LSR, MSR)] == [0x5A, 0x1B, 0x60, 0xB0]


def test_the_state_goes_into_another_uart(com1: Board) -> None:
    com1.write(FCR, 0x81)
    com1.receive(b"twenty bytes or more..")
    copy = Board()
    copy.uart.load_state(com1.uart.state())
    assert copy.uart.state() == com1.uart.state()
    assert copy.read(DATA) == ord("t")

# SPDX-License-Identifier: GPL-2.0-or-later
"""The board: CPU, MMU, memory and devices on one clock, with checkpoints, inputs and the way back.

The clock is instructions plus idle time. Nothing reads the host's clock or randomness, so the same boot gives the
same events every time; going back is restoring the nearest checkpoint and running forward again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Final, Protocol

from emu.bits import PAGE_SHIFT, LinearAddress, PhysicalAddress
from emu.cpu.core import Cpu, CpuState
from emu.cpu.engine_state import CS, DS, ES, FS, GS, HF_CS32, HF_PE, HF_SS32, SS
from emu.cpu.faults import FaultsForEver, ShutDown
from emu.cpu.model import FULL, CpuModel
from emu.devices.bus import Bus
from emu.devices.debug_exit import DebugExit
from emu.devices.disk import Disk, DiskImage
from emu.devices.dma import Dma, event_fields
from emu.devices.network import CARD_SLOTS, Network, NetworkSetup
from emu.devices.pic import Pic8259Pair
from emu.devices.pit import Pit8254
from emu.devices.uart import Uart16550
from emu.devices.virtio import FIRST_IRQ, VirtioDevice, VirtioSlots
from emu.devices.virtio_block import VirtioBlock
from emu.devices.virtio_net import LATENCY, VirtioNet
from emu.events import (
    Acknowledged,
    ConsoleWritten,
    DmaDone,
    Event,
    InputApplied,
    Journal,
    Marked,
    PortAccessed,
    UpcallMade,
)
from emu.history import NEAR, Checkpoint, History
from emu.mem import PhysicalMemory
from emu.mmu import Mmu, MmuState
from emu.tlb.geometry import Geometry

IDLE_TICKS: Final = 1000
LONGEST_SLICE: Final = 20_000
"""Instructions after which a Ctrl-C gets its chance."""
_FLAT_CODE32: Final = 0x00CF9B00
_FLAT_DATA32: Final = 0x00CF9300
_ARGUMENT_REGISTERS: Final = (7, 6, 2, 1, 8, 9)
"""RDI RSI RDX RCX R8 R9, as the System V ABI passes integers."""
_LONGEST_TEXT: Final = 128
DISK_SLOT: Final = 0
_PEER: Final = "peer "


def _numbers(arguments: Mapping[str, int | str], registers: Sequence[int]) -> list[int]:
    """A tracepoint's arguments as numbers: an enumerator is the number it stands for."""
    return [
        register & 0xFFFF_FFFF if isinstance(value, str) else value
        for value, register in zip(arguments.values(), registers, strict=False)
    ]


class Tracepoint(Protocol):
    """A function of the guest whose call is an event."""

    @property
    def name(self) -> str:
        """The event's name."""
        ...

    def arguments(
        self, registers: Sequence[int], read_string: Callable[[LinearAddress], str]
    ) -> dict[str, int | str]:
        """The arguments by name, from RDI RSI RDX RCX R8 R9; `read_string` gives the text at an address."""
        ...


@dataclass(frozen=True, slots=True)
class Boot:
    """What is in memory at reset and where the CPU starts, in the PVH way: 32-bit protected mode, paging off."""

    segments: tuple[tuple[PhysicalAddress, bytes], ...]
    entry: int
    start_info: int
    tracepoints: Mapping[int, Tracepoint] = field(default_factory=lambda: {})
    syscall_names: Mapping[int, str] = field(default_factory=lambda: {})
    role_names: Mapping[int, str] = field(default_factory=lambda: {})
    """Whom a reverse syscall can be for."""
    memory_mib: int = 32
    disk: DiskImage | None = None
    network: NetworkSetup | None = None


class Ending(Enum):
    """Why a machine will not run on."""

    EXITED = "the guest ended in order"
    PANICKED = "the guest ended itself in panic"
    TRIPLE_FAULT = "triple fault"
    FAULTS_FOR_EVER = "faults for ever"
    IDLE_FOR_EVER = "idle for ever"


ORDERLY_EXIT: Final = 0x10


@dataclass(frozen=True, slots=True)
class Ended:
    """How the guest ended: `code` is what it wrote to the debug exit port, if it did; `text` says it in words."""

    ending: Ending
    code: int | None
    text: str


class Stop(Enum):
    """Why `run` returned."""

    LIMIT = "the instructions asked for were executed"
    BREAK = "a condition was met"
    ENDED = "the guest has ended"


@dataclass(frozen=True, slots=True)
class Input:
    """Something from outside, at a moment: it enters through the log and is applied again in every replay.

    The moment is the first at which instructions, clock and events have come as far as said. What a peer answers is
    applied when the frame is sent that it answers: number `address` of the card that `actor` names behind "peer".
    """

    insn: int
    actor: str
    address: int
    data: bytes
    clock: int = 0
    seq: int = 0
    ended: bool = False
    """Whether the guest had ended: idle for ever, until somebody came."""


@dataclass(frozen=True, slots=True)
class MachineState:
    """Everything of a machine but its memory, at one moment."""

    journal: tuple[int, ...]
    cpu: CpuState
    mmu: MmuState
    devices: tuple[Any, ...]
    console_bytes: int
    ended: Ended | None
    idle_ticks: int
    inputs_applied: int
    network: tuple[Any, ...]


FramePeer = Callable[[bytes], Sequence[bytes]]
"""Somebody outside who is asked about each frame the guest sends, and says what comes back."""
SentListener = Callable[[str, int, bytes], None]
"""Told of each frame the guest sends for the first time: (card, clock value, frame)."""


class Machine:
    """One board. `run` goes forward; `seek` goes anywhere it has been, if it keeps history."""

    running: ClassVar[int] = 0
    """How many machines run now. Nothing may be raised from a signal while one does: set `interrupted` instead."""
    interrupted: ClassVar[bool] = False
    """Ends the run at its next pause with KeyboardInterrupt."""

    def __init__(
        self,
        boot: Boot,
        geometry: Geometry,
        keep_history: bool = True,
        model: CpuModel = FULL,
        seed: int = 0,
    ) -> None:
        """`model`: which CPU it has. `seed`: where the choices of random replacement start."""
        self.boot = boot
        self.geometry = geometry
        self.keep_history = keep_history
        self.journal = Journal()
        self.memory = PhysicalMemory(boot.memory_mib << 20)
        self.mmu = Mmu(self.memory, geometry, self.journal, seed)
        self.bus = Bus()
        self.cpu = Cpu(self.memory, self.mmu, self.journal, self, model)
        self.console = bytearray()
        self._heard = bytearray()  # what `console` held at its longest, for a way forward again
        self.ended: Ended | None = None
        self.has_sleeper: Callable[[], bool] = lambda: False
        """Asked before a guest that only ticks is called idle for ever: does a process wait for its time?"""
        self.inputs: list[Input] = []
        self._inputs_applied = 0
        self._idle_ticks = 0
        self._line_start = 0
        self._breaks: set[int] = set()
        self._accepts: Callable[[int], bool] | None = None
        self._break_at_insn = -1
        self._broke = False
        self._attach_devices()
        self._reset()
        self._load_boot()
        self.history = History[MachineState](
            {frame: self.memory.frame(frame) for frame in self.memory.written} if keep_history else {}
        )
        self.memory.written.clear()
        if keep_history:
            self._take_checkpoint()

    # -- building -----------------------------------------------------------------------------------------------

    def _attach_devices(self) -> None:
        self.pic = Pic8259Pair()
        self.pit = Pit8254(lambda level: self._set_line(0, level))
        self.uart = Uart16550(self._transmit, lambda level: self._set_line(4, level))
        for device in (self.pic, self.pit, self.uart, DebugExit(self._exit)):
            self.bus.attach(device)
        self.virtio = VirtioSlots()
        self.bus.attach_mmio(self.virtio.base, self.virtio.size, self.virtio)
        if self.boot.disk is not None:
            self._plug(DISK_SLOT, VirtioBlock(Disk(self.boot.disk)))
        self.network = Network(self.boot.network, self._sent)
        self.frame_peers: dict[str, FramePeer] = {}
        self.sent_listeners: list[SentListener] = []
        self._told = dict.fromkeys(self.network.cards, 0)  # frames of each card that those outside know
        for name, card in self.network.cards.items():
            self._plug(CARD_SLOTS[name], card)

    def _plug(self, slot: int, device: VirtioDevice) -> None:
        dma = Dma(device.name, self.memory, self._report_dma)
        self.virtio.plug(slot, device, dma, lambda level: self._set_line(FIRST_IRQ + slot, level))

    def _load_boot(self) -> None:
        for address, data in self.boot.segments:
            self.memory.write(address, data)
        self.cpu.microcode.syscall_name = lambda number: self.boot.syscall_names.get(number, f"call {number}")
        self.cpu.watched.update(self.boot.tracepoints)
        self.cpu.on_break = self._on_break
        self.cpu.on_watch = self._on_watch

    def _reset(self) -> None:
        """The state in which PVH hands over: flat 32-bit segments, paging off, EBX = start_info."""
        context = self.cpu.engine.context.save()
        context.efer = 0
        context.set_cr(0, 0x11)
        context.set_cr(4, 0)
        for segment in (ES, SS, DS, FS, GS):
            context.set_segment(segment, 0x10, 0, 0xFFFFFFFF, _FLAT_DATA32)
        context.set_segment(CS, 8, 0, 0xFFFFFFFF, _FLAT_CODE32)
        context.hflags = HF_PE | HF_CS32 | HF_SS32
        for register in range(16):
            context.set_gpr(register, 0)
        context.set_gpr(3, self.boot.start_info)
        context.rip = self.boot.entry
        context.restore()
        self.cpu.engine.write(25, 2)
        self.cpu.arm()

    # -- what the CPU reaches besides RAM -------------------------------------------------------------------------

    def read_port(self, port: int, size: int) -> int:
        """IN."""
        self.bus.advance(self.journal.clock)
        value = self.bus.read_port(port, size)
        self._report_port(port, value, False)
        return value

    def write_port(self, port: int, size: int, value: int) -> None:
        """OUT. Ends the run if it changed what is due, or what interrupts."""
        self.bus.advance(self.journal.clock)
        due = self.bus.next_due()
        self._report_port(port, value, True)
        self.bus.write_port(port, size, value)
        if self.bus.next_due() != due or self.pic.pending() is not None:
            self.cpu.interrupt_run()

    def _report_port(self, port: int, value: int, write: bool) -> None:
        device = self.bus.port_device(port) or "nothing"
        self.journal.report(PortAccessed, device=device, address=port, data=value, write=write)

    def read_mmio(self, address: int, size: int) -> int:
        """A load that no RAM answers."""
        self.bus.advance(self.journal.clock)
        value = self.bus.read_mmio(address, size)
        self.journal.report(PortAccessed, device="mmio", address=address, data=value, write=False)
        return value

    def write_mmio(self, address: int, size: int, value: int) -> None:
        """A store that no RAM takes."""
        self.bus.advance(self.journal.clock)
        self.journal.report(PortAccessed, device="mmio", address=address, data=value, write=True)
        self.bus.write_mmio(address, size, value)
        self.cpu.interrupt_run()

    def _report_dma(self, device: str, address: int, data: bytes, write: bool) -> None:
        wanted = self.journal.wants(DmaDone)  # a digest nobody sees is not made
        fields = event_fields(device, address, data, write) if wanted else {}
        self.journal.report(DmaDone, **fields)

    def _set_line(self, irq: int, level: bool) -> None:
        self.pic.set_line(irq, level)

    def _transmit(self, byte: int) -> None:
        self.console.append(byte)
        if byte == 0x0A:
            text = self.console[self._line_start : -1].decode("utf-8", "replace")
            self._line_start = len(self.console)
            self.journal.report(ConsoleWritten, text=text)

    def _exit(self, code: int) -> None:
        orderly = code == ORDERLY_EXIT
        ending = Ending.EXITED if orderly else Ending.PANICKED
        self.ended = Ended(ending, code, f"{ending.value} (debug exit {code:#x})")
        self.cpu.interrupt_run()

    def _on_break(self, rip: int) -> bool:
        if rip not in self._breaks or self.journal.insn == self._break_at_insn:
            return False
        if self._accepts is None or self._accepts(rip):
            self._break_at_insn = self.journal.insn
            self._broke = True
            return True
        return False

    def _on_watch(self, rip: int) -> None:
        tracepoint = self.boot.tracepoints.get(rip)
        if tracepoint is not None:
            self._mark(tracepoint)

    def _mark(self, tracepoint: Tracepoint) -> None:
        context = self.cpu.engine.context.save()
        registers = [context.gpr(register) for register in _ARGUMENT_REGISTERS]
        arguments = tracepoint.arguments(registers, self._text_at)
        match tracepoint.name:
            case "upcall":
                self.journal.report(
                    UpcallMade, name=self._role(arguments), arguments=_numbers(arguments, registers)
                )
                return
            case "ack":
                self.journal.report(Acknowledged, name="ukshm_ack", arguments=_numbers(arguments, registers))
                return
            case "packet_in":
                self.network.packet_came(registers[0])
            case "packet_end":
                self.network.packet_ended(registers[0])
            case _:
                pass
        self.journal.report(Marked, name=tracepoint.name, arguments=arguments)

    def _role(self, arguments: Mapping[str, int | str]) -> str:
        role = arguments.get("role", "")
        return self.boot.role_names.get(role, f"role {role}") if isinstance(role, int) else role

    def _text_at(self, linear: LinearAddress) -> str:
        text = self.cpu.code_bytes(linear, _LONGEST_TEXT).split(b"\0")[0]
        return text.decode("utf-8", "backslashreplace")

    # -- running ------------------------------------------------------------------------------------------------

    def run(self, instructions: int) -> Stop:
        """Execute up to `instructions`; less if a break is met or the guest ends."""
        target = self.journal.insn + instructions
        self._broke = False
        Machine.running += 1
        try:
            return self._run_to(target)
        finally:
            Machine.running -= 1

    def _run_to(self, target: int) -> Stop:
        while True:
            if Machine.interrupted:
                Machine.interrupted = False
                raise KeyboardInterrupt
            if not self._broke:
                self._apply_inputs()
            if self.ended is not None:
                return Stop.ENDED
            if self._broke:
                return Stop.BREAK
            if self.journal.insn >= target:
                return Stop.LIMIT
            if self.keep_history:
                self._pass_checkpoint()
            try:
                self._run_slice(target)
            except ShutDown as shut_down:
                self.ended = Ended(Ending.TRIPLE_FAULT, None, str(shut_down))
            except FaultsForEver as endless:
                self.ended = Ended(Ending.FAULTS_FOR_EVER, None, str(endless))

    def _run_slice(self, target: int) -> None:
        """Up to the next thing that is due: a device, an input, a checkpoint, the target."""
        cpu, journal = self.cpu, self.journal
        self.bus.advance(journal.clock)
        pending = self.pic.pending() is not None
        if pending and cpu.can_interrupt():
            self._interrupt()
            return
        due = self.bus.next_due()
        if cpu.halted:
            self._idle(due)
            return
        ends = [target, journal.insn + LONGEST_SLICE]
        if due is not None:
            ends.append(journal.insn + max(1, due - journal.clock))
        if self._inputs_applied < len(self.inputs):
            ends.append(self.inputs[self._inputs_applied].insn)
        if self.keep_history:
            ends.append(self.history.next_insn())
        cpu.interrupt_waiting = pending
        cpu.run(max(1, min(ends) - journal.insn))

    def _interrupt(self) -> None:
        from_user = self.cpu.engine.context.save().hflags & 3 == 3
        only_ticks = self.cpu.halted and not from_user and self.pic.pending() == self.pic.vector(0)
        self._idle_ticks = self._idle_ticks + 1 if only_ticks else 0
        if self._idle_ticks > IDLE_TICKS:
            if not self._busy():
                self._end_idle(f"{IDLE_TICKS} timer ticks in a row and nobody to wake")
                return
            self._idle_ticks = 0
        self.cpu.halted = False
        self.cpu.microcode.deliver(self.pic.acknowledge(), None)

    def _busy(self) -> bool:
        """Whether somebody will act by and by although nobody has for long: input on its way, a disk, a sleeper."""
        under_way = self.virtio.is_busy() or bool(self.network.in_flight)
        return bool(self.uart.waiting) or under_way or self.has_sleeper()

    def _at_rest(self) -> bool:
        """Whether a guest that halts has nothing to do: then the next frame of a capture may come in, or the end."""
        return not (self.network.in_flight or self.virtio.is_busy()) and self.pic.pending() is None

    def _idle(self, due: int | None) -> None:
        """HLT: jump from one due device event to the next, until an interrupt comes of one."""
        if not self.cpu.can_interrupt():
            self._end_idle("HLT with interrupts off")
            return
        for _ in range(IDLE_TICKS):
            if self._at_rest() and self.network.next_thing(self.journal.clock):
                self.bus.advance(self.journal.clock)
                if self.pic.pending() is not None:
                    return
                due = self.bus.next_due()
            if due is None:
                self._end_idle("HLT, and no device is due")
                return
            self.journal.idle += max(1, due - self.journal.clock)
            self.bus.advance(self.journal.clock)
            if self.pic.pending() is not None:
                return
            due = self.bus.next_due()
        self._end_idle(f"HLT, and {IDLE_TICKS} device events in a row without an interrupt")

    def _end_idle(self, text: str) -> None:
        self.ended = Ended(Ending.IDLE_FOR_EVER, None, f"{Ending.IDLE_FOR_EVER.value}: {text}")

    def run_until(
        self,
        limit: int,
        addresses: set[int] | None = None,
        wants: Callable[[Event], bool] | None = None,
        accepts: Callable[[int], bool] | None = None,
    ) -> Stop:
        """Run until the instruction at one of `addresses` is next, or an event that `wants` accepts has happened.

        `accepts` is asked at each of the addresses, before anything of its instruction has happened.
        """
        added = (addresses or set()) - self.cpu.watched
        self.cpu.watched |= added
        self._breaks, self._accepts = addresses or set(), accepts

        def observe(event: Event) -> None:
            if wants is not None and wants(event):
                self._broke = True
                self.cpu.interrupt_run()

        self.journal.observers.append(observe)
        try:
            return self.run(limit)
        finally:
            self.journal.observers.remove(observe)
            self._breaks, self._accepts = set(), None
            self.cpu.unwatch(added)

    def step(self, count: int = 1) -> Stop:
        """Execute exactly `count` instructions, if the guest lives so long."""
        return self.run(count)

    # -- inputs -------------------------------------------------------------------------------------------------

    def input(self, actor: str, address: int, data: bytes) -> None:
        """Let something from outside act now. What was recorded after this moment is another future: it is dropped."""
        self._forget_future()
        self.inputs.append(self._input_now(actor, address, data))
        self._apply_inputs()

    def attach_peer(self, card: str, peer: FramePeer) -> None:
        """Ask `peer` about each frame that `card` sends from now on; what it answers is recorded. The link stays up."""
        self.input(f"open {card}", 0, b"")
        self.frame_peers[card] = peer

    def take_peers(self, other: "Machine") -> None:
        """Ask the peers of `other` from now on, of which this is a copy at the same moment."""
        self._forget_future()
        self.frame_peers = dict(other.frame_peers)

    @property
    def applied_inputs(self) -> list[Input]:
        """The inputs that led to this moment."""
        return self.inputs[: self._inputs_applied]

    def _input_now(self, actor: str, address: int, data: bytes) -> Input:
        journal, has_ended = self.journal, self.ended is not None
        return Input(journal.insn, actor, address, data, journal.clock, journal.seq, has_ended)

    def _forget_future(self) -> None:
        del self.inputs[self._inputs_applied :]
        self.history.forget_future()
        self._heard[:] = self.console
        self._told = {name: card.sent for name, card in self.network.cards.items()}

    def _apply_inputs(self) -> None:
        while self._inputs_applied < len(self.inputs):
            entry = self.inputs[self._inputs_applied]
            if entry.actor.startswith(_PEER) or not self._has_come(entry):
                return
            self._apply(entry)

    def _has_come(self, entry: Input) -> bool:
        journal = self.journal
        if entry.ended and self.ended is None:
            return False
        return entry.insn <= journal.insn and entry.clock <= journal.clock and entry.seq <= journal.seq

    def _apply(self, entry: Input) -> None:
        self._inputs_applied += 1
        self.journal.report(InputApplied, actor=entry.actor, address=entry.address, data=entry.data.hex())
        verb, _, card = entry.actor.partition(" ")
        if (
            verb in ("type", "inject")
            and self.ended is not None
            and self.ended.ending is Ending.IDLE_FOR_EVER
        ):
            self.ended = None  # somebody came after all
            self._idle_ticks = 0
        match verb:
            case "type":
                for byte in entry.data:
                    self.uart.receive(byte)
            case "poke":
                self.memory.write(PhysicalAddress(entry.address), entry.data)
            case "invalidate":
                self.mmu.invlpg(LinearAddress(entry.address))
            case "inject":
                self.network.cards[card].arrive(self.journal.clock, entry.data)
            case "open":
                self.network.open |= {card}
            case _:
                pass

    def _sent(self, card: VirtioNet, number: int, clock: int, frame: bytes) -> bool:
        """A frame has gone out: tell those outside for the first time, and let in what a peer answers, or answered."""
        known = number < self._told[card.name]
        if not known:
            self._told[card.name] = number + 1
            for listener in self.sent_listeners:
                listener(card.name, clock, frame)
            peer = self.frame_peers.get(card.name)
            if peer is not None:
                actor = f"{_PEER}{card.name}"
                self.inputs[self._inputs_applied :] = [self._input_now(actor, number, a) for a in peer(frame)]
        return self._take_answers(card, number, clock)

    def _take_answers(self, card: VirtioNet, number: int, clock: int) -> bool:
        """Apply the log's next entries as far as they answer that frame. Whether there were any."""
        before = self._inputs_applied
        for entry in self.inputs[before:]:
            if entry.actor != f"{_PEER}{card.name}" or entry.address != number:
                break
            self._apply(entry)
            card.arrive(clock + LATENCY, entry.data)
        return self._inputs_applied > before

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def _pass_checkpoint(self) -> None:
        """At the next checkpoint of the history: keep it, or note that a replay has come past it."""
        if self.journal.insn < self.history.next_insn():
            return
        if self.history.come_past():
            self.memory.written.clear()
            self.mmu.tlb.slow_down()
        else:
            self._take_checkpoint()

    def _take_checkpoint(self) -> None:
        self.history.keep(self._checkpoint())
        self.mmu.tlb.slow_down()

    def _checkpoint(self) -> Checkpoint[MachineState]:
        written, self.memory.written = self.memory.written, set()
        frames = {frame: self.memory.frame(frame) for frame in written if frame < self.memory.frames}
        return Checkpoint(self.journal.insn, self._state(), frames)

    def _state(self) -> MachineState:
        return MachineState(
            journal=self.journal.state(),
            cpu=self.cpu.state(),
            mmu=self.mmu.state(),
            devices=self.bus.state(),
            console_bytes=len(self.console),
            ended=self.ended,
            idle_ticks=self._idle_ticks,
            inputs_applied=self._inputs_applied,
            network=self.network.state(),
        )

    def _restore(self, index: int) -> None:
        for frame, content in self.history.frames_to_restore(index, self.memory.written).items():
            self.memory.write(PhysicalAddress(frame << PAGE_SHIFT), content)
        self.memory.written.clear()
        self.history.origin = index
        saved = self.history.checkpoints[index].state
        self.journal.load_state(saved.journal)
        self.mmu.load_state(saved.mmu)
        self.cpu.load_state(saved.cpu)
        self.bus.load_state(saved.devices)
        if len(self.console) > len(self._heard):
            self._heard[:] = self.console
        self.console[:] = self._heard[: saved.console_bytes]
        self._line_start = self.console.rfind(b"\n") + 1
        self.ended = saved.ended
        self._idle_ticks = saved.idle_ticks
        self._inputs_applied = saved.inputs_applied
        self.network.load_state(saved.network)
        self._break_at_insn = -1

    def seek(self, insn: int) -> None:
        """Be where `insn` instructions had been executed: restore the nearest checkpoint, replay in silence.

        Where somebody looks once, they look again near it: after a long replay a place shortly before becomes a
        checkpoint too. ValueError if the machine keeps no history or has not been there.
        """
        if not self.keep_history or insn < 0:
            raise ValueError("this machine cannot go back: it keeps no history")
        index = self.history.nearest(insn)
        if not (self.history.checkpoints[index].insn <= self.journal.insn <= insn):
            self._restore(index)
        with self.journal.silence():
            self.run(max(0, insn - NEAR - self.journal.insn))
            if self.history.has_room(self.journal.insn):
                self.history.keep_between(self._checkpoint())
                self.mmu.tlb.slow_down()
            self.run(insn - self.journal.insn)

    def step_back(self, count: int = 1) -> None:
        """Undo `count` instructions, or as many as there are."""
        self.seek(max(0, self.journal.insn - count))

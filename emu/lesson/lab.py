# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: a machine, its guest's names, and the verbs a scenario uses on them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Final, Literal

from emu.bits import LinearAddress, PhysicalAddress
from emu.cpu.model import DEFAULT as DEFAULT_CPU
from emu.events import Event, Kind
from emu.guest.c_types import Structure
from emu.guest.expression import Value
from emu.guest.switches import SwitchError
from emu.guest.symbols import SymbolError
from emu.lesson.boot import DEFAULT_BUDGET, DEFAULT_MEMORY_MIB, Booted, PathOrPaths, boot, request_of, texts
from emu.lesson.conditions import At, Call, Condition, Happened, Instruction, Return
from emu.lesson.errors import LabError
from emu.lesson.killing import INIT, kill_pokes
from emu.lesson.network_verbs import NetworkVerbs
from emu.lesson.pages import LETTERS, Asker, Check, Item, Page, Question
from emu.lesson.registers import Registers, registers_of
from emu.lesson.snapshot import Snapshot, take_snapshot
from emu.lesson.switches import switch_pokes
from emu.lesson.views import (
    AreasView,
    Console,
    Counters,
    EventLine,
    Events,
    EventsView,
    Frames,
    Memory,
    MemoryView,
    Spaces,
    StructureView,
    TlbView,
    structure_view,
    tlb_view,
)
from emu.lesson.what_if import Comparison, compare_labs, replayed
from emu.lesson.writers import Changes, find_changes
from emu.machine import Ended, Machine, Stop
from emu.net.setup import PACES
from emu.paging.formats import PDE_2M, PTE
from emu.tlb.presets import DEFAULT
from emu.view.check import CheckView, check_view
from emu.view.explain import explain
from emu.view.inspector import Inspector, Process
from emu.view.scene import Scene
from emu.view.walk import WalkRow, WalkView, walk_view

FLAG_BITS: Final = {
    name: flag.bit_length() - 1
    for entry_format in (PDE_2M, PTE)
    for name, flag in entry_format.flag_masks.items()
    if name != "PAT"
}
"""The number of each flag of a paging-structure entry."""
Then = Literal["return"] | None


class Lab(NetworkVerbs):
    """What a step function is given. The machine it moves is the head; a screen looks at a copy of its past."""

    def __init__(
        self, ask: Asker | None = None, tlb: str | None = None, seed: int = 0, cpu: str | None = None
    ) -> None:
        self._booted: Booted | None = None
        self._ask = ask
        self._tlb = tlb
        self._cpu = cpu
        self._seed = seed
        self.kernel: Path | None = None
        """The kernel to boot instead of the bundled one: the student's, while a step that is a lab runs."""
        self.boots = 0
        """How many machines this lab has booted, one after the other."""
        self.page = Page()
        self.events = Events()
        """Every event since the boot but plain level-1 hits, oldest first."""
        self.answers: list[int | None] = []
        self.notes = SimpleNamespace()
        """What a step keeps for a later one."""
        self.on_boot: list[Callable[[Booted], None]] = []
        """Called with each machine before it runs."""

    # -- machine --------------------------------------------------------------------------------------------------

    def boot(
        self,
        program: str,
        *arguments: str,
        tlb: str = DEFAULT,
        switches: Mapping[str, str] | None = None,
        memory_mib: int = DEFAULT_MEMORY_MIB,
        seed: int | None = None,
        cpu: str = DEFAULT_CPU,
        disk: str | None = None,
        net_in: PathOrPaths = (),
        net_pace: str = PACES[0],
        peer: PathOrPaths = (),
        files: PathOrPaths = (),
        network: bool = False,
    ) -> None:
        """A fresh machine, at reset. The student's own choice of TLB and CPU, if any, goes before the scenario's.

        `disk`: an image file, which is read and never written, or blank:8M. `net_in`: captures, "[eth0=]FILE", that
        come in at `net_pace`, "pcap" or "closed". `peer`: "tftp=DIR". `files`: host files for the guest, by base name.
        `network`: the cards' links stay up when the captures end, since `inject` brings more.
        """
        request = request_of(
            program,
            arguments,
            tlb=self._tlb or tlb,
            switches=switches,
            memory_mib=memory_mib,
            seed=self._seed if seed is None else seed,
            kernel=self.kernel,
            cpu=self._cpu or cpu,
            disk=disk,
            net_in=texts(net_in),
            net_pace=net_pace,
            peer=texts(peer),
            files=texts(files),
            network=network,
        )
        self._booted = boot(request)
        self.boots += 1
        for observe in self.on_boot:
            observe(self._booted)
        self.events = Events()
        self.machine.journal.observers.append(self._note)

    def _note(self, event: Event) -> None:
        self.events.append(event)

    @property
    def has_booted(self) -> bool:
        """Whether there is a machine."""
        return self._booted is not None

    @property
    def booted(self) -> Booted:
        """The boot. LabError before `boot`."""
        if self._booted is None:
            raise LabError("no machine yet: the scenario's setup must call lab.boot first")
        return self._booted

    @property
    def machine(self) -> Machine:
        """The head machine."""
        return self.booted.machine

    @property
    def inspector(self) -> Inspector:
        """Questions to the head machine in the guest's names."""
        return self.booted.inspector

    # -- running --------------------------------------------------------------------------------------------------

    def run_until(self, condition: Condition, limit: int = DEFAULT_BUDGET, then: Then = None) -> None:
        """Run until `condition` holds. LabError if the guest ends or `limit` instructions pass before it does."""
        if isinstance(condition, Return):
            self.run_until(Call(condition.symbol), limit)
            self._run_to_return(limit)
            return
        if isinstance(condition, Instruction):
            self.step(max(0, condition.number - self.machine.journal.insn))
            return
        if isinstance(condition, (Call, At)):
            stop = self._run_to_place(condition, limit)
        elif isinstance(condition, Kind):
            stop = self.machine.run_until(limit, wants=Happened(condition))
        else:
            stop = self.machine.run_until(limit, wants=condition)
        if stop is not Stop.BREAK:
            raise LabError(f"{condition} did not come: {self._why(stop)}")
        if then == "return":
            self._run_to_return(limit)

    def _run_to_place(self, condition: Call | At, limit: int) -> Stop:
        """Run to a place. A place in the program is met only in a process that runs it: others share its addresses."""
        places = self.places(condition)
        program = self.booted.program
        end = self.machine.journal.insn + limit
        while (
            stop := self.machine.run_until(end - self.machine.journal.insn, addresses=places)
        ) is Stop.BREAK:
            if program is None or self.inspector.symbols.is_kernel_address(self.inspector.rip()):
                break
            process = self.inspector.process()
            if process is not None and process.name == program.name:
                break
        return stop

    def _why(self, stop: Stop) -> str:
        return self.ended.text if self.ended is not None else stop.value

    def _run_to_return(self, limit: int) -> None:
        """At a function's first instruction: run until it has returned to its caller, in the same process."""
        context = self.machine.cpu.engine.context.save()
        stack = context.gpr(4)
        back = int.from_bytes(self.inspector.read(LinearAddress(stack), 8), "little")
        while self.machine.run_until(limit, addresses={back}) is Stop.BREAK:
            if self.machine.cpu.engine.context.save().gpr(4) == stack + 8:
                return
            self.machine.step()
        raise LabError("the function did not return: the guest ended first")

    def places(self, condition: Call | At) -> set[int]:
        """The addresses that a place names. Symbol errors name the near ones."""
        place = condition.symbol if isinstance(condition, Call) else condition.place
        if isinstance(place, int):
            return {place}
        program = self.booted.program
        scope = self.inspector.symbols.scope(program.name if program else None)
        file, colon, line = place.rpartition(":")
        if colon and line.isdigit():
            for table in scope:
                try:
                    return set(table.addresses_of(file, int(line))[:1])
                except Exception as error:
                    if table is scope[-1]:
                        raise LabError(str(error)) from None
        return {self.inspector.symbols.address_of(place, program.name if program else None)}

    def run_to_exit(self, limit: int = DEFAULT_BUDGET) -> Ended | None:
        """Run until the guest ends; None if `limit` instructions pass before."""
        self.machine.run(limit)
        return self.ended

    def step(self, count: int = 1) -> None:
        """Execute `count` instructions."""
        self.machine.step(count)

    def step_line(self, limit: int = 100_000) -> None:
        """Execute until another source line of the same ring begins."""
        inspector = self.inspector
        start, ring = inspector.source(inspector.rip()), self.machine.journal.cpl
        for _ in range(limit):
            if self.machine.step() is Stop.ENDED:
                return
            line = inspector.source(inspector.rip())
            if line is not None and line != start and self.machine.cpu.ring() == ring:
                return

    def step_back(self, count: int = 1) -> None:
        """Undo `count` instructions; what came after is forgotten."""
        self.machine.step_back(count)
        self._forget_after()

    def back_until(self, condition: Callable[[Event], bool]) -> None:
        """Go back to just before the latest event that `condition` accepts. LabError if there is none."""
        for event in reversed(self.events):
            if condition(event):
                self.machine.seek(max(0, event.insn - 1))
                self._forget_after()
                return
        raise LabError("no such event happened so far")

    def _forget_after(self) -> None:
        seq = self.machine.journal.seq
        while self.events and self.events[-1].seq >= seq:
            self.events.pop()

    @property
    def ended(self) -> Ended | None:
        """How the guest ended, if it has."""
        return self.machine.ended

    # -- looking --------------------------------------------------------------------------------------------------

    def walk(self, linear: int, process: str | None = None) -> WalkView:
        """The walk of `linear` as memory is now, and what each TLB holds for it."""
        found = self._process(process)
        return walk_view(self.inspector, LinearAddress(linear), found)

    def check(self, process: str | None = None) -> CheckView:
        """What the page-table checker finds now: in every address space, or in that of one process, and in the TLB."""
        return check_view(self.inspector, self._process(process))

    def _process(self, name: str | None) -> Process | None:
        if name is None:
            return None
        found = self.inspector.process_named(name)
        if found is None:
            known = ", ".join(str(p) for p in self.inspector.processes()) or "none"
            raise LabError(f"no process {name!r} lives now; there are: {known}")
        return found

    def value(self, expression: str) -> int:
        """The number that a C expression over globals stands for."""
        return int(self.inspector.value(expression))

    def evaluate(self, expression: str) -> Value:
        """The value of a C expression, with its type and bytes."""
        return self.inspector.value(expression)

    def symbol(self, name: str) -> LinearAddress:
        """The address of a symbol, in the program first."""
        return self.inspector.address(name)

    def kernel_alias(self, linear: int) -> LinearAddress:
        """The kernel's own address, in the direct map, of the byte at `linear`."""
        return self.inspector.kernel_alias(LinearAddress(linear))

    def memory(self, linear: int, count: int) -> Memory:
        """Bytes as memory maps them now."""
        return Memory(self.inspector.read(LinearAddress(linear), count))

    def dump(self, linear: int, count: int, before: bytes | None = None) -> MemoryView:
        """A view of `count` bytes; with the bytes of an earlier moment, of what changed."""
        name = self.inspector.name(linear)
        return MemoryView(linear, name, bytes(self.memory(linear, count)), before)

    def structure(self, expression: str, before: bytes) -> StructureView:
        """A structure, member by member, as it is now and as it was when `before` was its bytes."""
        value = self.evaluate(expression)
        if not isinstance(value.type, Structure) or value.address is None:
            raise LabError(f"{expression} is no structure in memory, but {value.type.name}")
        return structure_view(value.type.name, value.address, value.type, before, value.raw)

    @property
    def console(self) -> Console:
        """What the guest has printed."""
        return Console(self.machine.console.decode("utf-8", "backslashreplace"))

    @property
    def frames(self) -> Frames:
        """The guest's frame table."""
        return Frames(self.inspector.frames())

    @property
    def spaces(self) -> Spaces:
        """The areas of every process, by "name(pid)"."""
        return Spaces({str(p): p.areas for p in self.inspector.processes()})

    def space(self, process: str | None = None) -> AreasView:
        """The areas of the running process, or of another by name or pid."""
        found = self._process(process) or self.inspector.process()
        if found is None:
            raise LabError("no process runs now")
        return AreasView(str(found), found.areas)

    @property
    def counters(self) -> Counters:
        """Every counter by its PMU name."""
        machine = self.machine
        return Counters(machine.mmu.counters.report(machine.journal.insn, machine.geometry.cost))

    @property
    def registers(self) -> Registers:
        """The registers by name."""
        return registers_of(self.machine)

    @property
    def tlb(self) -> TlbView:
        """Everything that the TLBs hold now, and the paging-structure caches."""
        return tlb_view(self.inspector)

    def explain(self, event: Event) -> str:
        """Why: one sentence with the actual bits and the manual's section, in the guest's names of now.

        Of the last instruction it says more than of an older one: only then do tables and TLBs stand as it left them.
        """
        journal = self.machine.journal
        step = [other for other in self.events if other.insn == event.insn]
        now = journal.insn in (event.insn - 1, event.insn)
        return explain(event, Scene(self.inspector.name, step, self.machine.mmu, now))

    def told(self, events: list[Event], title: str) -> EventsView:
        """Events under a title, each with its sentence."""
        lines = [EventLine(e.seq, e.insn, e.cpl, e.kind.value, self.explain(e)) for e in events]
        return EventsView(title, tuple(lines))

    # -- before and after -----------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """All of memory now, frame by frame, to compare with a later moment of the same boot."""
        return take_snapshot(self.inspector, self.boots)

    def frames_changed(self, before: Snapshot, after: Snapshot | None = None) -> Changes:
        """Which frames differ between two snapshots (the later: now), and who wrote them in between."""
        after = after or self.snapshot()
        if before.boot != self.boots or after.boot != self.boots:
            raise LabError("a snapshot of an earlier machine: compare two moments of one boot")
        return find_changes(self._replay, self.machine.inputs, before, after)

    def _replay(self, moment: Snapshot) -> Booted:
        return replayed(self.booted.request, self.machine.inputs[: moment.inputs], moment.insn, moment.seq)

    def fork(self) -> "Lab":
        """An independent copy of the machine at this moment: what if?"""
        journal = self.machine.journal
        inputs = self.machine.applied_inputs
        copy = Lab(None, self._tlb, self._seed, self._cpu)
        copy.boots, copy.kernel = self.boots, self.kernel
        copy._booted = replayed(self.booted.request, inputs, journal.insn, journal.seq, copy._note, True)
        if self.ended is not None:
            copy.machine.run(1)  # the end, after no more instructions
        copy.machine.take_peers(self.machine)
        return copy

    def beside(self, tlb: str | None = None) -> "Lab":
        """A lab of its own, for a second machine from reset: the student's choices, but for `tlb` if it is given."""
        other = Lab(None, tlb or self._tlb, self._seed, self._cpu)
        other.kernel = self.kernel
        return other

    def compare(self, a: "Lab", b: "Lab | None" = None) -> Comparison:
        """Where two runs part, and how their machines differ now. With one argument: this run and that one."""
        return compare_labs(self, a) if b is None else compare_labs(a, b)

    # -- acting ---------------------------------------------------------------------------------------------------

    def poke(self, linear: int, data: bytes) -> None:
        """Write bytes behind the guest's back; recorded as an input."""
        found = self.inspector.walk(LinearAddress(linear))
        physical = linear if found is None else found.physical
        self.machine.input("poke", physical, data)

    def flip(self, entry: WalkRow | int, bit: str | int) -> None:
        """Turn one bit of a paging-structure entry over, behind the guest's back; recorded as an input.

        `entry` is a row of a walk, or an entry's physical address; `bit` a number or a flag ("P", "RW", "US", ...).
        """
        address = entry if isinstance(entry, int) else entry.address
        number = bit if isinstance(bit, int) else FLAG_BITS.get(bit, -1)
        if not 0 <= number < 64:
            raise LabError(f"no bit {bit!r} in an entry: give 0 to 63, or one of {', '.join(FLAG_BITS)}")
        at = PhysicalAddress(address + number // 8)
        old = self.machine.memory.read(at, 1)[0]
        self.machine.input("poke", at, bytes([old ^ 1 << number % 8]))

    def invalidate(self, linear: int) -> None:
        """Drop what the TLBs hold for the page, as INVLPG would; recorded as an input."""
        self.machine.input("invalidate", linear, b"")

    def type(self, text: str) -> None:
        """Type on the console; recorded as an input."""
        self.machine.input("type", 0, text.encode())

    def kill(self, program: str) -> None:
        """Tell a process to end, by name or pid, as the call kill does for root; recorded as inputs.

        It ends on its way to ring 3; where it waits for something that a kill may end, it is woken. LabError if no such
        process lives, and for init, whose end is the guest's.
        """
        found = self._process(program)
        assert found is not None
        if found.pid == INIT:
            raise LabError("init cannot be killed: the guest ends with it")
        for linear, data in kill_pokes(self.inspector, found):
            self.poke(linear, data)

    def set_switch(self, name: str, value: str) -> None:
        """Give a switch of the kernel another value from now on, recorded as inputs: for what if, on a fork.

        What the kernel asks for at its start only (cpu.smep, ...) stays as it was. LabError for what it does not know.
        """
        try:
            pokes = switch_pokes(self.booted.kernel, name, value)
        except (SwitchError, SymbolError) as error:
            raise LabError(str(error)) from None
        if any(self.inspector.walk(LinearAddress(linear)) is None for linear, _ in pokes):
            raise LabError("the kernel's memory is not mapped yet: run on to trace_boot_done first")
        for linear, data in pokes:
            self.poke(linear, data)

    # -- teaching -------------------------------------------------------------------------------------------------

    def show(self, *views: Item) -> None:
        """Put views (walks, tables, anything with a text) on the step's page."""
        self.page.items.extend(views)

    def say(self, markdown: str) -> None:
        """Put a paragraph on the step's page."""
        self.page.items.append(markdown)

    def ask(
        self, text: str, *, choices: list[str], answer: int | Callable[["Lab"], int], hint: str
    ) -> int | None:
        """Put a question; the student's choice, or None if nobody is asked.

        `answer` is the index of the right choice, or a function that computes it from the lab. LabError for a
        question without two choices or with too many, a right answer among them, and a hint.
        """
        right = answer(self) if callable(answer) else answer
        if not 2 <= len(choices) <= len(LETTERS) or not 0 <= right < len(choices) or not hint:
            raise LabError(
                f"question {text[:40]!r}: give 2 to {len(LETTERS)} choices, one of them the answer, and a hint"
            )
        question = Question(text, tuple(choices), right, hint)
        self.page.items.append(question)
        given = self._ask(question) if self._ask is not None else None
        self.answers.append(given)
        return given

    def expect(self, condition: bool, message: str) -> None:
        """Check that something holds; `message` says what, as a sentence that is true if it does."""
        if not message:
            raise LabError("a check without a message: say what must hold")
        self.page.items.append(Check(message, bool(condition)))

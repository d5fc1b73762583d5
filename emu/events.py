# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be said about a run: one flat, numbered list of past facts.

Every event carries `seq` (its number since reset, counted whether it is kept or not), `insn` (instructions
begun, the one it belongs to included), `cpu`, `cpl` and `rip`. `kind` is the tag. Addresses are integers in
memory; a trace file and a screen format them.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

import msgspec


class Kind(StrEnum):
    """The kinds of event, by the names that traces and scenarios use."""

    ACCESS = "access"
    ENTRY_READ = "entry_read"
    ENTRY_WRITE = "entry_write"
    TLB_FILL = "tlb_fill"
    TLB_EVICT = "tlb_evict"
    INVALIDATE = "invalidate"
    FAULT = "fault"
    INTERRUPT = "interrupt"
    RETURN = "return"
    SYSCALL = "syscall"
    UPCALL = "upcall"
    ACK = "ack"
    PORT = "port"
    DMA = "dma"
    CONSOLE = "console"
    INPUT = "input"
    MARK = "mark"


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every event has."""

    seq: int
    insn: int
    cpu: int
    cpl: int
    rip: int

    @property
    def kind(self) -> Kind:
        """The event's kind, which is also its tag in a trace."""
        return Kind(str(self.__struct_config__.tag))


class Accessed(Event, frozen=True, kw_only=True, tag="access"):
    """One fetch, read or write, within one page. `tlb` is "l1_hit", "l2_hit" or "miss"."""

    linear: int
    physical: int
    size: int
    type: str
    implicit: bool
    tlb: str
    stale: bool


class EntryRead(Event, frozen=True, kw_only=True, tag="entry_read"):
    """The walker read a paging-structure entry."""

    level: str
    table: int
    index: int
    address: int
    before: int
    after: int
    why: str


class EntryWritten(Event, frozen=True, kw_only=True, tag="entry_write"):
    """The walker set A or D in a paging-structure entry."""

    level: str
    table: int
    index: int
    address: int
    before: int
    after: int
    why: str


class TlbFilled(Event, frozen=True, kw_only=True, tag="tlb_fill"):
    """A translation was put into an array. `page` is in units of `page_bytes`, `frame` of 4 KiB."""

    array: str
    set: int
    way: int
    page: int
    frame: int
    page_bytes: int
    pcid: int
    is_global: bool = msgspec.field(name="global")
    rights: str
    cause: str


class TlbEvicted(Event, frozen=True, kw_only=True, tag="tlb_evict"):
    """A translation lost its place in an array to another.

    `age`: how many uses of the array ago it was used; under FIFO filled. Older traces do not tell (None).
    """

    array: str
    set: int
    way: int
    page: int
    frame: int
    page_bytes: int
    pcid: int
    is_global: bool = msgspec.field(name="global")
    rights: str
    cause: str
    age: int | None = None


class Invalidated(Event, frozen=True, kw_only=True, tag="invalidate"):
    """Translations were dropped on purpose. `dropped` lists "array set.way page" of each."""

    operation: str
    scope: str
    dropped: list[str]


class Faulted(Event, frozen=True, kw_only=True, tag="fault"):
    """An exception was raised. `entry` is the address of the entry that refused, if one did."""

    vector: int
    error: int | None
    error_bits: str
    cr2: int | None
    reason: str
    entry: int | None
    entry_value: int | None
    level: str | None


class Interrupted(Event, frozen=True, kw_only=True, tag="interrupt"):
    """An external or software interrupt was delivered."""

    vector: int
    source: str


class Returned(Event, frozen=True, kw_only=True, tag="return"):
    """Control went back to where an event or a system call came from."""

    instruction: str
    to_rip: int
    to_cpl: int


class SyscallEntered(Event, frozen=True, kw_only=True, tag="syscall"):
    """A program asked the kernel for something. `result` is None at entry."""

    number: int
    name: str
    arguments: list[int]
    result: int | None


class UpcallMade(Event, frozen=True, kw_only=True, tag="upcall"):
    """The kernel called a function in a program (a "reverse syscall")."""

    name: str
    arguments: list[int]


class Acknowledged(Event, frozen=True, kw_only=True, tag="ack"):
    """A program answered an upcall."""

    name: str
    arguments: list[int]


class PortAccessed(Event, frozen=True, kw_only=True, tag="port"):
    """A device register was read or written through an I/O port or MMIO."""

    device: str
    address: int
    data: int
    write: bool


class DmaDone(Event, frozen=True, kw_only=True, tag="dma"):
    """A device read a buffer in guest memory, or wrote guest memory, on its own.

    `data` is the first 16 bytes in hex; `digest` begins the SHA-256 of all `size` of them if there are more.
    """

    device: str
    address: int
    size: int
    data: str
    digest: str = ""
    write: bool


class ConsoleWritten(Event, frozen=True, kw_only=True, tag="console"):
    """The guest printed one line (or what it had of one when the run stopped)."""

    text: str


class InputApplied(Event, frozen=True, kw_only=True, tag="input"):
    """Something from outside acted on the machine."""

    actor: str
    address: int
    data: str


class Marked(Event, frozen=True, kw_only=True, tag="mark"):
    """The guest kernel passed one of its tracepoints."""

    name: str
    arguments: dict[str, int | str]


AnyEvent = (
    Accessed
    | EntryRead
    | EntryWritten
    | TlbFilled
    | TlbEvicted
    | Invalidated
    | Faulted
    | Interrupted
    | Returned
    | SyscallEntered
    | UpcallMade
    | Acknowledged
    | PortAccessed
    | DmaDone
    | ConsoleWritten
    | InputApplied
    | Marked
)

EVENT_TYPES: Final[dict[Kind, type[Event]]] = {
    Kind(str(t.__struct_config__.tag)): t
    for t in (
        Accessed,
        EntryRead,
        EntryWritten,
        TlbFilled,
        TlbEvicted,
        Invalidated,
        Faulted,
        Interrupted,
        Returned,
        SyscallEntered,
        UpcallMade,
        Acknowledged,
        PortAccessed,
        DmaDone,
        ConsoleWritten,
        InputApplied,
        Marked,
    )
}


def fields_of(event: Event) -> dict[str, Any]:
    """The event's own fields, without the ones every event has, in their order."""
    common = set(Event.__struct_fields__)
    return {name: getattr(event, name) for name in event.__struct_fields__ if name not in common}


Observer = Callable[[Event], None]
"""Whoever wants to know: a recorder, a screen, a grader."""


Told = tuple[type[Event], dict[str, Any]]
"""An event that is not made yet: its type, and its own fields."""


class Journal:
    """Where the run is, and the list of those who want to know what happens there.

    The parts of the machine report facts; the journal numbers them. `seq` advances for every event, whether or not
    anybody listens, so that one event has one number in every run and under every choice of kinds. To make an event
    costs more than what it tells of, so none is made that nobody asked for: observers get all of them, listeners those
    of one type, and the last few may be kept to be made when somebody looks.
    """

    __slots__ = ("_last", "_listeners", "cpl", "cpu", "idle", "insn", "observers", "rip", "seq")

    def __init__(self) -> None:
        self.seq = 0
        self.insn = 0
        self.idle = 0
        self.cpu = 0
        self.cpl = 0
        self.rip = 0
        self.observers: list[Observer] = []
        self._listeners: dict[type[Event], list[Observer]] = {}
        self._last: deque[tuple[tuple[int, ...], Callable[..., Iterable[Told]], tuple[Any, ...]]] | None = (
            None
        )

    def listen(self, make: type[Event], listener: Observer) -> None:
        """Hand every event of type `make` to `listener`."""
        self._listeners.setdefault(make, []).append(listener)

    def wants(self, make: type[Event]) -> bool:
        """Whether anybody gets events of type `make` as they happen."""
        return bool(self.observers) or make in self._listeners

    def report(self, make: type[Event], **fields: Any) -> None:
        """Number one event of type `make` and hand it to those who want it."""
        if self._last is not None:
            self._last.append((self._now(), _as_it_is, (make, fields)))
        seq = self.seq
        self.seq = seq + 1
        if self.observers or make in self._listeners:
            event = make(seq=seq, insn=self.insn, cpu=self.cpu, cpl=self.cpl, rip=self.rip, **fields)
            for observer in self.observers:
                observer(event)
            for listener in self._listeners.get(make, ()):
                listener(event)

    def pass_over(self, count: int, tell: Callable[..., Iterable[Told]], *arguments: Any) -> None:
        """Number `count` events that nobody wants; `tell(*arguments)` says what they are, should somebody look back.

        What it is given must not change any more.
        """
        if self._last is not None and count:
            self._last.append((self._now(), tell, arguments))
        self.seq += count

    def _now(self) -> tuple[int, ...]:
        return self.seq, self.insn, self.cpu, self.cpl, self.rip

    def keep_last(self, count: int) -> None:
        """Keep what the last `count` events are made of."""
        self._last = deque(maxlen=count)

    def last_events(self) -> list[Event]:
        """The last events, as many as `keep_last` asked for."""
        kept = self._last or deque[Any](maxlen=0)
        events: list[Event] = []
        for (seq, insn, cpu, cpl, rip), tell, arguments in kept:
            for number, (make, fields) in enumerate(tell(*arguments), seq):
                events.append(make(seq=number, insn=insn, cpu=cpu, cpl=cpl, rip=rip, **fields))
        return events[-(kept.maxlen or 0) :]

    @contextmanager
    def silence(self) -> Generator[None]:
        """Number events for as long as this lasts, and tell nobody."""
        kept = self.observers, self._listeners, self._last
        self.observers, self._listeners, self._last = [], {}, None
        try:
            yield
        finally:
            self.observers, self._listeners, self._last = kept

    @property
    def clock(self) -> int:
        """The board's time: instructions plus idle time, 100 to the microsecond."""
        return self.insn + self.idle

    def state(self) -> tuple[int, ...]:
        """The numbers, for a checkpoint."""
        return self.seq, self.insn, self.idle, self.cpu, self.cpl, self.rip

    def load_state(self, state: tuple[int, ...]) -> None:
        """Go back to `state`."""
        self.seq, self.insn, self.idle, self.cpu, self.cpl, self.rip = state


def _as_it_is(make: type[Event], fields: dict[str, Any]) -> Iterable[Told]:
    return ((make, fields),)

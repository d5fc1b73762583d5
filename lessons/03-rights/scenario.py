# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "rights": what the entries of a walk allow, and every reason there is for a page fault."""

from dataclasses import replace

from emu.bits import hexadecimal
from emu.events import Faulted, Marked
from emu.lesson import At, Event, Kind, Lab, Text, happened, step
from emu.paging.fault import Reason
from emu.paging.rights import AccessType, Controls, Rights, check

PAGE_FAULT = 14
KEYS = (Reason.PROTECTION_KEY_DENIES_ACCESS, Reason.PROTECTION_KEY_DENIES_WRITE)
PROTECTIONS = ("smap", "smep", "wp", "nx")


def setup(lab: Lab) -> None:
    lab.boot("twins")
    lab.notes.seen = {}


def remember(lab: Lab, faults: list[Faulted], where: str) -> None:
    """Note the reasons that have been met: for the table at the end."""
    for fault in faults:
        if fault.reason in Reason.__members__:
            lab.notes.seen.setdefault(fault.reason, (fault.error, where))


def faults_of(lab: Lab, seq: int = 0) -> list[Faulted]:
    """The page faults since `seq`."""
    events = lab.events.since(seq).of(Kind.FAULT, vector=PAGE_FAULT)
    return [event for event in events if isinstance(event, Faulted)]


def controls_of(lab: Lab) -> Controls:
    """What the control registers say of paging."""
    controls = lab.machine.mmu.controls
    assert controls is not None
    return controls


# -- together ---------------------------------------------------------------------------------------------------------


def flipped(lab: Lab, level: int, bit: str) -> Lab:
    """A copy of the machine in which one bit on the way to the letter is turned over, and the TLB told."""
    copy = lab.fork()
    letter = copy.value("letter")
    copy.flip(copy.walk(letter).rows[level], bit)
    copy.invalidate(letter)
    return copy


def result(lab: Lab) -> str:
    """The rights of the way to the letter, all entries together."""
    return lab.walk(lab.value("letter")).rows[-1].rights


@step("together", points=2)
def together(lab: Lab) -> None:
    for _ in range(2):
        lab.run_until(At("note"))
    letter = lab.value("letter")
    lab.show(lab.walk(letter))
    written, hidden, barred = flipped(lab, 2, "RW"), flipped(lab, 0, "US"), flipped(lab, 1, "XD")
    lab.ask(
        "The program is about to store to this page. Suppose that its PDE had R/W = 0, and all else were as it is: the "
        "PTE says R/W = 1. May the program write?",
        choices=[
            "yes: the PTE is about this page, the PDE only about tables",
            "no",
            "yes, but the page becomes dirty",
        ],
        answer=1 if "read only" in result(written) else 0,
        hint="Read the words behind 'so far', from entry to entry. Do they ever become more?",
    )
    lab.ask(
        "XD is 'execute disable'. Suppose that the PTE had XD = 0 and the PDPTE XD = 1. May the page be executed?",
        choices=[
            "yes: one entry without XD is enough",
            "no: one entry with XD is enough",
            "the PTE alone decides",
        ],
        answer=1 if "no execute" in result(barred) else 0,
        hint="R/W and U/S are permissions. XD is a prohibition.",
    )
    seq = written.machine.journal.seq
    written.run_until(happened(Kind.FAULT, vector=PAGE_FAULT))
    fault = faults_of(written, seq)[-1]
    remember(lab, [fault], "a PDE with R/W = 0")
    lab.show(
        written.told([fault], "The store, on a copy of the machine whose PDE has R/W = 0:"),
        written.walk(letter),
    )
    rows = (
        f"as it is                  {result(lab)}",
        f"R/W = 0 in the PDE        {result(written)}",
        f"U/S = 0 in the PML4E      {result(hidden)}",
        f"XD = 1 in the PDPTE       {result(barred)}",
    )
    lab.show(Text("The same page with one bit turned over, in each case on a copy:", rows))
    lab.expect("user, write" in result(lab), "as it is, the page may be written by the program")
    lab.expect("user, read only" in result(written), "R/W = 0 in one entry makes all below it read-only")
    lab.expect("supervisor" in result(hidden), "U/S = 0 in one entry closes all below it to ring 3")
    lab.expect("no execute" in result(barred), "XD = 1 in one entry forbids fetches from all below it")
    lab.expect(
        fault.error == 7 and "R/W = 0" in written.explain(fault),
        "the store was refused for R/W = 0, with error code 0x7",
    )


# -- ring 3 -----------------------------------------------------------------------------------------------------------


def refusals(lab: Lab) -> list[tuple[str, Faulted]]:
    """Of each case that a page fault has ended: its name, and the fault."""
    names = [line.split(": ")[1] for line in lab.console.splitlines() if ": status " in line]
    exits = [event for event in lab.events.of(Kind.MARK, name="process_exit") if isinstance(event, Marked)]
    cases = [event for event in exits if event.arguments["pid"] in range(3, 3 + len(names))]
    found: list[tuple[str, Faulted]] = []
    for name, event in zip(names, cases, strict=False):
        if event.arguments["vector"] == PAGE_FAULT:
            found.append((name, [fault for fault in faults_of(lab) if fault.seq < event.seq][-1]))
    return found


@step("error-codes", points=3)
def error_codes(lab: Lab) -> None:
    lab.boot("faults")
    ahead = lab.beside()
    ahead.boot("faults")
    ahead.run_to_exit()
    codes = {name: fault.error or 0 for name, fault in refusals(ahead)}
    lab.say(
        "Bit 0 of the error code: 1 if an entry was present and refused, 0 if an entry was not present. Bit 1: a "
        "write. Bit 2: in user mode. Bit 3: a reserved bit. Bit 4: a fetch."
    )
    for case, told, hint in (
        (
            "null-read",
            "reads from address 0, where nothing is mapped",
            "Is there an entry that could forbid anything?",
        ),
        (
            "text-write",
            "writes to its own code",
            "The page is there, and it is the program's own. Three bits.",
        ),
        (
            "kernel-read",
            "reads a byte of the kernel's text, which is mapped in every address space",
            "Does the walk find an entry that is not present? And what is the fault of those that it finds?",
        ),
    ):
        given = [0x4, 0x5, 0x6, 0x7]
        lab.ask(
            f"A program {told}. Which error code?",
            choices=[f"{code:#x}" for code in given],
            answer=given.index(codes[case]),
            hint=hint,
        )
    lab.run_to_exit()
    found = refusals(lab)
    remember(lab, [fault for _, fault in found], "the program `faults`")
    remember(lab, [e for e in lab.events.of(Kind.FAULT) if isinstance(e, Faulted)], "the program `faults`")
    rows = [
        f"{name:<16} {fault.error or 0:#06x} {fault.error_bits:<44} {fault.level or ''}"
        for name, fault in found
    ]
    lab.show(Text("What a page fault has ended, its error code, and where the walk ended:", tuple(rows)))
    bad = [event for event in lab.events.of(Kind.FAULT, reason="NON_CANONICAL") if isinstance(event, Faulted)]
    lab.show(lab.told([*bad], "One that is no page fault:"))
    by_name = dict(found)
    lab.expect(
        "25 refusals, 0 wrong" in lab.console,
        "of 25 forbidden things not one was allowed, and none stopped the kernel",
    )
    lab.expect(by_name["null-read"].error == 4, "reading nothing: user")
    lab.expect(
        by_name["text-write"].error == 7,
        "writing to what is read-only: user, write, and the entry was present",
    )
    lab.expect(by_name["kernel-read"].error == 5, "reading the kernel: user, and the entry was present")
    lab.expect(
        by_name["kernel-jump"].error == 0x15,
        "jumping into the kernel: user, fetch, and the entry was present",
    )
    lab.expect(
        bool(bad) and bad[0].vector == 13, "an address that is not canonical: #GP, and no walk was begun"
    )


# -- bits that must be zero -------------------------------------------------------------------------------------------


def look_at(lab: Lab, *bits: str | int) -> Faulted:
    """On a copy in which bits of the letter's PTE are turned over: the page fault of the next access."""
    copy = lab.fork()
    letter = copy.value("letter")
    row = copy.walk(letter).rows[-1]
    for bit in bits:
        copy.flip(row, bit)
    copy.invalidate(letter)
    seq = copy.machine.journal.seq
    copy.run_until(happened(Kind.FAULT, vector=PAGE_FAULT))
    lab.notes.last = copy.told(
        [copy.events[-1]],
        f"With {' and '.join(f'bit {bit}' if isinstance(bit, int) else bit for bit in bits)} turned over:",
    )
    return faults_of(copy, seq)[0]


@step("reserved", points=2)
def reserved(lab: Lab) -> None:
    lab.boot("twins")
    for _ in range(2):
        lab.run_until(At("look"))
    width = controls_of(lab).maxphyaddr
    entry = lab.walk(lab.value("letter")).rows[-1]
    lab.say(
        f"Back to `twins`, before a look at the letter. Its PTE is {hexadecimal(entry.entry)}. This CPU has physical "
        f"addresses of {width} bits (MAXPHYADDR), so bit {width} of an entry can be part of no address: it is reserved."
    )
    set_alone = look_at(lab, width)
    told_alone = lab.notes.last
    both = look_at(lab, width, "P")
    told_both = lab.notes.last
    codes = (0x4, 0x5, 0xC, 0xD)
    lab.ask(
        f"Bit {width} of the PTE is set, P stays 1. The program reads the letter. Which error code?",
        choices=[f"{code:#x}" for code in codes],
        answer=codes.index(set_alone.error or 0),
        hint="User mode; and bit 3 for the reserved bit. What is bit 0 if the entry was present?",
    )
    lab.ask(
        f"And if bit {width} is set and P = 0 as well?",
        choices=[f"{code:#x}" for code in codes],
        answer=codes.index(both.error or 0),
        hint="If P = 0, does the CPU look at anything else in the entry?",
    )
    lab.show(told_alone, told_both)
    remember(lab, [set_alone, both], f"bit {width} of a PTE")
    lab.expect(
        set_alone.reason == "RESERVED_BIT_SET" and set_alone.error == 0xD, "a reserved bit: P, U and RSVD"
    )
    lab.expect(both.reason == "NOT_PRESENT" and both.error == 4, "with P = 0 nothing is reserved: U alone")
    lab.expect(
        "RESERVED_BIT_SET" not in [event.reason for event in faults_of(lab)],
        "the kernel itself sets no such bit",
    )


# -- the matrix -------------------------------------------------------------------------------------------------------

WHY = {
    Reason.USER_ACCESS_TO_SUPERVISOR_PAGE: "U/S",
    Reason.WRITE_TO_READ_ONLY_PAGE: "R/W",
    Reason.SUPERVISOR_WRITE_TO_READ_ONLY_PAGE: "WP",
    Reason.FETCH_FROM_XD_PAGE: "XD",
    Reason.SMEP_FETCH_FROM_USER_PAGE: "SMEP",
    Reason.SMAP_ACCESS_TO_USER_PAGE: "SMAP",
}
PAGES = {
    "program: data": Rights(US=True, RW=True, XD=True),
    "program: const": Rights(US=True, RW=False, XD=True),
    "program: code": Rights(US=True, RW=False, XD=False),
    "kernel: data": Rights(US=False, RW=True, XD=True),
    "kernel: const": Rights(US=False, RW=False, XD=True),
    "kernel: code": Rights(US=False, RW=False, XD=False),
}


def verdict(rights: Rights, kind: AccessType, controls: Controls, *, user: bool, ac: bool = False) -> str:
    """What the CPU answers: "yes", or the bit that refuses."""
    reason = check(rights, kind, user, False, ac, controls)
    return "yes" if reason is None else WHY[reason]


def matrix(controls: Controls) -> tuple[str, ...]:
    """Who may do what, for each kind of page."""
    kinds = (AccessType.READ, AccessType.WRITE, AccessType.FETCH)
    heads = [("ring 3", "ring 3", "ring 3", "ring 0", "ring 0", "ring 0", "AC = 1", "AC = 1")]
    heads += [("read", "write", "fetch", "read", "write", "fetch", "read", "write")]
    rows = [f"{'':<16}" + "".join(f"{head:<8}" for head in words).rstrip() for words in heads]
    for name, rights in PAGES.items():
        cells = [verdict(rights, kind, controls, user=True) for kind in kinds]
        cells += [verdict(rights, kind, controls, user=False) for kind in kinds]
        cells += [verdict(rights, kind, controls, user=False, ac=True) for kind in kinds[:2]]
        rows.append(f"{name:<16}" + "".join(f"{cell:<8}" for cell in cells).rstrip())
    return tuple(rows)


@step("ring-0", points=2)
def ring_0(lab: Lab) -> None:
    controls = controls_of(lab)
    names = [name for name in ("WP", "SMEP", "SMAP", "NXE") if getattr(controls, name)]
    lab.say(
        f"On, in this kernel: {', '.join(names) or 'nothing'}. EFLAGS.AC is 0 unless the kernel has set it."
    )
    words = ["yes", "SMAP", "WP", "U/S"]
    constants = PAGES["program: const"]
    lab.ask(
        "The kernel, with AC = 0, reads a page of the program that is read-only. Is it allowed; if not, which bit "
        "refuses?",
        choices=["allowed: the kernel may read everything", *(f"refused by {word}" for word in words[1:])],
        answer=words.index(verdict(constants, AccessType.READ, controls, user=False)),
        hint="U/S = 1 lets the program in. Since SMAP it also says something to the kernel.",
    )
    lab.ask(
        "A system call asks the kernel to store something into that page. The kernel sets AC with STAC, to be allowed "
        "to touch the program's memory, and stores. Is it allowed now?",
        choices=["allowed: AC = 1 is for this", *(f"refused by {word}" for word in words[1:])],
        answer=words.index(verdict(constants, AccessType.WRITE, controls, user=False, ac=True)),
        hint="AC lifts one of the bits, and only that. The page is read-only for its owner. For the kernel?",
    )
    lab.show(Text("Who may do what; if not, which bit refuses:", matrix(controls)))
    bare = replace(controls, WP=False, SMEP=False, SMAP=False, NXE=False)
    lab.show(Text("The same with WP, SMEP, SMAP and NXE off:", matrix(bare)))
    user = [verdict(rights, AccessType.WRITE, controls, user=True) for rights in PAGES.values()]
    lab.expect(
        user == ["yes", "R/W", "R/W", "U/S", "U/S", "U/S"],
        "ring 3 writes to its own data and to nothing else",
    )
    lab.expect(
        verdict(constants, AccessType.WRITE, bare, user=False) == "yes",
        "without WP and SMAP the kernel writes to what its owner may only read",
    )
    freed = [verdict(rights, AccessType.FETCH, bare, user=False) for rights in PAGES.values()]
    lab.expect(set(freed) == {"yes"}, "without SMEP and NXE the kernel executes whatever it is led to")
    lab.expect(
        all(
            verdict(rights, AccessType.READ, bare, user=True) == "U/S"
            for name, rights in PAGES.items()
            if "kernel" in name
        ),
        "but ring 3 is locked out of the kernel's pages by U/S alone, and no switch changes that",
    )


# -- a careless driver ------------------------------------------------------------------------------------------------


def refused_to_kernel(lab: Lab) -> list[Faulted]:
    """The page faults of ring 0 that are more than a page that is missing."""
    return [fault for fault in faults_of(lab) if fault.cpl == 0 and fault.reason != "NOT_PRESENT"]


def executed_stack(lab: Lab) -> list[Faulted]:
    return [fault for fault in faults_of(lab) if fault.reason == "FETCH_FROM_XD_PAGE"]


@step("careless", points=2)
def careless(lab: Lab) -> None:
    lab.boot("careless")
    ahead = lab.beside()
    ahead.boot("careless")
    ahead.run_to_exit()
    met = [fault.error for fault in refused_to_kernel(ahead)]
    lab.say(
        "This kernel has a driver, `/dev/careless`, that makes mistakes on demand. It reads and writes a page of the "
        "program without STAC, calls a function there, and writes to a constant of the kernel."
    )
    lab.ask(
        "The kernel calls a function that lies in the program's page, and the page may be executed. What error code?",
        choices=["none: it runs", "0x1", "0x11", "0x15"],
        answer=2 if 0x11 in met else 0,
        hint="Supervisor mode, present, a fetch. Which of the three sets a bit, and which leaves one clear?",
    )
    lab.ask(
        "Two of the four mistakes are answered with the same error code. Which two?",
        choices=[
            "the read of the program's page and the call",
            "the write to the program's page and the write to the kernel's constant",
            "the read and the write of the program's page",
        ],
        answer=1 if len(met) == 4 and met[1] == met[3] else 2,
        hint="The error code says what was tried and whether an entry was present. It has no bit for SMAP or for WP.",
    )
    lab.run_to_exit()
    found = refused_to_kernel(lab)
    lab.show(lab.told([*found, *executed_stack(lab)], "Refused:"))
    lab.show(Text("The console:", tuple(lab.console.lines())))
    remember(lab, [*found, *executed_stack(lab)], "the program `careless`")
    reasons = [fault.reason for fault in found]
    lab.expect(reasons.count("SMAP_ACCESS_TO_USER_PAGE") == 2, "SMAP has refused a read and a write")
    lab.expect(reasons.count("SMEP_FETCH_FROM_USER_PAGE") == 1, "SMEP has refused a call")
    lab.expect(
        reasons.count("SUPERVISOR_WRITE_TO_READ_ONLY_PAGE") == 1,
        "WP has refused a write to the kernel's constants",
    )
    lab.expect(len(executed_stack(lab)) == 1, "XD has refused code on a stack")
    lab.expect(
        [fault.error for fault in found] == [1, 3, 0x11, 3], "their error codes: 0x1, 0x3, 0x11 and 0x3"
    )
    lab.expect("my byte is still 77" in lab.console, "the program's byte is what it was")


DAMAGE = {
    "smap": ("the kernel got my byte", "my byte is now 88"),
    "smep": ("my code ran in ring 0",),
    "wp": ("the kernel wrote its own constants",),
    "nx": ("code on the stack ran",),
}


@step("switched-off", points=3)
def switched_off(lab: Lab) -> None:
    others: dict[str, Lab] = {}
    for word in PROTECTIONS:
        others[word] = lab.beside()
        others[word].boot("careless", switches={f"cpu.{word}": "off"})
        others[word].run_to_exit()
    smep = others["smep"]
    lab.ask(
        "The same run with `cpu.smep=off`. The kernel is led to call a function in the program's page. In which ring "
        "does the program's code run?",
        choices=["in none: SMAP refuses it", "in ring 3", "in ring 0"],
        answer=2 if "my code ran in ring 0" in smep.console else 0,
        hint="A call changes RIP. What would change the ring? And does SMAP speak of fetches?",
    )
    nx = others["nx"]
    nx_faults = refused_to_kernel(nx)
    lab.ask(
        "With `cpu.nx=off` (EFER.NXE = 0), how many of the driver's four mistakes go through?",
        choices=["none", "the call alone", "all four"],
        answer=min(4 - len(nx_faults), 1) if len(nx_faults) > 2 else 2,
        hint="NXE gives bit 63 its meaning. On whose pages did the four mistakes depend on it?",
    )
    rows: list[str] = []
    for word, other in others.items():
        told = [
            line
            for line in other.console.splitlines()
            if f"no {'XD' if word == 'nx' else word.upper()}:" in line
        ]
        rows += [f"cpu.{word}=off", *(f"  {line}" for line in told)]
    lab.show(Text("What becomes possible with one bit off, in the program's words:", tuple(rows)))
    lab.say("The same bits once more, in the matrix of before: with SMAP alone off, and with SMEP alone off.")
    controls = controls_of(lab)
    lab.show(
        Text("SMAP off:", matrix(replace(controls, SMAP=False))),
        Text("SMEP off:", matrix(replace(controls, SMEP=False))),
    )
    for word, damage in DAMAGE.items():
        console = others[word].console
        lab.expect(all(line in console for line in damage), f"with cpu.{word}=off: {damage[-1]}")
    for_all = [line for lines in DAMAGE.values() for line in lines]
    done = {word: [line for line in for_all if line in others[word].console] for word in PROTECTIONS}
    lab.expect(
        all(done[word] == list(DAMAGE[word]) for word in PROTECTIONS),
        "each bit off lets through its own mistakes and no other's",
    )
    lab.expect(not executed_stack(nx), "with NXE = 0 no fetch was refused for XD")
    lab.expect(
        all(other.ended is not None and other.ended.code == 0x10 for other in others.values()),
        "none of it has stopped the kernel: damage need not make a noise",
    )


# -- the alias --------------------------------------------------------------------------------------------------------


@step("alias", points=2)
def alias(lab: Lab) -> None:
    lab.boot("twins")
    lab.run_until(lambda event: is_start(event, 2))
    before = lab.snapshot()
    lab.run_until(At("main"))
    main = lab.symbol("main")
    other = lab.kernel_alias(main)
    mine, kernels = lab.walk(main), lab.walk(other)
    lab.say(
        f"A program's code is at {hexadecimal(main)}, for the program to read and to execute, and for nobody to write. "
        "A moment ago the kernel copied it there, from the program's file. SMAP and WP were on all the time."
    )
    lab.ask(
        "Through which address did the kernel write to this page?",
        choices=[
            "the program's, with AC = 1",
            "its own: the frame's address in the direct map",
            "a physical address, without paging",
        ],
        answer=1 if kernels.dirty and not mine.dirty else 0,
        hint="Whoever stores leaves a D, in the PTE of the address that was used.",
    )
    lab.show(mine, kernels)
    changed = [change for change in lab.frames_changed(before).frames if change.frame == mine.frame]
    lab.show(
        Text(
            "What has become of that frame since the process began:",
            tuple(row for c in changed for row in c.lines()),
        )
    )
    lab.expect(
        "read only" in mine.rows[-1].rights and not mine.dirty,
        "the program's way is read-only, and D was never set",
    )
    lab.expect(
        "write" in kernels.rows[-1].rights and kernels.dirty, "the kernel's way is writable, and D is set"
    )
    lab.expect(mine.frame == kernels.frame, "both lead to the same frame")
    lab.expect(
        kernels.rows[-1].rights.startswith("supervisor"),
        "U/S = 0 on the kernel's way: SMAP has nothing to say",
    )
    rings = {writer.ring for change in changed for writer in change.writers}
    lab.expect(rings == {0}, "only ring 0 has written to it")


def is_start(event: Event, pid: int) -> bool:
    """Whether the process has just been made."""
    return isinstance(event, Marked) and event.name == "process_start" and event.arguments["pid"] == pid


# -- all of them ------------------------------------------------------------------------------------------------------


@step("every-reason", points=2)
def every_reason(lab: Lab) -> None:
    lab.run_until(At("look"))
    gates = lab.symbol("idt")
    lab.say(
        f"The last one. At {hexadecimal(gates)} lies the kernel's interrupt descriptor table, which the CPU itself "
        "reads when an exception or an interrupt comes. On a copy of the machine we set U/S = 1 in all four entries of "
        "the way there, and nothing else."
    )
    copy = lab.fork()
    for row in copy.walk(gates).rows:
        copy.flip(row, "US")
    copy.invalidate(gates)
    seq = copy.machine.journal.seq
    copy.run_to_exit()
    found = faults_of(copy, seq)
    implicit = [fault for fault in found if fault.reason == Reason.SMAP_IMPLICIT_ACCESS_TO_USER_PAGE.name]
    lab.ask(
        "SMAP is on. What happens at the next interrupt or page fault?",
        choices=[
            "nothing special: the CPU may read what it wants",
            "the kernel's page-fault handler is called, and prints a line",
            "the machine resets: the refusal cannot be delivered either",
        ],
        answer=2 if copy.ended is not None and "triple fault" in copy.ended.text else 0,
        hint="Whom does the CPU ask where the page-fault handler is?",
    )
    lab.show(copy.told([*implicit], "On the copy:"))
    lab.say(f"The end of it: {copy.ended.text if copy.ended is not None else 'none'}.")
    remember(lab, implicit, "the IDT in a user page")
    lab.run_to_exit()
    rows = [f"{'reason':<36} {'error code':<11} met in"]
    for reason in Reason:
        error, where = lab.notes.seen.get(
            reason.name, (None, "not here: CR4.PKE = 0" if reason in KEYS else "-")
        )
        code = f"{error:#x}" if error is not None else ""
        code = "(#GP) 0x0" if reason is Reason.NON_CANONICAL else code
        rows.append(f"{reason.name:<36} {code:<11} {where}")
    lab.show(Text("Every reason that there is:", tuple(rows)))
    missing = [reason.name for reason in Reason if reason.name not in lab.notes.seen and reason not in KEYS]
    lab.ask(
        "A kernel prints that it died of a page fault with error code 0x3. What do you know for certain?",
        choices=[
            "supervisor mode wrote, and an entry was present and refused",
            "supervisor mode wrote to a page of a program",
            "a program wrote to a page of the kernel",
            "a write to memory that is not there",
        ],
        answer=0,
        hint="Bits 0 and 1 are set, and no other. In the table above, look for another reason with the same code.",
    )
    lab.expect(bool(implicit), "SMAP refuses implicit accesses too, whatever EFLAGS.AC says")
    lab.expect(
        copy.ended is not None and copy.ended.code is None,
        "and a refusal that cannot be delivered ends the machine",
    )
    lab.expect(
        lab.ended is not None and lab.ended.code == 0x10, "on the machine itself nothing of this happened"
    )
    lab.expect(not missing, "every reason has been met but the protection keys'")
    lab.expect(not controls_of(lab).PKE, "and those need CR4.PKE, which this kernel leaves off")

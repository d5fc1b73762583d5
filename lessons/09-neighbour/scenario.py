# SPDX-License-Identifier: GPL-2.0-or-later
"""Lesson "neighbour": the CPU protects pages, not objects; and a page remembers whose it was."""

from emu.bits import PAGE_BYTES, hexadecimal
from emu.events import Marked, UpcallMade
from emu.lesson import Call, Kind, Lab, Text, happened, step
from emu.lesson.views import dump
from emu.lesson.wire import begun, ended, udp

OBJECT = 1024
PAGES = 16
OFF = "off"
KERNEL_HALF = 0x1FFFF
"""The highest 17 bits of every address of the kernel."""


def setup(lab: Lab) -> None:
    lab.boot("spy", memory_mib=8)


def to_window(lab: Lab) -> int:
    """On until the program has registered; the linear address of its window's first page."""
    lab.run_until(Call("ukshm_register"), then="return")
    return next(area.start for area in lab.space().areas if area.kind == "ukshm")


def given(lab: Lab) -> int:
    """The address that the program got, as the kernel's function returned it."""
    return lab.registers["rax"]


def console(lab: Lab) -> Text:
    """What was printed so far."""
    return Text("The console:", tuple(line.strip() for line in lab.console.lines()))


def foreign_bytes(data: bytes) -> int:
    """How many bytes are not zero."""
    return sum(byte != 0 for byte in data)


def kernel_addresses(data: bytes) -> list[int]:
    """Where in `data` a word lies that looks like an address of the kernel."""
    words = range(0, len(data), 8)
    return [at for at in words if int.from_bytes(data[at : at + 8], "little") >> 47 == KERNEL_HALF]


def former_owner(lab: Lab, page: int) -> str:
    """What the frame behind `page` was before it was free, as the kernel has told."""
    frame = lab.walk(page).frame
    marks = [m for m in lab.events.of(Kind.MARK, name="frame_owner") if isinstance(m, Marked)]
    mine = [m.arguments for m in marks if m.arguments["frame_number"] == frame]
    free = [i for i, entry in enumerate(mine) if entry["owner"] == "FRAME_FREE"]
    if not free or not free[-1]:
        return "never used"
    before = mine[free[-1] - 1]
    return f"{before['owner']} of process {before['pid']}"


@step("alone", points=1)
def alone(lab: Lab) -> None:
    page = to_window(lab)
    address, frame = given(lab), lab.walk(page).frame
    assert frame is not None
    lab.show(lab.space(), Text("Its frame:", tuple(lab.frames.part(frame, frame + 1).lines())))
    data = lab.memory(page, PAGE_BYTES)
    lab.ask(
        "The program has asked for a buffer, and has got a page. How many of its 4,096 bytes are somebody else's?",
        choices=["none", "those behind the buffer's end", "nobody can know"],
        answer=0 if not foreign_bytes(data) else 1,
        hint="The frame table says what the kernel takes the frame for.",
    )
    errors = lab.check().errors
    lab.run_to_exit()
    lab.show(console(lab))
    lab.expect(address == page, "the buffer begins where the page begins")
    lab.expect(
        lab.frames[frame].owner != "shared", "when the program has ended, the frame is not shared any more"
    )
    lab.expect(foreign_bytes(data) == 0, "there was not one byte on it that was not zero")
    lab.expect(errors == (), "the checker finds nothing wrong with the page tables")
    lab.expect("not mine: none" in lab.console, "the program, which looked at all of it, says the same")


@step("others-on-it", points=2)
def others_on_it(lab: Lab) -> None:
    lab.boot("spy", memory_mib=8, switches={"ukshm.page_exclusive": OFF})
    page = to_window(lab)
    address = given(lab)
    secret = lab.value("kernel_secret")
    mine, kernels = lab.walk(address), lab.walk(secret)
    lab.say(
        f"With `ukshm.page_exclusive=off` the buffer is an ordinary slab object of {OBJECT:,} bytes. The "
        f"program was told that it begins at {hexadecimal(address)}."
    )
    lab.ask(
        f"The program may use {OBJECT:,} bytes from that address on; so it was agreed. How many bytes from the "
        "page's beginning to its end *can* it read?",
        choices=[f"{OBJECT:,}", f"{PAGE_BYTES - (address - page):,}", f"{PAGE_BYTES:,}"],
        answer=2,
        hint="Which of the 12 low bits of an address are translated?",
    )
    lab.show(mine)
    lab.ask(
        "The kernel's key lies on the same frame; the kernel's PTE for it has U/S = 0. Does that PTE keep the "
        "program from reading the key?",
        choices=[
            "yes: U/S = 0 means that ring 3 is refused",
            "no: the program goes through another PTE",
            "yes, as long as the TLB does not hold the window",
        ],
        answer=1 if mine.frame == kernels.frame else 0,
        hint="Rights belong to a way, not to a place. How many ways lead there?",
    )
    findings = lab.check().errors
    lab.show(kernels, lab.check())
    frame = mine.frame
    assert frame is not None
    lab.expect(address % PAGE_BYTES != 0, "the buffer begins somewhere in the middle of its page")
    lab.expect(mine.frame == kernels.frame, "the kernel's key and the program's buffer are on one frame")
    lab.expect(mine.rows[-1].rights.startswith("user"), "one way to it lets ring 3 in")
    lab.expect(kernels.rows[-1].rights.startswith("supervisor"), "the other does not, which does not help")
    lab.expect(lab.frames[frame].owner == "slab", "for the kernel the frame is a slab, like any other")
    lab.expect(len(findings) == 1, "the checker calls it an error, and names the page")
    lab.notes.page, lab.notes.first = page, secret % PAGE_BYTES


@step("inside-the-page", points=2)
def inside_the_page(lab: Lab) -> None:
    page, seq = lab.notes.page, lab.machine.journal.seq
    start, before = lab.snapshot(), lab.evaluate("*kernel_secret").raw
    copy = lab.fork()
    copy.run_until(happened(Kind.MARK, name="process_exit"))
    faults = len(copy.events.since(seq).of(Kind.FAULT, vector=14).touching(page))
    lab.ask(
        "`spy` looks for a text on the page, prints it, and writes exclamation marks over it. It never leaves "
        "the page. How many page faults will stop it?",
        choices=["none", "one, at the first byte that is not its own", "one, at the first byte it writes"],
        answer=min(faults, 1),
        hint="Which of the CPU's questions has another answer for two bytes of one page?",
    )
    lab.run_until(happened(Kind.MARK, name="process_exit"))
    damage = lab.structure("*kernel_secret", before)
    lab.show(Text("The kernel's key, as it is:", tuple(line for line in damage.lines()[:10])))
    changes = lab.frames_changed(start)
    hit = [change for change in changes.kernel if change.by_ring_3]
    lab.run_to_exit()
    lab.show(console(lab))
    lab.expect(faults == 0, "no page fault on that page")
    lab.expect("among them I read: a key of the kernel's" in lab.console, "it read what is not its own")
    lab.expect(damage.damaged == ("note",), "it wrote over the kernel's note")
    lab.expect(len(hit) == 1, "one frame of the kernel's was written from ring 3")
    lab.expect("damage: the kernel's key" in lab.console, "the kernel found out when the page came back")
    guarded = lab.beside()
    guarded.boot("spy", memory_mib=8, switches={"ukshm.page_exclusive": OFF, "ukshm.guard": "on"})
    guarded.run_to_exit()
    lab.expect("damage" in guarded.console, "a guard page behind the window changes nothing")


@step("fresh", points=2)
def fresh(lab: Lab) -> None:
    lab.boot("leaker", memory_mib=8, switches={"ukshm.zero": OFF})
    window = to_window(lab)
    data = bytes(lab.memory(window, PAGES * PAGE_BYTES))
    dirty = [i for i in range(PAGES) if any(data[i * PAGE_BYTES : (i + 1) * PAGE_BYTES])]
    lab.say(
        f"Pages to themselves again, {PAGES} of them, and `ukshm.zero=off`. Before it asked, the program had "
        "started another one, waited for its end, and opened a file of the kernel's. Nobody has written to the "
        "window yet."
    )
    lab.ask(
        f"How many of the {PAGES} fresh pages hold a byte that is not zero?",
        choices=["none: a fresh page is empty", "one or two", "more"],
        answer=0 if not dirty else 1 if len(dirty) < 3 else 2,
        hint="What was in these frames a moment ago, and what does freeing a frame do to its bytes?",
    )
    bytes_left = foreign_bytes(data)
    owners = [former_owner(lab, window + i * PAGE_BYTES) for i in dirty]
    rows = [
        f"page {i:<3} {foreign_bytes(data[i * PAGE_BYTES : (i + 1) * PAGE_BYTES]):>6}    {owner}"
        for i, owner in zip(dirty, owners, strict=True)
    ]
    lab.ask(
        "Whose were those pages before?",
        choices=[
            "the program's own: it sees what it has written itself",
            "the kernel's, such as page tables, and the other program's",
            "nobody's: memory is random when a machine is switched on",
        ],
        answer=1 if any("TABLE" in owner for owner in owners) else 0,
        hint="What does a process need besides its own pages, and when is that given back?",
    )
    lab.show(
        Text(f"Of {len(data):,} bytes {bytes_left:,} are not zero:", ("page   not zero    was last", *rows))
    )
    fullest = max(dirty, key=lambda i: foreign_bytes(data[i * PAGE_BYTES : (i + 1) * PAGE_BYTES]))
    part = [data[at : at + 16] for at in range(fullest * PAGE_BYTES, (fullest + 1) * PAGE_BYTES, 16)]
    shown = tuple(dump(row) for row in part if foreign_bytes(row) > 8)
    lab.show(Text(f"A part of page {fullest}:", shown[:6]))
    looks = kernel_addresses(data)
    words = [int.from_bytes(data[at : at + 8], "little") for at in looks]
    real = [word for word in words if lab.walk(word).frame is not None]
    lab.say(
        f"`leaker` will say that {len(words)} words look like addresses of the kernel. A walk to each of them: "
        f"{len(real)} lead anywhere. It only looks at the highest 17 bits, and bytes of code may have those, too."
    )
    clean = lab.beside()
    clean.boot("leaker", memory_mib=8)
    clean_window = to_window(clean)
    zeros = bytes(clean.memory(clean_window, PAGES * PAGE_BYTES))
    lab.run_to_exit()
    lab.show(console(lab))
    lab.expect(len(dirty) > 2, "on several of the fresh pages something is left")
    lab.expect(bytes_left > 0 and "READABLE" in lab.console, "the program can read it")
    lab.expect(any("TABLE" in owner for owner in owners), "page tables, which are the kernel's, are among it")
    lab.expect(all(owner != "never used" for owner in owners), "each of these pages had an owner before")
    lab.expect(foreign_bytes(zeros) == 0, "with the switch on, which is the default, all is zero")


@step("around-a-packet", points=2)
def around_a_packet(lab: Lab) -> None:
    runs = {
        "both on": {},
        "zero=off": {"ukshm.zero": OFF},
        "page_exclusive=off": {"ukshm.page_exclusive": OFF},
    }
    _packet_for_peeper(lab, {})
    lab.say(
        "Now a page with something in it: a packet of 29 bytes has come in, behind the 14 bytes of its "
        "Ethernet header, and the page is about to be shared with a firewall, `peeper`."
    )
    seen = {name: _around(lab, switches) for name, switches in runs.items()}
    lab.ask(
        "The page cannot simply be cleared, since the packet lies on it. What does the kernel clear before it "
        "shares the page?",
        choices=["nothing", "what lies behind the packet", "all but the packet, before it and behind it"],
        answer=2 if seen["both on"][1] == seen["both on"][2] == 0 < seen["zero=off"][1] else 1,
        hint="Where is the Ethernet header now, and whose business is it?",
    )
    address, _ = _called_with(lab)
    lab.say("The page as the firewall finds it:")
    lab.show(lab.dump(address - address % PAGE_BYTES, 64))
    rows = [
        f"{name:<18}  {start:>5} {front:>5} {behind:>6}" for name, (start, front, behind, _) in seen.items()
    ]
    lab.say(
        "With each switch: at which of its bytes the packet starts, and how many bytes are not zero in front of it "
        "and behind it."
    )
    lab.show(
        Text(
            "With each switch:",
            ("switch              start front behind", *rows),
        ),
        Text(
            "And what the program read there:",
            tuple(f"{name:<18}  {words}" for name, (*_, words) in seen.items()),
        ),
    )
    offset, front, behind, _ = seen["both on"]
    lab.expect(front == behind == 0, "beside the packet there is nothing to see")
    lab.expect(offset > 0, "and the packet is where the card had put it")
    lab.expect(seen["zero=off"][1] > 0, "uncleared, the page shows what lay in front of the packet")
    lab.expect(
        "a key of the kernel's" in seen["page_exclusive=off"][3],
        "on a page with others, it shows the kernel's key",
    )


def _around(lab: Lab, switches: dict[str, str]) -> tuple[int, int, int, str]:
    """A packet in the hands of `peeper`: where it starts, what is not zero beside it, and the text it found."""
    other = lab.beside()
    number = _packet_for_peeper(other, switches)
    address, length = _called_with(other)
    offset = address % PAGE_BYTES
    page = bytes(other.memory(address - offset, PAGE_BYTES))
    ended(other, number)
    note = page.find(b"a key of")
    words = page[note : note + 21].decode() if note >= 0 else "-"
    return offset, foreign_bytes(page[:offset]), foreign_bytes(page[offset + length :]), words


def _packet_for_peeper(lab: Lab, switches: dict[str, str]) -> int:
    """`peeper` has registered and a packet has come in: its number."""
    lab.boot("peeper", memory_mib=8, network=True, switches={"firewall.path": "ukshm"} | switches)
    lab.run_until(Call("upcall_register"), then="return")
    return begun(lab, udp("10.0.0.2:3001", "203.0.113.9:53", b"x"))


def _called_with(lab: Lab) -> tuple[int, int]:
    """Address and length of what the firewall is called with. Moves the machine there."""
    lab.run_until(happened(Kind.UPCALL))
    upcall = lab.events.of(Kind.UPCALL)[-1]
    assert isinstance(upcall, UpcallMade)
    return int(upcall.arguments[4]), int(upcall.arguments[5])


@step("the-price", points=2)
def the_price(lab: Lab) -> None:
    lab.boot("share", "4", memory_mib=8)
    lab.run_until(Call("fill_window"))
    exclusive = len(lab.frames.owned_by("shared"))
    packed = -(-4 // ((PAGE_BYTES - lab.notes.first) // OBJECT))
    lab.ask(
        f"Four buffers of {OBJECT:,} bytes are to be shared with four programs that do not trust each other. "
        f"As slab objects they would lie on {packed} pages. How many do they need so that no program sees another's?",
        choices=["1", "2", "4", "5: one more for the kernel"],
        answer=2 if exclusive == 4 else 3,
        hint="What is the smallest thing that a PTE can give to one and not to another?",
    )
    lab.show(
        Text("Shared frames of a program with four pages:", tuple(lab.frames.owned_by("shared").lines()))
    )
    exempt = all(frame.swap_exempt for frame in lab.frames.owned_by("shared"))
    lab.ask(
        "The letter wants the memory to be of 'a new type of slab memory'. In which respect must this type "
        "differ from all others the slab allocator has?",
        choices=[
            "it must be faster",
            "its objects must be whole pages, cleared, and pinned",
            "it must lie below 16 MiB",
            "its objects must be small",
        ],
        answer=1,
        hint="Go through the steps of this lesson, and through the last frames' lines.",
    )
    lab.run_to_exit()
    lab.expect(exclusive == 4, "four pages shared are four frames")
    lab.expect(exempt, "each of them marked: never swapped")
    lab.expect(lab.ended is not None and lab.ended.code == 0x10, "the guest ended in order")


# -- the lab ----------------------------------------------------------------------------------------------------------

LAB_LIMIT = 20_000_000
"""Far more instructions than any of these runs takes: a student's kernel may loop."""


@step("exclusive", points=4, lab=True)
def exclusive_lab(lab: Lab) -> None:
    lab.boot("spy", memory_mib=8)
    lab.run_until(Call("ukshm_register"), LAB_LIMIT, then="return")
    address = given(lab)
    page = address - address % PAGE_BYTES
    frame = lab.walk(page).frame
    assert frame is not None, "the program got no page at all: what does ukshm_page_new return?"
    data, row, errors = lab.memory(page, PAGE_BYTES), lab.frames[frame], lab.check().errors
    lab.say(
        f"`spy` on your kernel. It has got the address {hexadecimal(address)}, {address % PAGE_BYTES:,} bytes into "
        f"its page, and {foreign_bytes(data):,} bytes of that page are not zero."
    )
    lab.show(Text("The frame behind it:", tuple(lab.frames.part(frame, frame + 1).lines())), lab.check())
    lab.run_to_exit(LAB_LIMIT)
    lab.show(console(lab))
    lab.expect(address == page, "the buffer begins where its page begins")
    lab.expect(row.owner == "shared", "the kernel's books say what the frame is: shared")
    lab.expect(row.swap_exempt, "whoever takes pages back passes it by")
    lab.expect(errors == (), "the checker finds nothing of the kernel's within reach of ring 3")
    lab.expect("not mine: none" in lab.console, "`spy` finds nothing that is not its own")
    _lab_fresh(lab)
    _lab_frames(lab)


def _lab_fresh(lab: Lab) -> None:
    """Pages that others had before."""
    other = lab.beside()
    other.boot("leaker", memory_mib=8)
    other.run_until(Call("ukshm_register"), LAB_LIMIT, then="return")
    window = given(other) & -PAGE_BYTES
    left = foreign_bytes(bytes(other.memory(window, PAGES * PAGE_BYTES)))
    if left:
        lab.say(f"On `leaker`'s {PAGES} fresh pages {left:,} bytes are left from somebody.")
    lab.expect(left == 0, "a page that somebody else had before shows nothing of it")


def _lab_frames(lab: Lab) -> None:
    """As many frames as pages; and all of them come back."""
    other, ours = lab.beside(), lab.beside()
    ours.kernel = None
    shared: list[int] = []
    taken: list[int] = []
    for machine in (other, ours):
        machine.boot("share", "4", memory_mib=8)
        machine.run_until(Call("fill_window"), LAB_LIMIT)
        shared.append(len(machine.frames.owned_by("shared")))
        machine.run_to_exit(LAB_LIMIT)
        taken.append(sum(frame.owner not in ("free", "slab") for frame in machine.frames))
    lab.expect(shared[0] == 4, "four pages are four frames")
    lab.expect(
        taken[0] < taken[1] + 3, "when the program has ended, no more frames are taken than on our kernel"
    )

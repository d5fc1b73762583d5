# SPDX-License-Identifier: GPL-2.0-or-later
"""What the programs about demand paging show in a trace: which frames moved, and which translations were dropped."""

from collections.abc import Iterator
from functools import cache

from emu.events import Event, Faulted, Invalidated, Marked, SyscallEntered, TlbFilled
from emu.lesson import Lab

from .memory import balance_is_equal, said, watch

PAGE = 4096
MMAP = 0x7000_0000_0000
NOT_PRESENT, READ_ONLY = "NOT_PRESENT", "WRITE_TO_READ_ONLY_PAGE"
FIRST_PID = 2


@cache
def traced(program: str, *arguments: str, pcid: str = "on") -> tuple[Lab, list[Event]]:
    """A finished run, and what matters of its events."""
    lab = Lab()
    lab.boot(program, *arguments, switches={"cpu.pcid": pcid})
    events: list[Event] = watch(lab, Marked, Invalidated, Faulted, SyscallEntered, TlbFilled)
    lab.run_to_exit()
    assert balance_is_equal(events)
    return lab, events


def named(events: list[Event], name: str, **arguments: int | str) -> list[Marked]:
    """The marks of this name with these arguments."""
    return [
        event
        for event in events
        if isinstance(event, Marked)
        and event.name == name
        and all(event.arguments[key] == value for key, value in arguments.items())
    ]


def during(events: list[Event], call: str) -> Iterator[tuple[SyscallEntered, list[Event]]]:
    """For each time this system call was made: how, and all that happened until it returned in the same process."""
    for start, event in enumerate(events):
        if isinstance(event, SyscallEntered) and event.name == call and event.result is None:
            rest = events[start + 1 :]
            end = next(
                (
                    n
                    for n, one in enumerate(rest)
                    if isinstance(one, SyscallEntered) and one.name == call and one.result is not None
                ),
                len(rest),
            )
            yield event, rest[:end]


def drops_page(event: Event, linear: int) -> bool:
    """Whether somebody asked that this page's translation be dropped, held or not, by INVLPG or INVPCID."""
    return (
        isinstance(event, Invalidated)
        and event.operation in ("INVLPG", "INVPCID")
        and not event.scope.startswith("all")
        and int(event.scope.split(" in ")[0].replace("_", ""), 16) == linear
    )


def had_cached(event: Event, linear: int) -> bool:
    """Whether this invalidation took a translation of the page out of a TLB."""
    shown = f"0x{linear:016x}"
    place = "_".join((shown[:6], *(shown[n : n + 4] for n in (6, 10, 14))))
    return isinstance(event, Invalidated) and any(one.endswith(place) for one in event.dropped)


def is_fill(event: Event, linear: int) -> bool:
    return isinstance(event, TlbFilled) and event.page * event.page_bytes == linear


def frames_behind(events: list[Event], linear: int) -> list[int]:
    """The frames that the TLB held for a page, one after the other."""
    frames = [event.frame for event in events if isinstance(event, TlbFilled) and is_fill(event, linear)]
    return [frame for n, frame in enumerate(frames) if n == 0 or frame != frames[n - 1]]


def fault_at(events: list[Event], linear: int, reason: str) -> list[int]:
    """Where in the list this page faulted for this reason."""
    return [
        n
        for n, event in enumerate(events)
        if isinstance(event, Faulted)
        and event.reason == reason
        and event.cr2 is not None
        and event.cr2 & -PAGE == linear
    ]


# -- zeros on demand --------------------------------------------------------------------------------------------------


def test_a_page_comes_by_one_fault_and_nothing_is_invalidated_for_it() -> None:
    _, events = traced("pressure", "3", "2")
    for linear in (MMAP, MMAP + PAGE, MMAP + 2 * PAGE):
        (fault,) = fault_at(events, linear, NOT_PRESENT)
        fill = next(n for n, event in enumerate(events) if is_fill(event, linear))
        between = events[fault + 1 : fill]
        (mark,) = named(between, "demand_zero", linear=linear, pid=FIRST_PID)
        assert named(between, "frame_owner", frame_number=mark.arguments["frame_number"], owner="FRAME_USER")
        assert not [event for event in between if isinstance(event, Invalidated)]
        filled = events[fill]
        assert isinstance(filled, TlbFilled)
        assert filled.frame == mark.arguments["frame_number"]
        assert (filled.rip, filled.cpl) == (events[fault].rip, 3), "the instruction that faulted runs again"


def test_a_miss_needs_no_fault_and_a_fault_needs_no_miss() -> None:
    _, events = traced("cow")
    memory = MMAP
    # After fork the parent's translations are gone: a page is read again by a walk that finds it, without a fault.
    fork = next(n for n, event in enumerate(events) if had_cached(event, memory))
    refill = next(n for n in range(fork, len(events)) if is_fill(events[n], memory + 3 * PAGE))
    assert not [n for n in fault_at(events, memory + 3 * PAGE, NOT_PRESENT) if n > fork]
    assert refill > fork
    # A write by a translation that is held faults all the same, and takes what was held with it.
    hits = [n for n in fault_at(events, memory, READ_ONLY) if had_cached(events[n + 1], memory)]
    assert hits


# -- copy on write ----------------------------------------------------------------------------------------------------


def test_fork_copies_no_frame_and_takes_every_translation_of_the_parent() -> None:
    _, events = traced("cow")
    memory = MMAP
    forks = list(during(events, "SYS_fork"))
    assert len(forks) == 2
    for _, inside in forks:
        assert not named(inside, "copy_on_write")
        users = named(inside, "frame_owner", owner="FRAME_USER")
        assert not users, "the child has paging structures of its own, and no page"
        everything = [event for event in inside if isinstance(event, Invalidated) and "all" in event.scope]
        assert any(had_cached(event, memory) for event in everything)


def test_who_writes_first_gets_a_copy_and_the_old_translation_goes_before_anybody_else_can_have_the_frame() -> (
    None
):
    _, events = traced("cow")
    memory = MMAP
    copies = [
        mark
        for mark in named(events, "copy_on_write")
        if memory <= int(mark.arguments["linear"]) < memory + 4 * PAGE
    ]
    parent, child = FIRST_PID, FIRST_PID + 1
    assert [(mark.arguments["pid"], mark.arguments["linear"]) for mark in copies] == [
        (child, memory),
        (child, memory + PAGE),
        (parent, memory),
    ]
    for mark in copies:
        to, linear = mark.arguments["to_frame"], int(mark.arguments["linear"])
        assert mark.arguments["from_frame"] != to
        at = events.index(mark)
        fault = max(n for n in fault_at(events, linear, READ_ONLY) if n < at)
        between = events[fault + 1 : at]
        owned = named(between, "frame_owner", frame_number=to, owner="FRAME_USER", pid=mark.arguments["pid"])
        dropped = [event for event in between if drops_page(event, linear)]
        assert len(owned) == len(dropped) == 1
        assert events.index(owned[0]) < events.index(dropped[0])
        fill = next(event for event in events[at:] if is_fill(event, linear))
        assert isinstance(fill, TlbFilled)
        assert fill.frame == to


def test_who_is_alone_with_a_frame_gets_back_the_right_to_write_without_a_copy() -> None:
    _, events = traced("cow")
    faults = [n for n, event in enumerate(events) if isinstance(event, Faulted) and event.reason == READ_ONLY]
    alone = 0
    for fault in faults:
        event = events[fault]
        assert isinstance(event, Faulted)
        assert event.cr2 is not None
        linear = event.cr2 & -PAGE
        back = next(n for n in range(fault, len(events)) if events[n].cpl == 3 and n > fault + 1)
        inside = events[fault + 1 : back]
        if not named(inside, "copy_on_write"):
            alone += 1
            assert not named(inside, "frame_owner")
            fill = next(one for one in events[fault:] if is_fill(one, linear))
            assert isinstance(fill, TlbFilled)
            assert fill.rights.startswith("UW")
            assert fill.frame in frames_behind(events[:fault], linear)
    assert alone
    assert alone + len(named(events, "copy_on_write")) == len(faults)


# -- shared memory and files ------------------------------------------------------------------------------------------


def test_shared_memory_is_one_frame_for_both_processes_and_is_never_copied() -> None:
    _, events = traced("shared")
    pages = named(events, "file_page", linear=MMAP)
    assert [page.arguments["pid"] for page in pages] == [FIRST_PID, FIRST_PID + 1]
    fills = [event for event in events if isinstance(event, TlbFilled) and is_fill(event, MMAP)]
    assert {fill.frame for fill in fills} == {page.arguments["frame_number"] for page in pages}
    assert len({fill.frame for fill in fills}) == 1
    assert len({fill.pcid for fill in fills}) == 2
    assert not named(events, "copy_on_write", linear=MMAP)


def test_a_page_of_a_file_is_one_frame_for_all_who_map_it_until_one_writes_to_it() -> None:
    lab, events = traced("filemap")
    assert not [line for line in said(lab) if "WRONG" in line]
    first, mine = MMAP, MMAP + 3 * PAGE
    for index in range(3):
        theirs = named(events, "file_page", linear=first + index * PAGE, pid=FIRST_PID)
        ours = named(events, "file_page", linear=mine + index * PAGE)
        assert {mark.arguments["index"] for mark in theirs + ours} == {index}
        assert len({mark.arguments["frame_number"] for mark in theirs + ours}) == 1
    (copy,) = named(events, "copy_on_write", linear=mine + PAGE)
    (source,) = named(events, "file_page", linear=first + PAGE, pid=FIRST_PID)
    assert copy.arguments["from_frame"] == source.arguments["frame_number"]
    assert any(drops_page(event, mine + PAGE) for event in events[: events.index(copy)])


def test_a_piece_cut_out_is_invalidated_and_the_files_frame_stays_with_the_file() -> None:
    _, events = traced("filemap")
    (source,) = named(events, "file_page", linear=MMAP + PAGE, pid=FIRST_PID)
    (inside,) = [inside for call, inside in during(events, "SYS_munmap") if call.arguments[0] == MMAP + PAGE]
    assert len([event for event in inside if drops_page(event, MMAP + PAGE)]) == 1
    assert not named(inside, "frame_owner", frame_number=source.arguments["frame_number"])


def test_processes_of_one_program_share_its_full_pages_of_text_and_have_their_own_data() -> None:
    _, events = traced("heap")
    text = [
        mark.arguments for mark in named(events, "file_page", linear=0x40_0000) if mark.arguments["pid"] != 1
    ]
    assert len({page["pid"] for page in text}) > 2
    assert len({page["frame_number"] for page in text}) == 1
    own = {
        (fill.pcid, fill.frame)
        for fill in events
        if isinstance(fill, TlbFilled) and is_fill(fill, 0x7FFF_FFFF_E000)
    }
    assert len({frame for _, frame in own}) > 2, "stacks"


# -- rights -----------------------------------------------------------------------------------------------------------


def test_every_change_of_rights_drops_the_translations_and_keeps_the_frames() -> None:
    lab, events = traced("heap")
    assert said(lab)[-1] == "2: 0 wrong"
    page = MMAP + PAGE
    changes = [
        (call.arguments[2], inside)
        for call, inside in during(events, "SYS_mprotect")
        if call.arguments[0] == page
    ]
    assert [rights for rights, _ in changes] == [1, 5, 0], "read, read and execute, none"
    for _, inside in changes:
        assert len([event for event in inside if drops_page(event, page)]) == 1
        assert not named(inside, "frame_owner")
    parents = [
        fill.frame
        for fill in events
        if isinstance(fill, TlbFilled) and is_fill(fill, page) and fill.pcid == FIRST_PID
    ]
    assert len(set(parents)) == 1, "forbidden altogether, it was still there when it was allowed again"


# -- process tags -----------------------------------------------------------------------------------------------------


def switches_that_drop(events: list[Event]) -> int:
    """How many loads of CR3 dropped something, since the first process began."""
    events = events[events.index(named(events, "boot_done")[0]) :]
    return sum(
        isinstance(event, Invalidated) and event.operation == "MOV_CR3" and bool(event.dropped)
        for event in events
    )


def test_with_process_tags_no_switch_drops_a_translation_and_without_them_each_does() -> None:
    tagged_lab, tagged = traced("shared")
    untagged_lab, untagged = traced("shared", pcid="off")
    assert str(tagged_lab.console) == str(untagged_lab.console)
    assert len(named(tagged, "switch")) == len(named(untagged, "switch")) > 8
    assert switches_that_drop(tagged) == 0
    assert switches_that_drop(untagged) >= len(named(untagged, "switch")) / 2
    assert {fill.pcid for fill in untagged if isinstance(fill, TlbFilled)} == {0}

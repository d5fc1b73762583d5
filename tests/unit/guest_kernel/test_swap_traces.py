# SPDX-License-Identifier: GPL-2.0-or-later
"""What a trace shows of pages that are taken away: in what order, which are exempt, and what happens without a disk."""

from collections.abc import Iterable
from functools import cache

from emu.events import Accessed, Event, Faulted, Invalidated, Marked
from emu.lesson import Lab

from .memory import balance_is_equal, said, scarce, watch

PAGE = 4096
MMAP = 0x7000_0000_0000
WINDOW_PAGES = 4
SECTORS_PER_PAGE = 8
NO = "2: and after memory was scarce: NO, its pointers lead to somebody else's bytes"


@cache
def traced(
    program: str, *arguments: str, disk: str | None = "blank:8M", exempt: str = "on"
) -> tuple[Lab, list[Event]]:
    """A finished run in scarce memory, and what matters of its events."""
    lab = scarce(program, *arguments, disk=disk, ukshm__swap_exempt=exempt)
    events: list[Event] = watch(lab, Marked, Invalidated, Faulted)
    lab.run_to_exit()
    assert balance_is_equal(events)
    return lab, events


def marks(events: Iterable[Event], *names: str) -> list[Marked]:
    return [event for event in events if isinstance(event, Marked) and event.name in names]


def page_of(event: Invalidated) -> int | None:
    """The page that was invalidated, None for a whole address space."""
    return None if event.scope.startswith("all") else int(event.scope.split(" in ")[0].replace("_", ""), 16)


def is_of_window(mark: Marked) -> bool:
    return MMAP <= int(mark.arguments["linear"]) < MMAP + WINDOW_PAGES * PAGE


def window_frames(events: list[Event]) -> set[int]:
    (mapped,) = marks(events, "ukshm_map")
    first = int(mapped.arguments["frame_number"])
    return set(range(first, first + WINDOW_PAGES))


# -- the order --------------------------------------------------------------------------------------------------------


def test_a_page_is_invalidated_before_the_disk_reads_it_and_given_away_only_when_the_disk_is_done() -> None:
    _, events = traced("pressure", "400", "2")
    written = [mark for mark in marks(events, "swap_out") if mark.arguments["written"]]
    assert len(written) > 400
    for mark in written:
        frame, linear = mark.arguments["frame_number"], mark.arguments["linear"]
        rest = events[events.index(mark) + 1 :]
        fate: list[str] = []
        for event in rest:
            if isinstance(event, Invalidated) and page_of(event) == linear:
                fate.append(event.operation)
            elif isinstance(event, Marked) and event.arguments.get("frame_number") == frame:
                fate.append(event.name)
                if event.name == "frame_owner":
                    break
        assert fate in (
            ["INVLPG", "disk_request", "disk_done", "frame_owner"],
            ["INVPCID", "disk_request", "disk_done", "frame_owner"],
        ), (mark, fate)


def test_every_page_is_written_to_the_slot_that_is_noted_and_read_back_from_there() -> None:
    _, events = traced("pressure", "400", "2")
    slots: dict[object, object] = {}
    by_page: dict[object, object] = {}
    checked = 0
    for mark in marks(events, "swap_out", "swap_in", "disk_request"):
        seen = mark.arguments
        if mark.name == "swap_out":
            slots[seen["frame_number"]] = by_page[seen["pid"], seen["linear"]] = seen["slot"]
        elif mark.name == "disk_request" and seen["write"]:
            assert seen["sector"] == int(str(slots[seen["frame_number"]])) * SECTORS_PER_PAGE
        elif mark.name == "swap_in":
            assert by_page[seen["pid"], seen["linear"]] == seen["slot"]
            checked += 1
    assert checked > 300


def test_a_page_comes_back_by_a_fault_and_a_read_and_nothing_is_invalidated_for_it() -> None:
    _, events = traced("pressure", "400", "2")
    came = [mark for mark in marks(events, "swap_in") if int(mark.arguments["linear"]) >= MMAP]
    assert len(came) > 300
    for mark in came:
        linear, frame = mark.arguments["linear"], mark.arguments["frame_number"]
        at = events.index(mark)
        fault = max(
            n
            for n, event in enumerate(events[:at])
            if isinstance(event, Faulted) and event.cr2 is not None and event.cr2 & -PAGE == linear
        )
        read = marks(events[fault:at], "disk_done")[-1].arguments
        assert (read["write"], read["frame_number"], read["error"]) == (0, frame, 0)
        assert not [
            one for one in events[fault + 1 : at] if isinstance(one, Invalidated) and page_of(one) == linear
        ]


def test_a_page_that_did_not_change_since_it_was_written_is_dropped_without_a_write() -> None:
    _, events = traced("reach", "380", "2")
    clean = [mark for mark in marks(events, "swap_out") if not mark.arguments["written"]]
    assert len(clean) > 300
    assert all(mark.arguments["slot"] for mark in clean if int(mark.arguments["linear"]) >= MMAP)
    for mark in clean:
        frame = mark.arguments["frame_number"]
        rest = (one for one in events[events.index(mark) + 1 :] if isinstance(one, Marked))
        assert next(one for one in rest if one.arguments.get("frame_number") == frame).name == "frame_owner"


# -- what is exempt ---------------------------------------------------------------------------------------------------


def test_pages_shared_with_the_kernel_are_passed_by_and_nothing_else_is() -> None:
    lab, events = traced("pinned", "4", "400", "2")
    assert said(lab)[-1] == "2: and after memory was scarce: yes"
    passed_by = {mark.arguments["frame_number"] for mark in marks(events, "reclaim_skip")}
    assert passed_by == window_frames(events)
    taken = marks(events, "swap_out")
    assert len(taken) > 400
    assert not [mark for mark in taken if is_of_window(mark)]
    assert not passed_by & {mark.arguments["frame_number"] for mark in taken}


def test_if_they_are_not_exempt_they_go_and_come_back_elsewhere_and_the_kernel_reads_what_is_not_theirs() -> (
    None
):
    lab, events = traced("pinned", "4", "400", "2", exempt="off")
    assert said(lab)[-1] == NO
    assert not marks(events, "reclaim_skip")
    window = window_frames(events)
    assert window <= {mark.arguments["frame_number"] for mark in marks(events, "swap_out")}
    back = {
        mark.arguments["linear"]: mark.arguments["frame_number"]
        for mark in marks(events, "swap_in")
        if is_of_window(mark)
    }
    assert len(back) == WINDOW_PAGES
    first = min(window)
    moved = [linear for linear, frame in back.items() if frame != first + (int(linear) - MMAP) // PAGE]
    assert moved


# -- shared pages that are the kernel's again -------------------------------------------------------------------------


def late_write(invalidate: str) -> tuple[list[Faulted], list[Accessed], Lab]:
    """The faults at the page after it was unmapped, the writes to it, and the run."""
    lab = Lab()
    lab.boot("stale", switches={"ukshm.invalidate": invalidate})
    events: list[Event] = watch(lab, Marked, Faulted, Accessed)
    lab.run_to_exit()
    unmapped = events.index(marks(events, "ukshm_unmap")[0])
    later = [event for event in events[unmapped:] if event.cpl == 3]
    faults = [event for event in later if isinstance(event, Faulted) and event.cr2 == MMAP]
    writes = [
        event
        for event in later
        if isinstance(event, Accessed) and event.linear == MMAP and event.type == "write"
    ]
    return faults, writes, lab


def test_a_write_after_the_page_was_taken_away_faults() -> None:
    faults, writes, _ = late_write("all")
    assert len(faults) == 1
    assert not [write for write in writes if write.stale]


def test_but_without_invalidation_it_goes_through_by_a_stale_translation_and_nobody_is_told() -> None:
    faults, writes, lab = late_write("none")
    assert not faults
    assert [write.stale for write in writes] == [True]
    assert said(lab)[-1].endswith("DAMAGE")


# -- no room at all ---------------------------------------------------------------------------------------------------


def test_without_a_disk_the_process_that_wants_too_much_is_killed_in_words_and_every_frame_comes_back() -> (
    None
):
    lab, events = traced("pressure", "400", "1", disk=None)
    assert said(lab) == ["2: killed: out of memory"]
    (killed,) = marks(events, "oom_kill")
    assert killed.arguments["pid"] == 2
    (ended,) = [mark for mark in marks(events, "process_exit") if mark.arguments["pid"] == 2]
    assert (ended.arguments["status"], ended.arguments["vector"]) == (137, -1)
    assert not marks(events, "disk_request", "swap_in")
    assert not [mark for mark in marks(events, "swap_out") if mark.arguments["written"]]

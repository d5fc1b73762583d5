# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of panels that need no machine: frames, console, timeline, counters, spaces."""

from emu.events import Accessed, Event, Faulted, PortAccessed, TlbFilled
from emu.lesson.views import Counters
from emu.view.console import console_lines, console_tail
from emu.view.counters import counter_rows
from emu.view.frames import frame_map
from emu.view.inspector import SWAP_EXEMPT, Area, FrameTable, Process
from emu.view.spaces import space_lines, space_rows
from emu.view.spans import plain
from emu.view.timeline import is_landmark, time_cells, timeline_lines

NAMES = {0: "free", 2: "kernel", 5: "user", 6: "shared", 8: "file"}


def table(owners: list[int], pids: list[int] | None = None, exempt: int = -1) -> FrameTable:
    flags = bytes(SWAP_EXEMPT if i == exempt else 0 for i in range(len(owners)))
    return FrameTable(bytes(owners), flags, tuple(pids or [0] * len(owners)), NAMES)


def test_frames_are_letters_and_what_changed_hands_is_marked() -> None:
    before = frame_map(table([2, 2, 0, 0] * 16), {}, None)
    owners = [2, 2, 0, 0] * 16
    owners[2], owners[3] = 6, 5
    now = frame_map(table(owners, [0, 0, 0, 2] + [0] * 60, exempt=2), {2: "overrun"}, before)
    assert now.letters.startswith("KKX2KK..")
    assert (now.changed, now.exempt) == ({2, 3}, {2})
    assert ("2", "overrun", 1) in now.counts
    spans = [span for row in now.lines(70, 8) for span in row]
    assert [s.text for s in spans if s.changed] == ["X", "2"]
    assert any(s.role.endswith("-exempt") for s in spans)


def test_a_file_s_frames_have_a_letter_that_no_process_has() -> None:
    owners, pids = [8, 8] + [5] * 22 + [0] * 40, [0, 0, *range(22)] + [0] * 40
    found = frame_map(table(owners, pids), {15: "late"}, None)
    assert found.letters.count("f") == 2
    assert ("f", "file", 2) in found.counts
    assert ("late", 1) in [(name, count) for _, name, count in found.counts]
    assert {span.role for row in found.lines(70, 8) for span in row if "f" in span.text[:2]} >= {"owner-file"}


def test_rows_of_frames_that_are_all_alike_are_folded() -> None:
    found = frame_map(table([2] * 64 + [0] * 640), {}, None)
    assert [plain(row) for row in found.lines(70, 8)][2] == "   40 ... 640 free frames"


def test_a_kernel_without_a_frame_table_says_so() -> None:
    assert "no frame table" in plain(frame_map(None, {}, None).lines(40, 5)[0])


def test_the_console_sends_no_escapes_to_the_terminal() -> None:
    tail = console_tail(b"one\n\x1b]0;title\x07two\n")
    assert tail == ("one", "␛]0;title␇two")
    assert [plain(row) for row in console_lines(tail, 40, 1)] == ["␛]0;title␇two"]


def _access(seq: int, tlb: str) -> Accessed:
    where = {"linear": 0, "physical": 0, "size": 1, "type": "read", "implicit": False, "stale": False}
    return Accessed(seq=seq, insn=seq, cpu=0, cpl=3, rip=0, tlb=tlb, **where)


def _events() -> list[Event]:
    port = PortAccessed(seq=1, insn=1, cpu=0, cpl=0, rip=0, device="uart", address=0x3F8, data=1, write=True)
    fill = TlbFilled(
        seq=2, insn=2, cpu=0, cpl=3, rip=0, array="L1D 4K", set=0, way=0, page=1, frame=1, page_bytes=4096, pcid=0,
        is_global=False, rights="UW-", cause="miss",
    )  # fmt: skip
    fault = Faulted(
        seq=4, insn=4, cpu=0, cpl=3, rip=0, vector=14, error=6, error_bits="", cr2=0, reason="NOT_PRESENT", entry=None,
        entry_value=None, level=None,
    )  # fmt: skip
    return [port, fill, _access(3, "miss"), fault]


def test_the_timeline_leaves_out_device_traffic_and_ends_in_now() -> None:
    cells = time_cells(_events())
    assert "".join(cell.glyph for cell in cells) == "+○✗"
    assert plain(timeline_lines(cells, 40, 1, False)[0]) == "+○✗ ▌now"
    assert "ahead" in plain(timeline_lines(cells, 40, 1, True)[0])


def test_next_event_stops_at_misses_and_faults_but_not_at_their_fills() -> None:
    assert [is_landmark(event) for event in _events()] == [False, False, True, True]


def test_counters_show_what_the_stop_added_and_mark_the_cost_model() -> None:
    names = {"page_faults": 3, "cycles.model": 30_000}
    rows = counter_rows({"page_faults": 4, "cycles.model": 90_000}, counter_rows(names, ()))
    assert [plain(row.line(25)).split() for row in rows] == [
        ["page", "faults", "4", "+1"],
        ["~", "cycles", "90,000", "+60k"],
    ]


def test_counters_by_page_size_appear_when_they_are_no_longer_0() -> None:
    name = "DTLB_LOAD_MISSES.WALK_COMPLETED_1G"
    before = counter_rows({"page_faults": 0, name: 0}, ())
    assert [row.name for row in before] == ["page_faults"]
    rows = counter_rows({"page_faults": 0, name: 2}, before)
    assert plain(rows[-1].line(25)).split() == ["load", "1G", "2", "+2"]
    assert plain(rows[-1].line(78)).split()[2] == name


def test_what_the_cost_model_says_is_marked() -> None:
    rows = counter_rows({"ITLB_MISSES.WALK_ACTIVE": 80}, ())
    assert plain(rows[0].line(25)).startswith("~ fetch walk")
    assert Counters({"cycles.model": 9, "page_faults": 1}).lines() == [
        "          ~9  cycles.model",
        "           1  page_faults",
    ]


def test_spaces_show_ranges_with_rights_the_loaded_one_first() -> None:
    one = Process(1, "init", "waiting", 0x1000, (Area(0x400000, 0x401000, "image", "rx"),))
    two = Process(2, "overrun", "running", 0x2000, (Area(0x7000_0000_3000, 0x7000_0000_4000, "ukshm", "rw"),))
    rows = [plain(row) for row in space_lines(space_rows([one, two], 0x2000, 0x7000_0000_3004, ()))]
    assert rows[0] == "▸ overrun(2)  running"
    assert rows[1] == " ▸0x7000_0000_3000  1p rw- shared window"
    assert rows[3].endswith("1p r-x text")

# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from emu.lesson import At, Kind, Lab, LabError, happened
from emu.lesson.writers import CPU, WALKER

PAGE = 4096


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.boot("overrun")
    lab.run_until(At("fill_window"))
    return lab


def test_nothing_changes_between_a_moment_and_itself(lab: Lab) -> None:
    changes = lab.frames_changed(lab.snapshot())
    assert not changes.frames
    assert changes.lines() == [
        f"{changes.compared} kernel frames compared: {changes.compared} identical, 0 changed"
    ]


def test_hits_in_level_1_are_found_again_and_their_writers_named(lab: Lab) -> None:
    before, frame = lab.snapshot(), lab.walk(lab.value("window")).frame
    lab.run_until(happened(Kind.FAULT, vector=14))
    changes = lab.frames_changed(before)
    shared = next(change for change in changes.frames if change.frame == frame)
    assert [(w.name, w.ring, w.writes, w.trespass) for w in shared.writers] == [
        ("fill_window", 3, PAGE, False)
    ]
    assert (shared.kernels, len(shared.offsets)) == (False, PAGE)


def test_the_walk_and_the_cpu_are_named_as_writers(lab: Lab) -> None:
    before = lab.snapshot()
    lab.run_until(happened(Kind.FAULT, vector=14))
    changes = lab.frames_changed(before)
    by_name = {change.name: {writer.name for writer in change.writers} for change in changes.kernel}
    assert by_name["page table of overrun(2)"] == {WALKER}
    assert CPU in by_name["kernel stack of overrun(2)"]
    assert changes.all_named


def test_the_kernels_writes_are_told_by_function(lab: Lab) -> None:
    lab.run_until(happened(Kind.FAULT, vector=14))
    before = lab.snapshot()
    lab.run_to_exit()
    changes = lab.frames_changed(before)
    assert changes.all_named
    assert {"page_fault", "schedule", "page_unmap_range", "frame_free"} <= changes.writers()
    names = [change.name for change in changes.kernel]
    assert "the frame table, frames[]" in names
    assert any(name.startswith("kernel data: ") and "current" in name for name in names)
    assert not any(change.by_ring_3 for change in changes.frames)


def test_a_program_that_writes_to_the_kernels_frame_is_told_from_one_that_writes_to_its_own() -> None:
    lab = Lab()
    lab.boot("overrun", switches={"ukshm.map": "kernel_range"})
    lab.run_until(At("fill_window"))
    before = lab.snapshot()
    lab.run_until(At("count_lost"))
    trespassed = [change for change in lab.frames_changed(before).kernel if change.by_ring_3]
    assert [len(change.offsets) for change in trespassed] == [PAGE, 16]
    assert all("fill_window (ring 3)" in "\n".join(change.lines()) for change in trespassed)


def test_somebody_outside_is_a_writer_too(lab: Lab) -> None:
    before = lab.snapshot()
    lab.poke(lab.symbol("kernel:kernel_range"), b"\x01")
    (change,) = lab.frames_changed(before).kernel
    assert [str(writer) for writer in change.writers] == ["somebody outside (poke)"]


def test_snapshots_of_two_machines_are_not_compared(lab: Lab) -> None:
    before = lab.snapshot()
    lab.boot("overrun")
    with pytest.raises(LabError, match="compare two moments of one boot"):
        lab.frames_changed(before)


def test_asking_who_wrote_leaves_the_machine_as_it_was(lab: Lab) -> None:
    before = lab.snapshot()
    lab.step(2000)
    lab.frames_changed(before)
    assert lab.compare(lab.fork()).same

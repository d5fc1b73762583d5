# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkpoints by themselves: which one is near, what a frame held, and how they thin out."""

from emu.bits import PAGE_BYTES
from emu.history import INTERVAL, MOST_CHECKPOINTS, NEAR, Checkpoint, History


def page(byte: int) -> bytes:
    return bytes([byte]) * PAGE_BYTES


def grown(count: int) -> History[int]:
    """Checkpoint n stands at n intervals; frame 7 then holds n, frame 100 + n was written just before."""
    history = History[int]({7: page(200)})
    for n in range(count):
        frames = {7: page(n % 256), 100 + n: page(n % 256)} if n else {}
        history.keep(Checkpoint(n * INTERVAL, n, frames))
    return history


def test_the_nearest_checkpoint_is_the_last_one_not_after() -> None:
    history = grown(4)
    assert [history.nearest(insn) for insn in (0, INTERVAL - 1, INTERVAL, 9 * INTERVAL)] == [0, 0, 1, 3]


def test_going_back_restores_what_was_written_since_and_nothing_else() -> None:
    history = grown(4)
    frames = history.frames_to_restore(1, written={55})
    assert frames == {7: page(1), 55: page(0), 102: page(0), 103: page(0)}


def test_before_the_first_write_a_frame_holds_what_was_loaded() -> None:
    assert grown(3).frames_to_restore(0, written=set())[7] == page(200)


def test_going_forward_again_restores_too() -> None:
    history = grown(4)
    history.origin = 1
    assert history.frames_to_restore(3, written=set()) == {7: page(3), 102: page(2), 103: page(3)}


def test_a_replay_comes_past_what_is_known_and_then_keeps_more() -> None:
    history = grown(3)
    history.origin = 0
    assert [history.come_past() for _ in range(3)] == [True, True, False]
    assert history.next_insn() == 3 * INTERVAL


def test_another_course_forgets_what_will_not_happen() -> None:
    history = grown(4)
    history.origin = 1
    history.forget_future()
    assert [checkpoint.state for checkpoint in history.checkpoints] == [0, 1]


def test_one_kept_between_two_is_found_and_those_behind_it_still_hold_what_they_held() -> None:
    history = grown(4)
    history.origin = 1
    history.keep_between(Checkpoint(INTERVAL + 3000, 17, {7: page(17)}))
    assert history.nearest(INTERVAL + 3000) == 2 and history.origin == 2
    assert [history.frames_to_restore(at, {7})[7] for at in range(5)] == [page(n) for n in (200, 1, 17, 2, 3)]
    assert history.come_past() and history.checkpoints[history.origin].insn == 2 * INTERVAL


def test_there_is_room_only_far_from_the_origin_before_the_next_and_while_they_are_few() -> None:
    history = grown(4)
    history.origin = 1
    places = (NEAR, NEAR + 1, INTERVAL - 1, INTERVAL)
    assert [history.has_room(INTERVAL + n) for n in places] == [False, True, True, False]
    full = grown(MOST_CHECKPOINTS)
    full.origin = 1
    assert not full.has_room(INTERVAL + NEAR + 1)


def test_too_many_checkpoints_thin_out_and_every_frame_is_still_known() -> None:
    history = grown(MOST_CHECKPOINTS + 1)
    assert len(history.checkpoints) == MOST_CHECKPOINTS // 2 + 1
    assert history.next_insn() == (MOST_CHECKPOINTS + 2) * INTERVAL
    assert history.checkpoints[history.origin].state == MOST_CHECKPOINTS
    for index, checkpoint in enumerate(history.checkpoints):
        held = history.frames_to_restore(index, written={7})
        assert held[7] == page(checkpoint.state % 256 if checkpoint.state else 200)

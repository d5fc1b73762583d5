# SPDX-License-Identifier: GPL-2.0-or-later
"""A device's transfer, told in a sentence, in a line and in the timeline."""

from emu.events import DmaDone
from emu.trace.show import describe
from emu.view.explain import explain
from emu.view.scene import Scene
from emu.view.timeline import LEGEND, glyph_of

SCENE = Scene(hex)


def transfer(write: bool, size: int = 4096) -> DmaDone:
    digest = "ab" * 8 if size > 16 else ""
    return DmaDone(
        seq=1, insn=1, cpu=0, cpl=0, rip=0, device="disk", address=0x15_5000, size=size, data="00ff", digest=digest,
        write=write,
    )  # fmt: skip


def test_a_transfer_is_told_by_frame_and_says_that_no_translation_took_part() -> None:
    assert explain(transfer(True), SCENE) == (
        "the device disk wrote 4096 bytes into frame 0x155 at 0x0015_5000, "
        "by its physical address: no TLB and no page table was asked"
    )
    assert explain(transfer(False, 1), SCENE).startswith("the device disk read 1 byte from frame 0x155")


def test_a_long_transfer_is_told_by_its_beginning_and_a_digest() -> None:
    assert describe(transfer(False)) == (
        "disk read from 0x0015_5000 (frame 0x155), 4096 bytes: 00ff..., sha256 abababababababab..."
    )


def test_a_transfer_has_a_place_in_the_timeline_and_its_legend() -> None:
    assert glyph_of(transfer(True)) in dict(LEGEND)

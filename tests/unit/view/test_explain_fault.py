# SPDX-License-Identifier: GPL-2.0-or-later
"""The sentence for each refusal names the entry, its bits and the manual's section."""

from typing import Any

import pytest

from emu.events import Faulted
from emu.paging.modes import FIVE_LEVEL, PAE, TWO_LEVEL
from tests.helpers.bench import FETCH, GLOBAL, PAGE, PRESENT, READ, USER, WRITABLE, WRITE, XD, array, tlbs
from tests.unit.view.rig import Rig

HERE = 0x20_3000
RIGHTS = '(SDM vol. 3A, "Determination of Access Rights", 4.6.1).'
FAULTS = '(SDM vol. 3A, "Page-Fault Exceptions", 4.7).'
PS = 0x80


def mapped(flags: int = PAGE, **controls: Any) -> Rig:
    """One page at HERE, in 4-level paging."""
    rig = Rig()
    rig.set(**controls)
    rig.map(HERE, 0x5000, flags)
    return rig


def test_a_missing_page_is_an_entry_with_p_0() -> None:
    rig = mapped()
    said = rig.fault(HERE + 0x1000, WRITE)
    assert said == (
        "Refused: a user-mode write to 0x0000_0000_0020_4000, but the PTE at 0x0040_3020 has P = 0 (value 0x0), so "
        f"nothing is mapped there: #PF, error 0x6 = write + user + not present {FAULTS}"
    )


def test_a_missing_table_leaves_all_that_it_would_cover_unmapped() -> None:
    said = mapped().fault(HERE + 0x4000_0000)
    assert "the PDPTE at 0x0040_1008 has P = 0" in said
    assert "nothing is mapped in the whole 1G that it covers" in said


def test_the_uppermost_entry_that_limits_is_named_whatever_those_below_say() -> None:
    rig = mapped()
    rig.set_entry(0x402008, rig.entry(0x402008) & ~WRITABLE)
    said = rig.fault(HERE, WRITE)
    assert said == (
        "Refused: a user-mode write to 0x0000_0000_0020_3000, but the PDE at 0x0040_2008 has R/W = 0 (value "
        "0x40_3005), so the page is read-only whatever the PTE says: #PF, error 0x7 = write + user + protection "
        f"violation {RIGHTS}"
    )


def test_of_two_entries_that_limit_the_upper_one_is_named() -> None:
    rig = mapped(PRESENT | USER)
    rig.set_entry(0x402008, rig.entry(0x402008) & ~WRITABLE)
    assert "the PDE at 0x0040_2008 has R/W = 0" in rig.fault(HERE, WRITE)


def test_the_entry_that_the_cpu_used_is_named_though_memory_leads_elsewhere_by_now() -> None:
    rig = Rig(of=tlbs(array(), pde=1))
    rig.map(HERE, 0x5000)
    rig.step(HERE)
    rig.set_entry(0x402008, 0x40_8007)
    said = rig.fault(HERE + 0x1000)
    assert "the PTE at 0x0040_3020 has P = 0" in said


@pytest.mark.parametrize(
    ("flags", "controls", "access", "parts"),
    [
        (PRESENT | USER, {}, (WRITE, True), ("the PTE at 0x0040_3018 has R/W = 0", "the page is read-only:")),
        (
            PRESENT,
            {},
            (WRITE, False),
            ("a supervisor-mode write", "R/W = 0", "CR0.WP = 1 holds supervisor mode to that"),
        ),
        (PRESENT, {}, (READ, True), ("has U/S = 0 (value 0x5001)", "the page is supervisor-mode:")),
        (PAGE | XD, {}, (FETCH, True), ("user-mode fetch from", "XD = 1", "while EFER.NXE = 1")),
        (PAGE, {"SMEP": True}, (FETCH, False), ("U/S = 1", "CR4.SMEP = 1 lets supervisor mode fetch")),
        (PAGE, {"SMAP": True}, (READ, False), ("U/S = 1", "CR4.SMAP = 1", "EFLAGS.AC = 0")),
        (
            PAGE | 5 << 59,
            {"PKE": True, "PKRU": 1 << 10},
            (READ, True),
            ("key 5 (bits 62:59)", "AD5 = 1 in PKRU (bit 10, PKRU = 0x400)", "no data access"),
        ),
        (
            PAGE | 15 << 59,
            {"PKE": True, "PKRU": 2 << 30},
            (WRITE, False),
            ("key 15", "WD15 = 1 in PKRU (bit 31", "no write", '"Protection Keys", 4.6.2'),
        ),
    ],
    ids=["read-only", "WP", "supervisor page", "XD", "SMEP", "SMAP", "key AD", "key WD"],
)  # fmt: skip
def test_a_refusal_by_rights_says_which_bits(
    flags: int, controls: dict[str, Any], access: tuple[int, bool], parts: tuple[str, ...]
) -> None:
    said = mapped(flags, **controls).fault(HERE, access[0], access[1])
    for part in parts:
        assert part in said


def test_an_implicit_access_is_called_one_and_ac_does_not_help_it() -> None:
    rig = mapped(SMAP=True)
    found = rig.translate(HERE, READ, user=False, implicit=True, ac=True)
    rig.mmu.fault(found, HERE)  # type: ignore[arg-type]
    said = rig.say(next(e for e in rig.events if isinstance(e, Faulted)))
    assert "an implicit supervisor-mode read of" in said
    assert "EFLAGS.AC frees no implicit access" in said


@pytest.mark.parametrize(
    ("value", "level", "controls", "expected"),
    [
        (PAGE | 1 << 45 | 1 << 44, "PTE", {}, "bits 45:44 set, reserved because physical addresses have 40 bits"),
        (PAGE | XD, "PTE", {"NXE": False}, "XD (bit 63) set, which is reserved while EFER.NXE = 0"),
        (PAGE | PS, "PML4E", {}, "PS (bit 7) set, which is reserved: a PML4E maps no page"),
        (PAGE | PS, "PDPTE", {"page_1g": False}, "this CPU has no 1-GByte pages"),
        (PAGE | PS | 1 << 13 | 1 << 20, "PDE", {}, "bits 20, 13 set, reserved in a PDE that maps a 2M page"),
        (PAGE | PS | 1 << 29, "PDPTE", {}, "bit 29 set, reserved in a PDPTE that maps a 1G page"),
        (PAGE | 1 << 50 | XD, "PTE", {"NXE": False}, "(MAXPHYADDR) and XD (bit 63) set"),
    ],
)  # fmt: skip
def test_each_reserved_bit_is_named_with_the_reason_why_it_is(
    value: int, level: str, controls: dict[str, Any], expected: str
) -> None:
    rig = mapped(**controls)
    rig.set_entry(rig.tables.entry_address(HERE, level), value)  # type: ignore[arg-type]
    said = rig.fault(HERE)
    assert f"the {level} at " in said
    assert expected in said


@pytest.mark.parametrize(
    ("mode", "value", "controls", "expected"),
    [
        (TWO_LEVEL, PAGE | PS | 1 << 21, {}, "bit 21 set, reserved in a PDE that maps a 4M page"),
        (TWO_LEVEL, PAGE | PS | 1 << 13, {"pse36": False}, "bit 13 set, reserved because this CPU has no PSE-36"),
        (TWO_LEVEL, PAGE | PS | 1 << 20, {"maxphyaddr": 36}, "bit 20 set, reserved because physical addresses have 36"),
        (PAE, PAGE | 1 << 60, {}, "bit 60 set, reserved in a PDE"),
    ],
)  # fmt: skip
def test_32_bit_and_pae_paging_reserve_bits_of_their_own(
    mode: Any, value: int, controls: dict[str, Any], expected: str
) -> None:
    rig = Rig(mode)
    rig.map(HERE, 0x5000)
    address = rig.tables.entry_address(HERE, "PDE")  # type: ignore[arg-type]
    rig.set_entry(address, value)
    rig.set(**controls)
    assert expected in rig.fault(HERE)


def test_a_linear_address_of_32_bits_has_eight_digits() -> None:
    rig = Rig(TWO_LEVEL)
    said = rig.fault(0xFFC0_0000)
    assert "a user-mode read of 0xffc0_0000, but the PDE at 0x0040_0ffc has P = 0" in said
    assert "in the whole 4M" in said


def test_the_fifth_level_can_be_what_is_missing() -> None:
    said = Rig(FIVE_LEVEL).fault(0x00FF_0000_0000_0000)
    assert "the PML5E at 0x0040_07f8 has P = 0" in said
    assert "256T" in said


def test_a_pdpte_of_pae_paging_has_no_rights_to_take_away() -> None:
    rig = Rig(PAE)
    rig.map(HERE, 0x5000, PRESENT)
    assert "the PTE at 0x0040_2018 has U/S = 0" in rig.fault(HERE)


def test_a_spurious_fault_is_that_of_a_tlb_entry_whose_memory_has_changed() -> None:
    rig = mapped(PRESENT | USER)
    rig.access(HERE)
    pte = rig.tables.entry_address(HERE, "PTE")  # type: ignore[arg-type]
    rig.set_entry(pte, rig.entry(pte) | WRITABLE)
    said = rig.fault(HERE, WRITE)
    assert "a TLB entry answered, made when the PTE at 0x0040_3018 was 0x5005" in said
    assert "memory allows it by now" in said
    assert '"Optional Invalidation", 4.10.4.3' in said


def test_a_tlb_entry_that_refuses_as_memory_does_is_not_called_spurious() -> None:
    rig = mapped(PRESENT | USER)
    rig.access(HERE)
    said = rig.fault(HERE, WRITE)
    assert "no walk was made, and memory says the same" in said
    assert said.endswith(RIGHTS)


def test_the_entries_that_the_walk_read_serve_when_the_machine_has_moved_on() -> None:
    rig = mapped()
    rig.set_entry(0x402008, rig.entry(0x402008) & ~WRITABLE)
    rig.fault(HERE, WRITE)
    rig.set_entry(0x402008, rig.entry(0x402008) | WRITABLE)
    assert "the PDE at 0x0040_2008 has R/W = 0" in rig.said("fault", now=False)[0]


def test_a_non_canonical_address_is_a_gp() -> None:
    event = Faulted(
        seq=1, insn=1, cpu=0, cpl=3, rip=0, vector=13, error=0, error_bits="", cr2=None, reason="NON_CANONICAL",
        entry=None, entry_value=None, level=None,
    )  # fmt: skip
    said = Rig().say(event)
    assert said.startswith("Refused: #GP, the linear address is not canonical")
    assert '"Canonical Addressing", 3.3.7.1' in said


def test_other_exceptions_say_their_name_once() -> None:
    event = Faulted(
        seq=1, insn=1, cpu=0, cpl=3, rip=0, vector=6, error=None, error_bits="", cr2=None,
        reason="#UD invalid opcode", entry=None, entry_value=None, level=None,
    )  # fmt: skip
    assert Rig().say(event) == '#UD: invalid opcode (SDM vol. 3A, "Exception and Interrupt Reference", 6.15).'


def test_global_says_nothing_about_rights() -> None:
    rig = mapped(PAGE | GLOBAL)
    assert "R/W" not in rig.step(HERE, WRITE)


def test_without_a_mode_the_entry_that_the_event_names_is_all_there_is() -> None:
    rig = mapped()
    rig.fault(HERE + 0x1000)
    event = next(e for e in rig.events if isinstance(e, Faulted))
    from emu.view.explain import explain
    from emu.view.scene import Scene

    assert "the PTE at 0x0040_3020 has P = 0" in explain(event, Scene(hex))

# SPDX-License-Identifier: GPL-2.0-or-later
"""Where data is looked for, in a checkout and in an installed wheel, and what is said when it is missing."""

from pathlib import Path

import pytest

from emu import resources
from emu.resources import ResourceMissing


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with nothing in it."""
    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(resources, "_INSTALLED", tmp_path / "emu" / "_data")
    return tmp_path


def test_a_checkout_uses_its_own_folders() -> None:
    root = Path(resources.__file__).parent.parent
    assert resources.guest_sources() == root / "guest"
    assert resources.guest_images() == root / "guest" / "out"
    assert not resources.is_installed()


def test_a_wheel_uses_its_data(somewhere: Path) -> None:
    data = somewhere / "emu" / "_data"
    for folder in ("guest/kernel", "guest/out", "lessons"):
        (data / folder).mkdir(parents=True)
    (data / "guest" / "out" / "kernel.elf").touch()
    assert resources.is_installed()
    assert resources.guest_sources() == data / "guest"
    assert resources.guest_images() == data / "guest" / "out"
    assert resources.lessons() == data / "lessons"


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (resources.guest_sources, "sources"),
        (resources.guest_images, "images"),
        (resources.lessons, "lessons"),
    ],
)
def test_what_is_missing_is_named_with_its_place_and_its_mend(
    where: object, what: str, somewhere: Path
) -> None:
    assert callable(where)
    with pytest.raises(ResourceMissing, match=what) as caught:
        where()
    assert str(caught.value.where) in str(caught.value)
    assert caught.value.mend in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_installation_is_to_be_installed_again(somewhere: Path) -> None:
    (somewhere / "emu" / "_data").mkdir(parents=True)
    with pytest.raises(ResourceMissing, match="install pagewalk again"):
        resources.guest_images()

# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder of the host is read once, within bounds, and nothing outside it."""

from pathlib import Path

import pytest

from emu.net import folder
from emu.net.folder import FolderError, read_folder


def test_files_go_by_their_names_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "b.txt").write_bytes(b"b")
    (tmp_path / "sub" / "deep" / "a.txt").write_bytes(b"a")
    assert list(read_folder(tmp_path).items()) == [(b"b.txt", b"b"), (b"sub/deep/a.txt", b"a")]


def test_links_that_lead_out_are_there_and_are_not_given_away(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    inside = tmp_path / "served"
    inside.mkdir()
    (inside / "file").write_bytes(b"open")
    (inside / "near").symlink_to("file")
    (inside / "far").symlink_to("../outside")
    (inside / "nowhere").symlink_to("nothing")
    (inside / "up").symlink_to(tmp_path)
    served = read_folder(inside)
    assert served == {b"file": b"open", b"near": b"open", b"far": None, b"nowhere": None}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: None, "No such file"),
        (lambda p: p.write_bytes(b""), "is a file, not a folder"),
        (lambda p: [p.mkdir(), (p / "big").write_bytes(bytes(folder.MOST_FILE_BYTES + 1))], "4 MiB"),
        (lambda p: [p.mkdir(), *((p / f"{n}").touch() for n in range(folder.MOST_FILES + 1))], "256 files"),
        (lambda p: [p.mkdir(), *((p / f"{n}").write_bytes(bytes(4 << 20)) for n in range(5))], "16 MiB"),
    ],
    ids=["it is not there", "it is a file", "a file is too large", "too many files", "too much in all"],
)
def test_what_cannot_be_served_is_one_line_with_a_mend(tmp_path: Path, make, words: str) -> None:
    path = tmp_path / "served"
    make(path)
    with pytest.raises(FolderError) as caught:
        read_folder(path)
    line = str(caught.value)
    assert words in line and str(path) in line and ";" in line and "\n" not in line


def test_exactly_as_much_as_is_allowed_is_served(tmp_path: Path) -> None:
    for n in range(4):
        (tmp_path / f"{n}").write_bytes(bytes(4 << 20))
    assert sum(len(contents or b"") for contents in read_folder(tmp_path).values()) == folder.MOST_BYTES

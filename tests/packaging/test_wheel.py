# SPDX-License-Identifier: GPL-2.0-or-later
"""The wheel carries everything; a source distribution gives the same wheel; what is installed finds its data."""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from emu.guest.build import read_programs

ROOT = Path(__file__).resolve().parents[2]
DATA = "emu/_data"
ROOMS = ("emu", "guest", "lessons", "docs", "hatch_build.py", "pyproject.toml")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "NOTICE.md", "LICENSE")


def run(*command: str | Path, cwd: Path) -> str:
    result = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def build(kind: str, source: Path, out: Path) -> Path:
    """A distribution, with what this environment has: nothing is downloaded."""
    run(sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "-o", out, ".", cwd=source)
    (made,) = out.iterdir()
    return made


def contents(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, so that a build cannot meet another test's."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in (*ROOMS, *DOCUMENTS):
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.partial"))
        elif path.is_file():
            shutil.copy(path, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", checkout, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_kernel_programs_sources_and_the_typing_mark(wheel: Path) -> None:
    names = contents(wheel)
    programs = [entry.name for entry in read_programs(ROOT / "guest")]
    for name in ("kernel.elf", "programs.cpio", *programs):
        assert f"{DATA}/guest/out/{name}" in names
    for name in ("guest/user/programs.toml", "guest/kernel/kernel.ld", "guest/user/overrun.c"):
        assert f"{DATA}/{name}" in names
    assert "emu/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "guest/")) or "__pycache__" in name]


def test_the_wheel_holds_every_file_of_every_lesson(wheel: Path) -> None:
    names = contents(wheel)
    lessons = [
        path for path in (ROOT / "lessons").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert lessons
    assert [
        path
        for path in lessons
        if f"{DATA}/lessons/{path.relative_to(ROOT / 'lessons').as_posix()}" not in names
    ] == []


def test_the_wheel_carries_licence_and_notice(wheel: Path) -> None:
    names = {Path(name).name for name in contents(wheel) if ".dist-info/" in name}
    assert {"LICENSE", "NOTICE.md", "entry_points.txt"} <= names


@pytest.mark.long
def test_a_source_distribution_gives_the_same_wheel(wheel: Path, checkout: Path, tmp_path: Path) -> None:
    sdist = build("sdist", checkout, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        assert not [name for name in archive.getnames() if "/guest/out" in name]
    unpacked = tmp_path / "source"
    unpacked.mkdir()
    run("tar", "-xzf", sdist, cwd=unpacked)  # tarfile's safe filter is not in Debian 12's Python 3.11.2
    (source,) = unpacked.iterdir()
    assert contents(build("wheel", source, tmp_path / "wheel")) == contents(wheel)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel in it; the dependencies are this environment's."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    where = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip()
    )
    here = Path(run(sys.executable, "-c", "import rich; print(rich.__path__[0])", cwd=home).strip()).parent
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    run(*pip, wheel, cwd=home)
    (where / "dependencies.pth").write_text(str(here) + "\n", encoding="utf-8")
    return home / "bin"


@pytest.mark.long
def test_what_is_installed_finds_its_data_away_from_any_checkout(installed: Path, tmp_path: Path) -> None:
    code = "from emu import resources as r; print(r.guest_sources(), r.guest_images(), r.lessons())"
    paths = run(installed / "python", "-c", code, cwd=tmp_path).split()
    assert len(paths) == 3
    assert all("site-packages/emu/_data" in path for path in paths)


@pytest.mark.long
def test_the_installed_command_runs_a_guest_program(installed: Path, tmp_path: Path) -> None:
    assert "pagewalk" in run(installed / "pagewalk", "--version", cwd=tmp_path).lower()
    assert run(installed / "pagewalk", "run", "hello", cwd=tmp_path)


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not installed")
def test_an_editable_install_compiles_into_the_checkout(checkout: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    run("uv", "venv", "-q", "--python", sys.executable, home, cwd=tmp_path)
    shutil.rmtree(checkout / "guest" / "out", ignore_errors=True)
    run(
        "uv",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--python",
        home / "bin" / "python",
        "-e",
        checkout,
        cwd=tmp_path,
    )
    code = "from emu import resources as r; print(r.guest_images())"
    images = Path(run(home / "bin" / "python", "-c", code, cwd=tmp_path).strip())
    assert images == checkout / "guest" / "out"
    assert (images / "kernel.elf").is_file()


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("uvx"), reason="uvx is not installed")
def test_uvx_runs_the_command_from_a_checkout(checkout: Path, tmp_path: Path) -> None:
    assert "pagewalk" in run("uvx", "-q", "--from", checkout, "pagewalk", "--version", cwd=tmp_path).lower()

# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk --version`: the parts that decide what a run does."""


def versions() -> dict[str, str]:
    """The versions that decide the outcome of a run."""
    import platform

    return {
        "pagewalk": _version("pagewalk") or _checkout_version() or "unknown",
        "unicorn": _version("unicorn") or "not installed",
        "python": platform.python_version(),
    }


def _version(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _checkout_version() -> str | None:
    """The version of a checkout that is run without being installed."""
    import tomllib
    from pathlib import Path

    try:
        text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
        return str(tomllib.loads(text)["project"]["version"])
    except (OSError, ValueError, KeyError):
        return None


def version_text() -> str:
    """What `--version` prints: one part a line, the guest image by its hash."""
    lines = versions()
    lines["textual"] = _version("textual") or "not installed"
    lines["guest image"] = image_sha256() or "not built; run `pagewalk guest build`"
    return "\n".join(f"{name} {value}" for name, value in lines.items())


def image_sha256() -> str | None:
    """The hash of the bundled kernel image, None if it is not there."""
    import hashlib

    from emu import resources

    try:
        return hashlib.sha256((resources.guest_images() / "kernel.elf").read_bytes()).hexdigest()
    except (resources.ResourceMissing, OSError):
        return None

# SPDX-License-Identifier: GPL-2.0-or-later
"""`pagewalk --version`: the parts that decide what a run does."""


def versions() -> dict[str, str]:
    """The versions that decide the outcome of a run."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for name in ("pagewalk", "unicorn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    found["python"] = platform.python_version()
    return found


def version_text() -> str:
    """What `--version` prints: one part a line, the guest image by its hash."""
    from importlib.metadata import PackageNotFoundError, version

    lines = versions()
    try:
        lines["textual"] = version("textual")
    except PackageNotFoundError:
        lines["textual"] = "not installed"
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

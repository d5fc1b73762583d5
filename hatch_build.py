# SPDX-License-Identifier: GPL-2.0-or-later
"""Build hook: compiles the guest and puts its sources, its images and the lessons into the wheel as data.

An editable install compiles into `guest/out/` of the checkout instead, where `emu/resources.py` looks for it.
"""

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DATA = "emu/_data"
NOT_SHIPPED = {"out", "__pycache__"}


def load_recipe(root: Path) -> ModuleType:
    """`emu/guest/build.py` by its path: at build time neither `emu` nor its dependencies are installed."""
    spec = importlib.util.spec_from_file_location("pagewalk_guest_build", root / "emu" / "guest" / "build.py")
    assert spec and spec.loader
    recipe = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = recipe
    spec.loader.exec_module(recipe)
    return recipe


def files_under(folder: Path) -> list[Path]:
    """The files to ship from `folder`, as paths relative to it, in a fixed order."""
    files = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in files if not NOT_SHIPPED.intersection(path.parts)]


class GuestBuildHook(BuildHookInterface[BuilderConfig]):
    """Runs for wheels only; a source distribution carries the sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the guest; `version` is "standard" or "editable"."""
        root = Path(self.root)
        recipe = load_recipe(root)
        if version == "editable":
            recipe.build_guest(root / "guest", root / "guest" / "out")
            return
        self.scratch = Path(tempfile.mkdtemp(prefix="pagewalk-wheel-"))
        recipe.build_guest(root / "guest", self.scratch)
        include: dict[str, str] = build_data["force_include"]
        include[str(self.scratch)] = f"{DATA}/guest/out"
        for room in ("guest", "lessons"):
            for file in files_under(root / room):
                include[str(root / room / file)] = f"{DATA}/{room}/{file.as_posix()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled; it is in the wheel now."""
        if version != "editable":
            shutil.rmtree(self.scratch)

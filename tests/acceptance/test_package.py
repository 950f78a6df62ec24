"""What the package itself promises: typing, licence, documentation."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import fastsio
from tests.support.waiting import PROGRAM_S

ROOT = Path(__file__).parents[2]


def test_the_package_ships_its_types() -> None:
    """``py.typed`` stands in the package and among its data files."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert (Path(fastsio.__file__).parent / "py.typed").is_file()
    assert "py.typed" in metadata["tool"]["setuptools"]["package-data"]["fastsio"]


def test_licence_and_links_are_there() -> None:
    """MIT, with the licence's text, and links to documentation, changelog and licence in the README."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert metadata["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert {"Documentation", "Changelog"} <= metadata["urls"].keys()
    for link in ("/main/LICENSE)", "/main/CHANGES.md)", "/latest/index.html)"):
        assert link in readme


def test_the_extra_of_asyncio_clients_has_the_name_that_is_written(tmp_path: Path) -> None:
    """pip before 23.3 finds aiohttp under ``asyncio_client`` only if the metadata of a wheel has that name."""
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src" / "fastsio").mkdir(parents=True)
    shutil.copy(ROOT / "src" / "fastsio" / "__init__.py", tmp_path / "src" / "fastsio")
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=PROGRAM_S)

    lines = (tmp_path / "fastsio.egg-info" / "PKG-INFO").read_text(encoding="utf-8").splitlines()
    for name in ("asyncio_client", "asyncio-client"):
        assert f"Provides-Extra: {name}" in lines
        assert any(re.fullmatch(rf'Requires-Dist: aiohttp>=[0-9.]+; extra == "{name}"', line) for line in lines)
    assert f"Version: {fastsio.__version__}" in lines

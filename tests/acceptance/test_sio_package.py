"""What the package itself promises: typing, licence, documentation."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import fastsio

ROOT = Path(__file__).parents[2]


@pytest.mark.acceptance("SIO-24")
def test_the_package_ships_its_types() -> None:
    """SIO-24: ``py.typed`` stands in the package and among its data files."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert (Path(fastsio.__file__).parent / "py.typed").is_file()
    assert "py.typed" in metadata["tool"]["setuptools"]["package-data"]["fastsio"]


@pytest.mark.acceptance("SIO-28")
def test_licence_and_links_are_there() -> None:
    """SIO-28: MIT, with the licence's text, and links to documentation, changelog and licence in the README."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert metadata["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert {"Documentation", "Changelog"} <= metadata["urls"].keys()
    for link in ("(LICENSE)", "(CHANGES.md)", "(docs/index.md)"):
        assert link in readme

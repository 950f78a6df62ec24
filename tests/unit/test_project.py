"""What pyproject.toml, the Makefile, tox.ini and ``tests/README.md`` say of the project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tools() -> dict:
    """Return the settings of the tools."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]


def test_every_floor_that_does_no_io_is_covered(tools):
    """What may not import asyncio and the like is what the unit tests reach every branch of, and ``_extras``."""
    contract = next(one for one in tools["importlinter"]["contracts"] if one["name"] == "the core does no I/O")
    floors = {name.removeprefix("fastsio.") for name in contract["source_modules"]} | {"_extras"}

    covered = {path.removeprefix("src/fastsio/").removesuffix(".py").removesuffix("/*") for path in _covered(tools)}

    assert covered == floors
    assert all(list(ROOT.glob(path)) for path in _covered(tools))


@pytest.mark.parametrize("name", ["Makefile", "tox.ini"])
def test_the_list_of_covered_floors_is_in_one_place(name):
    """The commands have no list of their own."""
    commands = (ROOT / name).read_text(encoding="utf-8").splitlines()

    assert [line.strip() for line in commands if "coverage report" in line] == [
        "$(BIN)/coverage report" if name == "Makefile" else "coverage report"
    ]


@pytest.mark.parametrize("folder", [ROOT / "tests", ROOT / "tests" / "integration"], ids=lambda path: path.name)
def test_every_folder_of_tests_is_explained(folder):
    """``tests/README.md`` says what each folder shows, and of no folder that there is not."""
    before, _, integration = (ROOT / "tests" / "README.md").read_text(encoding="utf-8").partition("## Folders of")
    text = integration if folder.name == "integration" else before
    explained = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))

    unexplained = {"node_modules", "__pycache__", "support"}
    there = {path.name for path in folder.iterdir() if path.name not in unexplained and any(path.rglob("*.py"))}

    assert explained == there


def test_integration_tests_stand_in_a_folder_of_their_subject():
    """``tests/README.md`` says which; beside the folders are only modules that several of them use."""
    assert [path.name for path in (ROOT / "tests" / "integration").glob("test_*.py")] == []


def _covered(tools: dict) -> list[str]:
    report = tools["coverage"]["report"]
    assert report["fail_under"] == 100
    return report["include"]

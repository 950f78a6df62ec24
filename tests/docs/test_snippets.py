"""What README and documentation show runs, and what they point at exists."""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from sanic import Sanic

from fastsio.cli import COMMANDS
from fastsio.layers import channel_layers, unregister_channel_layer
from tests.docs.snippets import marked, snippets

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGES.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]
WITH_PYTHON = [page for page in PAGES if any(snippet.runs_with_its_page for snippet in snippets(page, "python"))]
WITH_REDIS = [page for page in WITH_PYTHON if marked(page, "redis")]
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def named(page: Path) -> str:
    """Name a page in the test's id."""
    return str(page.relative_to(ROOT))


@pytest.fixture(autouse=True)
def _no_layers() -> Iterator[None]:
    """Let each page begin, as a program does, without channel layers."""
    for alias in channel_layers:
        unregister_channel_layer(alias)
    yield
    for alias in channel_layers:
        unregister_channel_layer(alias)
    gc.collect()  # what a page leaves behind is its own affair, not that of the next test


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The namespace of a page, which is run in an empty folder."""
    # Dataclasses and annotations look their module up.
    module = ModuleType("documentation")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    # Otherwise Sanic, which keeps its applications by their names, refuses to make the same one again.
    monkeypatch.setattr(Sanic, "test_mode", True)
    monkeypatch.chdir(tmp_path)
    return vars(module)


@pytest.mark.parametrize("page", [page for page in WITH_PYTHON if page not in WITH_REDIS], ids=named)
@pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # a client's last poll may still be under way
def test_the_python_of_a_page_runs(page: Path, names: dict[str, Any]) -> None:
    """The blocks of a page run one after the other in one namespace."""
    for snippet in snippets(page, "python"):
        if snippet.runs_with_its_page:
            snippet.run(names)

    assert [name for name in names if not name.startswith("_")] != []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists."""
    links = _LINK.findall(page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_links_of_the_readme_work_on_the_package_index() -> None:
    """They are absolute there; each names a page of these docs, or a file of this repository."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = re.findall(r"\]\(https://fastsio\.readthedocs\.io/en/latest/([^)#]+)\.html", text)
    files = re.findall(
        r"\]\(https://(?:github|raw\.githubusercontent)\.com/cicwak/fastsio/(?:blob/)?main/([^)#]+)", text
    )

    assert len(pages) > 10
    assert [page for page in pages if not (ROOT / "docs" / f"{page}.md").is_file()] == []
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert _LINK.findall(text) == []


def test_the_commands_of_the_readme_exist() -> None:
    """Each command of the README is a target of the Makefile or a command of fastsio, or installs it."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = [line for snippet in snippets(ROOT / "README.md", "", "sh") for line in snippet.code.splitlines()]

    made = {command.removeprefix("make ") for command in commands if command.startswith("make ")}
    assert made == {"demo", "test"}
    assert made <= targets
    ours = tuple(f"fastsio {command.name} " for command in COMMANDS)
    known = ("git clone ", "cd fastsio", "make ", "pip install fastsio", "pip install 'fastsio[", *ours)
    assert [command for command in commands if not command.startswith(known)] == []

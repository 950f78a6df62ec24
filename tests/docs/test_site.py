"""The site of the documentation, built as it is published."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import fastsio
from tests.docs.snippets import snippets
from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import node_program

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference" / "python"
BROWSER = Path(__file__).parent / "site.mjs"
#: ``python -m sphinx``, whose garbage collector would search the trees of all pages again and again.
SPHINX = "import gc, sys; gc.disable(); from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; pages that no index names, links to missing headings, unreadable docstrings: all are warnings."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-c", SPHINX, "-n", "-W", "--keep-going", "-q"]
    built = subprocess.run([*command, "docs", folder], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (built.returncode, built.stderr) == (0, "")
    return folder


@pytest.mark.timeout(900)  # the site takes minutes to build on a busy machine
def test_the_site_has_the_reference_and_a_search_index(site: Path) -> None:
    """It is built without a warning."""
    assert "fastsio.AsyncServer.emit" in (site / "reference" / "python" / "servers.html").read_text(encoding="utf-8")
    assert (site / "searchindex.js").is_file()


@pytest.mark.timeout(900)  # the site takes minutes to build on a busy machine
async def test_the_site_works_without_a_network(site: Path, tmp_path: Path) -> None:
    """
    Chromium draws every diagram, with its states, and finds pages; nothing is asked of another host.

    BROWSER_SCREENSHOTS=folder keeps pictures.
    """
    blocks = {
        str(page.relative_to(DOCS).with_suffix(".html")): snippets(page, "mermaid")
        for page in sorted(DOCS.rglob("*.md"))
        if "_build" not in page.parts
    }
    drawn_on = {path: found for path, found in blocks.items() if found}
    options = {
        "executable": require_chromium(),
        "flags": FLAGS,
        "profile": str(tmp_path / "profile"),
        "screenshots": os.environ.get("BROWSER_SCREENSHOTS"),
    }

    arguments = (str(site), json.dumps(list(drawn_on)), json.dumps(options))
    async with node_program(BROWSER, *arguments, packages=("playwright-core",)) as program:
        result = await program.result()

    assert (result["faults"], result["foreign"]) == ([], [])
    assert len(drawn_on) > 1
    assert {path: len(drawn) for path, drawn in result["diagrams"].items()} == {
        path: len(found) for path, found in drawn_on.items()
    }
    for path, drawn in result["diagrams"].items():
        for snippet, text in zip(drawn_on[path], drawn, strict=True):
            assert [state for state in re.findall(r"\b[A-Z]{3,}\b", snippet.code) if state not in text] == []
    assert result["shown"], "the home page shows no picture"
    assert 0 not in result["shown"]
    assert result["cards"] == ["New here", "From python-socketio", "Running it"]
    assert result["colours"][0] != result["colours"][1]
    assert result["found"]
    assert result["copies"] > 0
    columns = ["default", "python-socketio 5.18.1", "fastsio, threads", "package"]
    assert [(each["wide"], each["column"]) for each in result["phone"].values()] == [
        (0, f'"{column}: "') for column in columns
    ]
    assert [path for path, each in result["phone"].items() if not each["tables"]] == []


def test_every_public_name_is_in_the_reference() -> None:
    """Its page has its signature and docstring."""
    pages = "".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))

    assert [name for name in fastsio.__all__ if f":: fastsio.{name}\n" not in pages] == []


def test_the_source_distribution_has_docs_tests_and_examples(tmp_path: Path) -> None:
    """Those who package fastsio can build the docs, run the tests, and ship the examples."""
    build = "from setuptools import build_meta; import sys; print(build_meta.build_sdist(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, tmp_path], cwd=ROOT, capture_output=True, check=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    wanted = {
        "docs/conf.py",
        "tests/README.md",
        "tests/docs/test_site.py",
        "examples/board/src/useBoard.ts",
        "examples/chat/app.py",
        "CHANGES.md",
        "tox.ini",
        "LICENSE",
    }
    assert wanted - names == set()
    assert [name for name in names if {"node_modules", "dist"} & set(Path(name).parts)] == []

"""The pages of the tutorial fit together: the browser tests show that what they build works."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.snippets import marked
from tests.support.tutorial import PAGES, TUTORIAL, command_of, files_of, page_path, write_files

INDEX = (TUTORIAL / "index.md").read_text(encoding="utf-8")
PICTURES = sorted(path.name for path in (TUTORIAL / "pictures").glob("*"))


@pytest.mark.parametrize("page", PAGES)
def test_excerpts_are_in_the_files_of_the_page(page: str) -> None:
    """Each stands there word by word, so that what a page explains is what a reader copies."""
    files = files_of(page)

    assert [part.line for part in marked(page_path(page), "part") if part.code not in files[part.reason]] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_ends_with_something_to_try_and_the_next_page(page: str) -> None:
    """In the browser, at the address where the server of the tutorial listens."""
    *_, last = page_path(page).read_text(encoding="utf-8").split("\n## ")
    following = [*PAGES, "../howto/index"][PAGES.index(page) + 1]

    assert last.startswith("Try it\n")
    assert "http://127.0.0.1:8000" in last
    assert f"({following}.md)" in last.splitlines()[-1]


def test_the_index_has_all_pages_in_order() -> None:
    """Its list, and the hidden table of contents; no file is left over."""
    assert re.findall(r"^\d\. .*\((.+)\.md\)", INDEX, re.MULTILINE) == list(PAGES)
    assert tuple(INDEX.partition("{toctree}\n:hidden:\n")[2].split()[:-1]) == PAGES
    assert {path.stem for path in TUTORIAL.glob("*.md")} == {"index", *PAGES}


@pytest.mark.parametrize("picture", PICTURES)
def test_each_picture_is_shown(picture: str) -> None:
    """On a page or in the index."""
    assert any(f"(pictures/{picture})" in path.read_text(encoding="utf-8") for path in TUTORIAL.glob("*.md"))


@pytest.mark.parametrize("page", [page for page in PAGES if marked(page_path(page), "test")])
def test_the_tests_of_the_application_pass(page: str, tmp_path) -> None:
    """As many as the page says, with its command, in a folder with the files of all pages up to it."""
    write_files(page, tmp_path)

    run = subprocess.run(command_of(page, "test"), cwd=tmp_path, capture_output=True, text=True, check=False)

    (passed,) = re.findall(r"^says `(\d+ passed)`", page_path(page).read_text(encoding="utf-8"), re.MULTILINE)
    assert run.returncode == 0, run.stdout
    assert passed in run.stdout.splitlines()[-1]
    assert "warning" not in run.stdout + run.stderr.lower()


def test_the_container_runs_the_command_of_the_page() -> None:
    """With options that the command has, and more time to stop than the drain takes."""
    files = files_of("workers")
    (started,) = re.findall(r"^CMD (.+)$", files["Dockerfile"], re.MULTILINE)
    command = json.loads(started)
    program, *arguments = command_of("workers", "serve")
    options = subprocess.run([program, "run", "--help"], capture_output=True, text=True, check=True).stdout
    (time_s,) = re.findall(r"--stop-timeout (\d+)", page_path("workers").read_text(encoding="utf-8"))

    assert command[0] == Path(program).name
    assert set(arguments) <= set(command)
    assert [word for word in command if word.startswith("--") and word not in options] == []
    assert int(command[command.index("--drain") + 1]) + 5 < int(time_s)
    assert "requirements.txt" in files

"""
The application of the tutorial, as a reader has it at the end of a page.

Owns writing the files that the pages show, and running the server with the command of the page.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.snippets import marked
from tests.support.ports import reserved_port
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial"
#: The pages in their order.
PAGES = ("first-events", "messages", "rooms", "users", "tests", "fastapi", "recovery", "workers")
_STARTED = b"Application startup complete"


def page_path(page: str) -> Path:
    """Return the Markdown file of a page."""
    return TUTORIAL / f"{page}.md"


def files_of(page: str) -> dict[str, str]:
    """Return the files that a page shows in full, by name."""
    return {snippet.reason: snippet.code for snippet in marked(page_path(page), "file")}


def files_until(page: str) -> dict[str, str]:
    """Return all files that a reader has at the end of a page."""
    files: dict[str, str] = {}
    for read in PAGES[: PAGES.index(page) + 1]:
        files |= files_of(read)
    return files


def write_files(page: str, folder: Path) -> None:
    """Write the files that a reader has at the end of a page."""
    for name, content in files_until(page).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def command_of(page: str, mark: str) -> list[str]:
    """Return the newest command with a mark up to a page, with the program of this environment."""
    for read in reversed(PAGES[: PAGES.index(page) + 1]):
        for snippet in marked(page_path(read), mark):
            program, *arguments = shlex.split(snippet.code)
            return [str(Path(sys.executable).with_name(program)), *arguments]
    return pytest.fail(f"No page up to {page!r} has a command that is marked {mark!r}.", pytrace=False)


class Site:
    """
    The application of a page in processes of its own, started with the command of the page.

    Args:
        page: The page.
        folder: Where its files are written.
        port: Where it listens; reserved for it.
    """

    def __init__(self, page: str, folder: Path, port: int) -> None:
        write_files(page, folder)
        self._folder = folder
        self._command = [*command_of(page, "serve"), "--port", str(port)]
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"http://127.0.0.1:{port}"

    async def start(self) -> None:
        """Start the server; returns once each of its processes serves."""
        count = int(self._command[self._command.index("--workers") + 1]) if "--workers" in self._command else 1
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._folder,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stderr is not None
        log = []
        async for line in self._process.stderr:
            log.append(line.decode())
            count -= _STARTED in line
            if count == 0:
                return
        pytest.fail(f"The application of the tutorial did not start:\n{''.join(log)}", pytrace=False)

    async def stop(self) -> None:
        """End the server as Ctrl+C does, which each of its processes gets."""
        process, self._process = self._process, None
        if process is None:
            return
        os.killpg(process.pid, signal.SIGINT)
        try:
            await asyncio.wait_for(process.communicate(), WAIT_S)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
            pytest.fail(f"The application of the tutorial did not stop within {WAIT_S} s.", pytrace=False)


@asynccontextmanager
async def site(page: str, folder: Path) -> AsyncIterator[Site]:
    """Serve the application of a page for the length of the block, in which it may be stopped and started."""
    with reserved_port() as port:
        served = Site(page, folder, port)
        try:
            await served.start()
            yield served
        finally:
            await served.stop()

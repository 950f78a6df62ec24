from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import NodeProgram, node_program
from tests.support.ports import reserved_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
RUNNER = Path(__file__).parent / "runner.mjs"


class ChatServer:
    """
    The chat example in a process of its own, as ``make demo`` starts it.

    Args:
        port: Where it listens; reserved for it.
        app: Another of the examples.
        environment: Variables for its process.
    """

    def __init__(self, port: int, app: str, environment: dict[str, str]) -> None:
        self._app = app
        self._environment = environment
        self.port = port
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server; returns once it listens."""
        command = [sys.executable, "-m", "uvicorn", self._app, "--app-dir", "examples", "--no-access-log"]
        command += ["--port", str(self.port), "--timeout-graceful-shutdown", "2"]
        environment = os.environ | self._environment
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        log = []
        for line in self._process.stderr:
            log.append(line)
            if "Uvicorn running on" in line:
                return
        pytest.fail(f"The chat example did not start:\n{''.join(log)}", pytrace=False)

    def stop(self) -> None:
        """End the server as Ctrl+C does."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
            self._process = None


@contextmanager
def chat_server(app: str = "chat.app:app", **environment: str) -> Iterator[ChatServer]:
    """Run an example for the length of the block, in which it may be stopped and started."""
    with reserved_port() as port:
        server = ChatServer(port, app, environment)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def require_javascript_client() -> None:
    """Fail the test when the page's JavaScript client was not fetched."""
    if not (ROOT / "examples/chat/node_modules/socket.io-client/dist/socket.io.esm.min.js").is_file():
        pytest.fail(
            "The chat example's JavaScript client is missing: run 'tools/setup_npm.sh examples/chat'.", pytrace=False
        )


def require_board_page() -> None:
    """Fail the test when the page of the board was not built."""
    if not (ROOT / "examples/board/dist/index.html").is_file():
        pytest.fail("The page of the board is missing: run 'tools/build_page.sh examples/board'.", pytrace=False)


@pytest.fixture(scope="session")
def shared_chat():
    """One chat server for the tests that leave it running; each uses rooms of its own."""
    require_javascript_client()
    with chat_server() as server:
        yield server


@pytest.fixture
def authorised_chat():
    """A server of the example of authorised rooms."""
    require_javascript_client()
    with chat_server("authorised_chat.app:app") as server:
        yield server


@pytest.fixture
def stream():
    """A server of the example of a stream."""
    require_javascript_client()
    with chat_server("stream.app:app") as server:
        yield server


@pytest.fixture
def own_chat():
    """A chat server that the test may stop and start."""
    require_javascript_client()
    with chat_server() as server:
        yield server


@pytest.fixture
def browse(tmp_path):
    """Start a scenario of ``scenarios.mjs`` in a fresh Chromium; BROWSER_SCREENSHOTS=folder keeps pictures."""

    @asynccontextmanager
    async def browse_chat(scenario: str, server: ChatServer) -> AsyncIterator[NodeProgram]:
        options: dict[str, Any] = {
            "executable": require_chromium(),
            "flags": FLAGS,
            "profile": str(tmp_path / "profile"),
            "screenshots": os.environ.get("BROWSER_SCREENSHOTS"),
        }
        arguments = (scenario, server.url, json.dumps(options))
        async with node_program(RUNNER, *arguments, packages=("playwright-core",)) as program:
            yield program

    return browse_chat


@pytest.fixture
def play(browse, shared_chat):
    """Run a scenario against the shared server and return its result."""

    async def play_scenario(scenario: str) -> Any:
        async with browse(scenario, shared_chat) as program:
            return await program.result()

    return play_scenario

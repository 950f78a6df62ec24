"""A web server gets SIGTERM and is started again: the real JavaScript clients on both transports come back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import socketio

import fastsio
from tests.integration.clients import http_client
from tests.interop.conftest import RUNNER
from tests.support.node import node_program
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.ports import HOST, reserve_port
from tests.support.waiting import START_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx

pytestmark = LEAVE_CONNECTIONS
ROOT = Path(__file__).parents[3]
SITE = "tests.support.deploy_site"
ASGI = {
    "uvicorn": ["uvicorn", "--factory", "--log-level", "error", "--port", "{port}"],
    "fastsio run": ["fastsio", "run", "--factory", "--log-level", "error", "--port", "{port}"],
    "granian": ["granian", "--interface", "asgi", "--factory", "--no-log", "--port", "{port}"],
}
HYPERCORN = ["hypercorn", "--log-level", "error", "--bind", "127.0.0.1:{port}"]
GUNICORN = [
    "gunicorn",
    "--worker-class",
    "gthread",
    "--threads",
    "16",
    "--graceful-timeout",
    "60",
    "--log-level",
    "error",
    "--bind",
    "127.0.0.1:{port}",
]
GUNICORN += ["--no-control-socket", "--config", f"python:{SITE}"]
COMMANDS = {
    **{name: [*command, f"{SITE}:asgi"] for name, command in ASGI.items()},
    "uvicorn around FastAPI": [*ASGI["uvicorn"], f"{SITE}:around"],
    "uvicorn inside FastAPI": [*ASGI["uvicorn"], f"{SITE}:inside"],
    "hypercorn in one process": [*HYPERCORN, "--workers", "0", f"{SITE}:asgi()"],
    "gunicorn": [*GUNICORN, f"{SITE}:wsgi()"],
    **{name: [SITE, name, "{port}"] for name in ("aiohttp", "sanic", "tornado")},
}
# From Python 3.12 on a worker of hypercorn waits for its connections without end, because asyncio's wait_closed() does.
if sys.version_info < (3, 12):
    COMMANDS["hypercorn"] = [*HYPERCORN, f"{SITE}:asgi()"]


class Site:
    """
    A web server of its own process, on a port that stays the same.

    Args:
        command: What follows ``python -m``; ``{port}`` stands for the port.
        port: The port.
    """

    def __init__(self, command: list[str], port: int) -> None:
        self._command = [part.format(port=port) for part in command]
        self._port = port
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; returns once it takes connections."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", *self._command),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        async with asyncio.timeout(START_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection(HOST, self._port)
                except ConnectionRefusedError:
                    assert self.process.returncode is None
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Ask it to end."""
        assert self.process is not None
        self.process.send_signal(number)

    async def ended(self) -> list[str]:
        """
        Wait until it has ended; return the lines that it wrote and nobody has read.

        The grace times of the site and of its web servers are twice as long, and no handler takes any of it.
        """
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            written = await self.process.stdout.read()
            await self.process.wait()
        return written.decode().splitlines()

    async def kill(self) -> None:
        """End it if it runs."""
        if self.process is not None and self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.communicate()


@pytest.fixture
def port() -> Iterator[int]:
    """A port that is given to no other test."""
    with reserve_port() as reservation:
        yield reservation.getsockname()[1]


@asynccontextmanager
async def running(command: list[str], port: int) -> AsyncIterator[Site]:
    """Run a web server for the length of the block."""
    site = Site(command, port)
    try:
        await site.start()
        yield site
    finally:
        await site.kill()


@pytest.mark.parametrize("name", COMMANDS)
async def test_clients_come_back_after_a_restart(name, port):
    """Each sees its transport close, stays active, and connects again; the process ends within its grace time."""
    settings = json.dumps({"each": [["polling"], ["websocket"]]})
    arguments = ("lifecycle", "server_is_replaced", f"http://{HOST}:{port}", settings)
    async with (
        running(COMMANDS[name], port) as site,
        node_program(RUNNER, *arguments, packages=("socket.io-client",)) as clients,
    ):
        await clients.step("connected")
        site.signal()
        ends = await clients.step("disconnected")
        written = await site.ended()
        await site.start()
        back = await clients.result()

    assert ends[1] == ["transport close", True]
    # A client between two polls finds no server.
    assert ends[0] in (["transport close", True], ["transport error", True])
    assert back == ["polling", "websocket"]
    gone = [line for line in written if line.startswith("disconnect")]
    if name == "hypercorn":  # its worker hears of the end when its connections are cut, after the grace time
        assert len(gone) == 2
    else:
        assert gone == ["disconnect server shutting down"] * 2
    assert "the lifespan ends" not in written or written[-1] == "the lifespan ends"


@pytest.mark.parametrize("library", [fastsio, socketio], ids=["fastsio", "python-socketio"])
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_python_clients_come_back_too(library, transport, port):
    """Also over polling, where a close packet would keep them away."""
    async with running(COMMANDS["uvicorn"], port) as site:
        client = library.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.1, randomization_factor=0)
        connected = asyncio.Queue()
        client.on("connect", lambda: connected.put_nowait(None))
        try:
            await client.connect(f"http://{HOST}:{port}", transports=[transport])
            await asyncio.wait_for(connected.get(), WAIT_S)
            site.signal()
            await site.ended()
            await site.start()
            await asyncio.wait_for(connected.get(), WAIT_S)
        finally:
            await client.disconnect()


async def test_fastsio_run_drains_the_server(port):
    """After SIGTERM the connections end over the time that was given, and the process after them."""
    command = [*ASGI["fastsio run"], "--drain", "1.5", f"{SITE}:around"]
    settings = json.dumps({"each": [["polling"], ["websocket"]]})
    arguments = ("lifecycle", "server_is_replaced", f"http://{HOST}:{port}", settings)
    async with (
        running(command, port) as site,
        node_program(RUNNER, *arguments, packages=("socket.io-client",)) as clients,
    ):
        await clients.step("connected")
        begin = asyncio.get_running_loop().time()
        site.signal()
        ends = await clients.step("disconnected")
        written = await site.ended()
        took_s = asyncio.get_running_loop().time() - begin
        await site.start()
        await clients.result()

    assert ends == [["transport close", True]] * 2
    assert written[-3:] == [*["disconnect server shutting down"] * 2, "the lifespan ends"]
    assert took_s > 1


async def test_a_second_signal_ends_a_drain(port):
    """Until then the site answers, not ready, and refuses clients; the connections that are left end at once."""
    command = [*ASGI["fastsio run"], "--drain", "60", f"{SITE}:around"]
    settings = json.dumps({"each": [["polling"], ["websocket"]]})
    arguments = ("lifecycle", "server_is_replaced", f"http://{HOST}:{port}", settings)
    async with (
        running(command, port) as site,
        node_program(RUNNER, *arguments, packages=("socket.io-client",)) as clients,
        http_client() as http,
    ):
        await clients.step("connected")
        assert (await http.get(f"http://{HOST}:{port}/ready")).status_code == 200
        site.signal()
        await not_ready(http, port)
        refused = await http.get(f"http://{HOST}:{port}/socket.io/?EIO=4&transport=polling")
        site.signal()
        written = await site.ended()

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert written[-3:] == [*["disconnect server shutting down"] * 2, "the lifespan ends"]


async def not_ready(http: httpx.AsyncClient, port: int) -> None:
    """Wait until the site says that it takes no clients."""
    async with asyncio.timeout(WAIT_S):
        while (await http.get(f"http://{HOST}:{port}/ready")).status_code == 200:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)

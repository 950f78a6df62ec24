"""Start the web frameworks and servers that a Socket.IO server can live in, on a free port of the loopback interface."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import tornado.httpserver
import tornado.web
from aiohttp import web
from sanic import Sanic

import fastsio
from fastsio.integrations.tornado import get_tornado_handler
from tests.integration.clients import Journal
from tests.support.framework_app import OPTIONS, make_server
from tests.support.ports import reserve_port
from tests.support.servers import Address, serve
from tests.support.waiting import START_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).parents[2]


def listener() -> socket.socket:
    """Return a listening socket on a free port."""
    opened = socket.socket()
    opened.bind(("127.0.0.1", 0))
    opened.listen()
    return opened


@dataclass(frozen=True, slots=True)
class RemoteJournal:
    """The journal of an application in another process."""

    address: Address

    async def until(self, entry: Any, count: int = 1) -> None:
        """Wait until *entry* has been written *count* times."""
        await self.until_any([entry], count)

    async def until_any(self, entries: list[Any], count: int = 1) -> None:
        """Wait until one of *entries* has been written *count* times."""
        async with httpx.AsyncClient(timeout=WAIT_S) as http:
            query = {"entries": json.dumps(entries), "count": str(count)}
            answer = await http.get(f"{self.address.http}/journal", params=query)
            answer.raise_for_status()


@dataclass(frozen=True, slots=True)
class Site:
    """A running server: where it is, and what its handlers saw."""

    address: Address
    journal: Journal | RemoteJournal


# In this process.


@asynccontextmanager
async def aiohttp_server(app: web.Application, **options: Any) -> AsyncIterator[Address]:
    """Run an aiohttp application for the length of the block."""
    runner = web.AppRunner(app, **{"shutdown_timeout": 1, **options})
    await runner.setup()
    opened = listener()
    await web.SockSite(runner, opened).start()
    try:
        yield Address(*opened.getsockname())
    finally:
        await runner.cleanup()


def make_sanic() -> Sanic:
    """Make a Sanic application; each needs a name of its own."""
    app = Sanic(f"app-{uuid4().hex}", configure_logging=False)
    # It rewrites Sanic's own methods, which works for the first application of a process only.
    app.config.TOUCHUP = False
    return app


@asynccontextmanager
async def sanic_server(app: Sanic) -> AsyncIterator[Address]:
    """Run a Sanic application for the length of the block."""
    opened = listener()
    server = await app.create_server(sock=opened, return_asyncio_server=True)
    await server.startup()
    await server.before_start()
    await server.start_serving()
    await server.after_start()
    try:
        yield Address(*opened.getsockname())
    finally:
        # As Sanic's own runner stops.
        await server.before_stop()
        server.close()
        for connection in list(server.connections):
            connection.close_if_idle()
        async with asyncio.timeout(WAIT_S):
            while server.connections:  # noqa: ASYNC110 - Sanic has no event for it
                await asyncio.sleep(0.001)
        await server.after_stop()


@asynccontextmanager
async def tornado_server(app: tornado.web.Application, **options: Any) -> AsyncIterator[Address]:
    """Run a Tornado application for the length of the block."""
    opened = listener()
    opened.setblocking(False)
    server = tornado.httpserver.HTTPServer(app, **options)
    server.add_socket(opened)
    try:
        yield Address(*opened.getsockname())
    finally:
        server.stop()
        await server.close_all_connections()


@asynccontextmanager
async def _under_aiohttp(sio: fastsio.AsyncServer) -> AsyncIterator[Address]:
    app = web.Application()
    sio.attach(app)
    async with aiohttp_server(app) as address:
        yield address


@asynccontextmanager
async def _under_sanic(sio: fastsio.AsyncServer) -> AsyncIterator[Address]:
    app = make_sanic()
    sio.attach(app)
    async with sanic_server(app) as address:
        yield address


@asynccontextmanager
async def _under_tornado(sio: fastsio.AsyncServer) -> AsyncIterator[Address]:
    app = tornado.web.Application([(r"/socket.io/", get_tornado_handler(sio))])
    async with tornado_server(app) as address:
        yield address
        await sio.shutdown()


@asynccontextmanager
async def _under_uvicorn(sio: fastsio.AsyncServer) -> AsyncIterator[Address]:
    async with serve(fastsio.ASGIApp(sio)) as address:
        yield address
        await sio.shutdown()


HERE = {"aiohttp": _under_aiohttp, "sanic": _under_sanic, "tornado": _under_tornado, "uvicorn": _under_uvicorn}


# In a process of its own.


def _granian(port: int) -> list[str]:
    return ["granian", "--interface", "asgi", "--port", str(port), "--factory", "tests.support.framework_app:asgi"]


def _hypercorn(port: int) -> list[str]:
    return ["hypercorn", "--bind", f"127.0.0.1:{port}", "--graceful-timeout", "1", "tests.support.framework_app:asgi()"]


ELSEWHERE = {"granian": _granian, "hypercorn": _hypercorn}


class Process:
    """
    A server in a process of its own.

    Args:
        framework: A key of :data:`ELSEWHERE`.
        options: For the constructor of the Socket.IO server.
    """

    def __init__(self, framework: str, **options: Any) -> None:
        self._reservation = reserve_port()
        self.address = Address(*self._reservation.getsockname())
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", *ELSEWHERE[framework](self.address.port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), OPTIONS: json.dumps(options)},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    def wait_ready(self) -> None:
        """Wait until it takes connections."""
        for _ in range(int(START_S / 0.02)):
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended:\n{self._written()}")
            try:
                socket.create_connection((self.address.host, self.address.port)).close()
            except ConnectionRefusedError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError(f"the server did not start:\n{self._written()}")

    def stop(self) -> str:
        """Ask it to stop, wait until it has, and return what it printed."""
        self._process.terminate()
        self._process.wait(WAIT_S)
        return self._written()

    def kill(self) -> None:
        """End it, its workers too, if it still runs."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._output.close()
        self._reservation.close()

    def _written(self) -> str:
        self._output.seek(0)
        return self._output.read().decode(errors="replace")


@contextmanager
def server_process(framework: str, **options: Any) -> Iterator[Process]:
    """
    Run the application under granian or hypercorn for the length of the block.

    Args:
        framework: A key of :data:`ELSEWHERE`.
        options: For the server's constructor.
    """
    process = Process(framework, **options)
    try:
        process.wait_ready()
        yield process
    finally:
        process.kill()


class Sites:
    """
    The application under one framework or another, all with the same options.

    Servers of a process of their own are started once and serve many tests: what a test asks the journal for carries
    its own word, the ``auth`` of its clients.

    Args:
        options: For the constructor of the Socket.IO server.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._processes: dict[str, Process] = {}
        self._open = ExitStack()

    @asynccontextmanager
    async def open(self, framework: str) -> AsyncIterator[Site]:
        """
        Run the application for the length of the block.

        Args:
            framework: A key of :data:`HERE` or :data:`ELSEWHERE`.
        """
        if framework in HERE:
            journal = Journal()
            async with HERE[framework](make_server(journal, **self._options)) as address:
                yield Site(address, journal)
            return
        if framework not in self._processes:
            self._processes[framework] = self._open.enter_context(server_process(framework, **self._options))
        address = self._processes[framework].address
        yield Site(address, RemoteJournal(address))

    def close(self) -> None:
        """End the processes."""
        self._open.close()

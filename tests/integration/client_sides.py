"""
Both halves of the client under one face, a server to talk to, and a gate between them that can be shut.

What belongs to the client for threads is called in a thread; handlers note what they hear from any thread.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import fastsio
from tests.support.ports import HOST, reserved_port
from tests.support.servers import Address, serve
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

#: Reconnects at once.
QUICK: dict[str, Any] = {"reconnection_delay": 0.02, "reconnection_delay_max": 0.1, "randomization_factor": 0}
#: Reconnects when nobody waits for it any more.
SLOW: dict[str, Any] = {"reconnection_delay": 60, "reconnection_delay_max": 60, "randomization_factor": 0}


class Heard:
    """
    A plain handler that keeps what it is called with.

    Args:
        answer: What it returns.
    """

    def __init__(self, answer: Any = None) -> None:
        self._queue: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._answer = answer

    def __call__(self, *args: Any) -> Any:
        """Take a call, from any thread."""
        self._loop.call_soon_threadsafe(self._queue.put_nowait, args)
        return self._answer

    async def next(self) -> tuple[Any, ...]:
        """Return the arguments of the next call."""
        return await asyncio.wait_for(self._queue.get(), WAIT_S)

    @property
    def is_empty(self) -> bool:
        """Whether every call was looked at."""
        return self._queue.empty()


class Side:
    """
    One half of the package.

    Args:
        asynchronous: Whether it is that for asyncio.
    """

    def __init__(self, *, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self._clients: list[Any] = []

    def named(self, name: str) -> Any:
        """Return a class by its name without ``Async``."""
        return getattr(fastsio, f"Async{name}" if self.asynchronous else name)

    def client(self, **options: Any) -> Any:
        """Make a client that is shut down at the end of the test."""
        client = self.named("Client")(handle_sigint=False, **options)
        self._clients.append(client)
        return client

    async def run(self, action: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call a method of a client and wait for its result."""
        if self.asynchronous:
            result = action(*args, **options)
            return await asyncio.wait_for(result, WAIT_S) if inspect.isawaitable(result) else result
        return await asyncio.wait_for(asyncio.to_thread(action, *args, **options), WAIT_S)

    def begin(self, action: Callable[..., Any], *args: Any, **options: Any) -> asyncio.Task[Any]:
        """Call a method that does not return before something else happens."""
        return asyncio.create_task(self.run(action, *args, **options))

    async def connected(self, address: Address, **options: Any) -> Any:
        """Make a client and connect it over a WebSocket."""
        connecting = {name: options.pop(name) for name in ("namespaces", "auth", "transports") if name in options}
        client = self.client(**options)
        await self.run(
            client.connect, address.http, **{"transports": ["websocket"], "wait_timeout": WAIT_S, **connecting}
        )
        return client

    async def close(self) -> None:
        """Shut every client down."""
        for client in self._clients:
            await self.run(client.shutdown)


class Gate:
    """
    A door in front of a server, which passes bytes on while it is open; closed it refuses connections.

    Args:
        server: Where the server listens.
        port: Of the gate; reserved for it.
    """

    def __init__(self, server: Address, port: int) -> None:
        self._server = server
        self._listener: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.address = Address(HOST, port)

    async def open(self) -> None:
        """Let clients in."""
        self._listener = await asyncio.start_server(self._pass, self.address.host, self.address.port)

    def cut(self) -> None:
        """Cut the connections there are."""
        for writer in self._writers:
            writer.transport.abort()

    async def shut(self) -> None:
        """Cut the connections, and let nobody in any more."""
        if self._listener is not None:
            self._listener.close()
            self.cut()
            await self._listener.wait_closed()
            self._listener = None

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)  # at once: it may be cut while it waits
        behind, before = await asyncio.open_connection(self._server.host, self._server.port)
        self._writers.add(before)
        await asyncio.gather(self._pump(reader, before), self._pump(behind, writer))
        self._writers -= {writer, before}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


class Site:
    """
    A server that notes what it is told.

    Attributes:
        sio: The server.
        noted: What events brought, in the order of their arrival: ``("begins", n)`` and ``("ends", n)``.
        patience: Set while handlers of ``note`` may end.
        failures: Number -> how often the handler of ``note`` fails for it, without an acknowledgement.
    """

    def __init__(self, **options: Any) -> None:
        logger = logging.getLogger("tests.integration.client_sides")
        logger.setLevel(logging.CRITICAL)
        self.sio = fastsio.AsyncServer(async_mode="asgi", logger=logger, **options)
        self.noted: list[tuple[str, Any]] = []
        self.patience = asyncio.Event()
        self.patience.set()
        self.failures: dict[Any, int] = {}
        self._changed = asyncio.Condition()
        for namespace in ("/", "/chat"):
            self.sio.on("echo", self._echo, namespace=namespace)
            self.sio.on("note", self._note, namespace=namespace)
        self.sio.on("ask", self._ask)

    async def _echo(self, _sid: str, *args: Any) -> tuple[Any, ...]:
        return args

    async def _ask(self, sid: str, *args: Any) -> Any:
        return await self.sio.call("question", args, to=sid, timeout=WAIT_S)

    async def _note(self, _sid: str, number: Any) -> Any:
        await self._add("begins", number)
        await asyncio.wait_for(self.patience.wait(), WAIT_S)
        if self.failures.get(number, 0) > 0:
            self.failures[number] -= 1
            raise RuntimeError("no acknowledgement")
        await self._add("ends", number)
        return number

    async def _add(self, what: str, number: Any) -> None:
        async with self._changed:
            self.noted.append((what, number))
            self._changed.notify_all()

    async def until(self, what: str, number: Any, times: int = 1) -> None:
        """Wait until something was noted."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: self.noted.count((what, number)) >= times)

    def numbers(self, what: str) -> list[Any]:
        """Return the numbers that begun, or ended, in order."""
        return [number for noted, number in self.noted if noted == what]


@asynccontextmanager
async def gated(site: Site) -> AsyncIterator[Gate]:
    """Serve a site behind a gate that is open."""
    with reserved_port() as port:
        async with serve(fastsio.ASGIApp(site.sio)) as address:
            gate = Gate(address, port)
            await gate.open()
            try:
                yield gate
            finally:
                await gate.shut()

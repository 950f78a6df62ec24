"""
Runs one scenario on one package under a real uvicorn server, and keeps the transcript.

Time is not part of a transcript: a script waits until nothing moves any more (:meth:`Lab.settle`), both ends living in
one event loop. What a step caused is grouped as: notes of the application, then frames by client.
"""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.parity.client import Client
from tests.parity.wire import describe_body, describe_error, render, sid_in, with_symbols
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from types import ModuleType

    from tests.parity.scenario import Script
    from tests.parity.serving import Site

QUIET_TURNS = 150
APPLICATION = "app"
TOLD_HEADERS = ("content-type", "access-control-allow-origin", "access-control-allow-credentials", "set-cookie")


@dataclass(slots=True)
class Step:
    """What one action of the script caused, by who saw it."""

    title: str
    seen: dict[str, list[str]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Write the step down, the application first."""
        order = sorted(self.seen, key=lambda who: (who != APPLICATION, who))
        return [f"== {self.title}", *(f"{who}: {line}" for who in order for line in self.seen[who])]


class Lab:
    """
    What a scenario works with.

    Args:
        package: The package under test: ``socketio`` or ``fastsio``.
        exceptions: Its ``exceptions`` module.
        site: Where its applications are served.

    """

    def __init__(self, package: ModuleType, exceptions: ModuleType, site: Site) -> None:
        self.package: Any = package
        self.exceptions: Any = exceptions
        self._site = site
        self._clients: list[Client] = []
        self._steps = [Step("set up")]
        self._symbols: dict[str, str] = {}
        self._activity = 0

    def server(self, **options: Any) -> Any:
        """Create the asyncio server of the package and serve it with its own ``ASGIApp``."""
        sio = self.package.AsyncServer(async_mode="asgi", **options)
        self.serve(self.package.ASGIApp(sio))
        return sio

    def serve(self, app: Any) -> None:
        """Let uvicorn serve this application for the rest of the scenario."""
        self._site.serve(app)

    async def client(
        self,
        *namespaces: str,
        polling: bool = False,
        packed: bool = False,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        path: str = "/socket.io/",
    ) -> Client:
        """Open a session and join *namespaces*; without any, stop before the first CONNECT."""
        client = Client(self, f"c{len(self._clients) + 1}", self._site.address, path)
        client.packed = packed
        self._clients.append(client)
        self.step(f"{client.name} opens")
        await (client.open_polling if polling else client.open_websocket)(query, headers or {})
        await self.settle()
        for namespace in namespaces:
            await client.join(namespace)
        return client

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> None:
        """Request a path over HTTP and record status, the headers that matter, and the body."""
        self.step(f"GET {path} {dict(headers or {})}")
        transport = httpx.AsyncHTTPTransport(verify=False)
        async with httpx.AsyncClient(transport=transport) as http:
            request = http.build_request("GET", f"http://{self._site.address}/", headers=headers)
            request.url = httpx.URL(f"http://{self._site.address}").copy_with(raw_path=path.encode())
            answer = await http.send(request)
        told_sid = sid_in(answer.text) if answer.text.startswith("0{") else None
        if told_sid is not None:
            self.name_sid(told_sid[1], "http", "eio")
        told = {name: answer.headers[name] for name in TOLD_HEADERS if name in answer.headers}
        self.record("http", f"{answer.status_code} {told} {describe_body(answer.text)}")

    async def lifespan(self, app: Any) -> None:
        """Take an ASGI application through startup and shutdown, noting what it tells."""
        events = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> dict[str, Any]:
            return {"type": next(events)}

        async def send(message: dict[str, Any]) -> None:
            self.note("told", message)

        await app({"type": "lifespan"}, receive, send)

    def step(self, title: str) -> None:
        """Begin a step; what happens from here on is written under it."""
        self._steps.append(Step(title))

    def note(self, what: str, *values: Any) -> None:
        """Record that the application reached a point, with the values it saw."""
        self.record(APPLICATION, " ".join([what, *map(render, values)]))

    def noting(self, what: str, returns: Any = None) -> Callable[..., Any]:
        """Make a handler that takes anything, notes it and returns *returns*."""

        def handler(*args: Any) -> Any:
            self.note(what, *args)
            return returns

        return handler

    def record(self, who: str, line: str) -> None:
        """Append a line to what *who* saw in the current step."""
        self._activity += 1
        self._steps[-1].seen.setdefault(who, []).append(line)

    def has_seen(self, who: str, what: str) -> bool:
        """Tell whether *who* saw something that begins with *what*."""
        return any(line.startswith(what) for step in self._steps for line in step.seen.get(who, ()))

    def name_sid(self, sid: str, client: str, where: str) -> None:
        """Give a sid its symbol: the client, the namespace, and a number from the second one on."""
        base = f"{client}{where if where != 'eio' else ' eio'}"
        used = list(self._symbols.values())
        symbol, number = f"<{base}>", 2
        while symbol in used:
            symbol, number = f"<{base} {number}>", number + 1
        self._symbols.setdefault(sid, symbol)

    async def attempt(self, what: str, action: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call *action*, await its result if it is awaitable, and note the outcome, error or not."""
        try:
            result = action(*args, **options)
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the scenario shows
            self.note(f"{what} raised {describe_error(error)}")
            return None
        self.note(f"{what} gave", result)
        return result

    @staticmethod
    def gate() -> asyncio.Event:
        """Make an event that lets a handler wait until the script goes on."""
        return asyncio.Event()

    @staticmethod
    def rooms(sio: Any, sid: str, namespace: str = "/") -> list[str]:
        """Give the rooms of a client in a fixed order, its own first."""
        return sorted(sio.rooms(sid, namespace), key=lambda room: (room != sid, room))

    async def do(self, what: str, action: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Run an action of the server side as a step of its own."""
        self.step(f"the application: {what}")
        result = await self.attempt(what, action, *args, **options)
        await self.settle()
        return result

    async def begin(self, what: str, action: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start an action of the server side that does not end before a client answers."""
        self.step(f"the application begins: {what}")
        task = asyncio.create_task(self.attempt(what, lambda: action))
        await self.settle()
        return task

    async def finish(self, awaitable: Any) -> None:
        """Wait for something that takes real time, then until nothing moves any more."""
        await asyncio.wait_for(awaitable, WAIT_S)
        await self.settle()

    async def settle(self) -> None:
        """Wait until both ends have had nothing to do for a while."""
        quiet = 0
        while quiet < QUIET_TURNS:
            seen = self._activity
            # The last turns give the kernel time to hand over what is on its way through the loopback device.
            await asyncio.sleep(0 if quiet < QUIET_TURNS - 3 else 0.001)
            quiet = quiet + 1 if seen == self._activity else 0

    async def run(self, script: Script) -> list[str]:
        """Run the script to its end and give the transcript."""
        before = asyncio.all_tasks()
        # What handlers raise on purpose is not part of the transcript, nor is it news.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        try:
            await asyncio.wait_for(script(self), WAIT_S)
        finally:
            lines = [line for step in self._steps for line in step.lines()]
            await self._clear(before)
        return with_symbols(lines, self._symbols)

    async def _clear(self, before: set[asyncio.Task[Any]]) -> None:
        for client in self._clients:
            await client.end()
        await self.settle()
        left = asyncio.all_tasks() - before
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=2)

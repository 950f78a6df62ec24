"""
Runs one scenario on one client class against the scripted server, and keeps the transcript.

A script is a coroutine function whichever half it runs on: calls of the threaded client run in a thread. Time is no part
of a transcript: a script waits until the client has read what was sent and nothing moves any more.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextlib import suppress
from pathlib import Path
from threading import get_native_id
from time import process_time, thread_time
from typing import TYPE_CHECKING, Any

from tests.parity.clients.server import Session, refusal
from tests.parity.lab import Step
from tests.parity.wire import describe_error, render
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tests.parity.clients.server import Server

#: The discard port, where nobody listens.
NOWHERE = "http://127.0.0.1:9"
QUIET_TURNS = 60
#: Seconds without a movement after which threads are taken to have none left.
QUIET_S = 0.012
#: Times that threads which still run, or wait for a processor of a busy machine, are given that long once more.
PATIENCE = 200
#: Seconds of a processor's time that threads may take in it which only look whether there is something to do.
IDLE_S = 0.0002


class Lab:
    """
    What a scenario works with.

    Args:
        package: The package under test: ``socketio`` or ``fastsio``.
        exceptions: Its ``exceptions`` module.
        server: The scripted server.
        url: Where it listens.
        asynchronous: Whether the asyncio client runs, else the threaded one.

    Attributes:
        sessions: Name -> session, in the order of their handshakes.
        answers: Namespace -> the packets that answer CONNECT instead of an acceptance.
        answering: Whether CONNECT is answered at all.
        admission: Cleared while handshakes have to wait, unrecorded.
        refusals: What answers the next handshakes instead of a session.
        upgrades: Whether polling sessions may be upgraded.
        packed: Whether binary frames are packets of msgpack.
    """

    def __init__(
        self, package: ModuleType, exceptions: ModuleType, server: Server, url: str, *, asynchronous: bool
    ) -> None:
        self.package: Any = package
        self.exceptions: Any = exceptions
        self.url = url
        self.asynchronous = asynchronous
        self.sessions: dict[str, Session] = {}
        self.answers: dict[str, list[str]] = {}
        self.answering = True
        self.admission = asyncio.Event()
        self.admission.set()
        self.refusals: list[Callable[[], Any]] = []
        self.upgrades = False
        self.packed = False
        self._clients: list[Any] = []
        self._steps = [Step("set up")]
        self._activity = 0
        server.lab = self

    def client(self, **options: Any) -> Any:
        """Make the client of the package and half under test; it does not reconnect unless told to."""
        return self._make("Client", {"reconnection": False, **options})

    def simple_client(self, **options: Any) -> Any:
        """Make the simple client likewise."""
        return self._make("SimpleClient", {"reconnection": False, **options})

    def class_named(self, name: str) -> Any:
        """Return a class of the half under test by its name without ``Async``."""
        return getattr(self.package, f"Async{name}" if self.asynchronous else name)

    def _make(self, name: str, options: dict[str, Any]) -> Any:
        logger = logging.getLogger("tests.parity.clients")
        logger.setLevel(logging.CRITICAL + 1)
        client = self.class_named(name)(handle_sigint=False, logger=logger, engineio_logger=logger, **options)
        self._clients.append(client)
        return client

    async def connected(self, client: Any = None, **options: Any) -> tuple[Any, Session]:
        """Connect a client over a websocket; give it and its session."""
        client = client or self.client()
        await self.do("connect", client.connect, self.url, **{"transports": ["websocket"], **options})
        return client, self.session

    @property
    def session(self) -> Session:
        """The newest session."""
        return list(self.sessions.values())[-1]

    def new_session(self) -> Session:
        """Begin a session."""
        session = Session(self, f"s{len(self.sessions) + 1}")
        self.sessions[session.name] = session
        return session

    def refuse(self, status: int, body: str = "", content_type: str = "text/plain") -> None:
        """Refuse the next handshake that is not refused yet."""
        self.refusals.append(refusal(status, body, content_type))

    def deny(self, namespace: str, payload: str) -> None:
        """Answer the next CONNECTs to *namespace* with CONNECT_ERROR."""
        place = "" if namespace == "/" else f"{namespace},"
        self.answers[namespace] = [f"4{place}{payload}"]

    def handler(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Make a coroutine function of a plain one for the asyncio client; leave it as it is for the threaded one."""
        if not self.asynchronous:
            return function

        async def handle(*args: Any) -> Any:
            return function(*args)

        handle.__name__ = function.__name__
        return handle

    def noting(self, what: str, returns: Any = None) -> Callable[..., Any]:
        """Make a plain handler that takes anything, notes it and returns *returns*."""

        def handle(*args: Any) -> Any:
            self.note(what, *args)
            return returns

        return handle

    def step(self, title: str) -> None:
        """Begin a step; what happens from here on is written under it."""
        self._steps.append(Step(title))

    def note(self, what: str, *values: Any) -> None:
        """Record that the application reached a point, with the values it saw."""
        self.record("app", " ".join([what, *map(render, values)]))

    def record(self, who: str, line: str) -> None:
        """Append a line to what *who* saw in the current step."""
        self._activity += 1
        self._steps[-1].seen.setdefault(who, []).append(line)

    def has_seen(self, line: str) -> bool:
        """Whether *line* was recorded in the current step."""
        return any(line == f"{who}: {one}" for who, lines in self._steps[-1].seen.items() for one in lines)

    async def until(self, line: str) -> None:
        """Wait until *line* was recorded in the current step, then until nothing moves."""
        async with asyncio.timeout(WAIT_S):
            while not self.has_seen(line):  # noqa: ASYNC110 - what threads record sets no event
                await asyncio.sleep(0.001)
        await self.settle()

    async def attempt(self, what: str, action: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call *action*, wait for its result, and note the outcome, error or not."""
        try:
            result = await self.run_action(action, *args, **options)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the scenario shows
            self.note(f"{what} raised {describe_error(error)}")
            return None
        self.note(f"{what} gave", result)
        return result

    async def run_action(self, action: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call *action*, in a thread if it belongs to a threaded client, and wait for its result."""
        if self.asynchronous or inspect.iscoroutinefunction(action):
            result = action(*args, **options)
            return await result if inspect.isawaitable(result) else result
        return await asyncio.to_thread(action, *args, **options)

    async def quietly(self, action: Callable[..., Any], *args: Any) -> None:
        """Run an action of the application that is no step of its own."""
        await self.run_action(action, *args)
        await self.settle()

    async def do(self, what: str, action: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Run an action of the application as a step of its own."""
        self.step(f"the application: {what}")
        result = await self.attempt(what, action, *args, **options)
        await self.settle()
        return result

    async def begin(self, what: str, action: Callable[..., Any], *args: Any, **options: Any) -> asyncio.Task[Any]:
        """Start an action that does not end before the server answers."""
        self.step(f"the application begins: {what}")
        task = asyncio.create_task(self.attempt(what, action, *args, **options))
        await self.settle()
        return task

    async def finish(self, task: asyncio.Task[Any]) -> None:
        """Wait for what :meth:`begin` started."""
        await asyncio.wait_for(task, WAIT_S)
        await self.settle()

    async def settle(self) -> None:
        """Wait until both ends have had nothing to do for a while."""
        if not self.asynchronous:
            await self._settle_threads()
            return
        quiet = 0
        while quiet < QUIET_TURNS:
            seen = self._activity
            # The last turns give the kernel time to hand over what is on its way through the loopback device.
            await asyncio.sleep(0 if quiet < QUIET_TURNS - 3 else 0.001)
            quiet = quiet + 1 if seen == self._activity else 0

    async def _settle_threads(self) -> None:
        for _ in range(PATIENCE):
            seen, used = self._activity, used_by_others()
            await asyncio.sleep(QUIET_S)
            if seen == self._activity and used_by_others() - used < IDLE_S and not others_are_due():
                return

    async def run(self, script: Callable[[Lab], Any]) -> list[str]:
        """Run the script to its end and give the transcript."""
        try:
            await asyncio.wait_for(script(self), WAIT_S)
        finally:
            lines = [line for step in self._steps for line in step.lines()]
            await self._clear()
        return lines

    async def _clear(self) -> None:
        self.admission.set()
        for client in self._clients:
            inner = getattr(client, "client", client)
            if inner is not None:
                # python-socketio's attempts to come back outlive connect(), disconnect() and shutdown(): those that are
                # left must not reach the server of the next scenario, and end.
                inner.reconnection, inner.reconnection_attempts, inner.connection_url = False, 1, NOWHERE
                await asyncio.wait_for(self.run_action(inner.shutdown), WAIT_S)
        for session in self.sessions.values():
            session.cut()
        await self.settle()


def used_by_others() -> float:
    """Return how many seconds of a processor's time the other threads of this process have had."""
    return process_time() - thread_time()


def others_are_due() -> bool:
    """Tell whether another thread of this process could run if it got a processor."""
    own = str(get_native_id())
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended
            if thread.name != own and (thread / "stat").read_text().rpartition(")")[2].split()[0] == "R":
                return True
    return False


def described(client: Any) -> tuple[Any, ...]:
    """Give what applications read of a client."""
    return (client.connected, client.sid, client.namespaces, client.failed_namespaces, client.transport())

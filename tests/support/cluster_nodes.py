"""
Servers of a cluster, each with one client, whatever they are made of: asyncio or threads, fastsio or python-socketio.

A node's server is used through :meth:`Node.do`, from a coroutine in any case.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import pytest

import fastsio
from fastsio.exceptions import BusError
from tests.integration.clients import WebSocketClient, eventually, open_websocket
from tests.support.administrator import ADA, Administrator
from tests.support.servers import serve
from tests.support.waiting import WAIT_S
from tests.support.wsgi_servers import serve_werkzeug

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.brokers import Broker
    from tests.support.servers import Address

#: Seconds until servers that can reach their broker must hear each other.
HEARD_WITHIN_S = 30.0
PROBE_S = 0.2
PROBE = "probe"


@dataclass
class Node:
    """
    A server and a client of it.

    Attributes:
        sio: The server.
        client: The client.
        sid: The client's.
        address: Where the server listens.
    """

    sio: Any
    client: WebSocketClient
    sid: str
    address: Address

    async def do(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the server: a sync one in a thread."""
        return await do(self.sio, method, *args, **kwargs)

    async def receive(self) -> Any:
        """Return what the client receives next, probes left out: an event as a list, an attachment as bytes."""
        while True:
            frame = await self.client.receive()
            if isinstance(frame, bytes):
                return frame
            event = json.loads(frame[frame.index("[") :])
            if event[0] != PROBE:
                return event

    async def acknowledge(self, *arguments: Any) -> list[Any]:
        """Answer the next event, which must ask for it, and return that event."""
        while True:
            frame = await self.client.receive()
            assert isinstance(frame, str), frame
            event = json.loads(frame[frame.index("[") :])
            if event[0] != PROBE:
                await self.client.send(f"43{frame[2 : frame.index('[')]}{json.dumps(arguments)}")
                return list(event)


async def do(target: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method that may be a coroutine function; another one in a thread."""
    function = getattr(target, method)
    if iscoroutinefunction(function):
        return await function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)


@asynccontextmanager
async def node(manager: Any, package: Any = fastsio) -> AsyncIterator[Node]:
    """
    Run a server over a manager, with one client, for the length of the block.

    Args:
        manager: The client manager; an asynchronous one makes an asyncio server, another one a server for threads.
        package: fastsio or python-socketio.
    """
    is_async = iscoroutinefunction(manager.emit)
    async with AsyncExitStack() as stack:
        if is_async:
            sio = package.AsyncServer(async_mode="asgi", client_manager=manager)
            address = await stack.enter_async_context(serve(package.ASGIApp(sio)))
        else:
            sio = package.Server(async_mode="threading", client_manager=manager)
            address = stack.enter_context(serve_werkzeug(package.WSGIApp(sio)))
        stack.push_async_callback(do, sio, "shutdown")
        client = await stack.enter_async_context(open_websocket(address))
        yield Node(sio, client, await client.join(), address)


@asynccontextmanager
async def cluster(*managers: Any) -> AsyncIterator[list[Node]]:
    """Run servers for the length of the block; a manager is one of fastsio, or a pair of it and its package."""
    async with AsyncExitStack() as stack:
        pairs = [each if isinstance(each, tuple) else (each, fastsio) for each in managers]
        yield [await stack.enter_async_context(node(manager, package)) for manager, package in pairs]


async def heard(listener: Node, speaker: Any, room: str | None = None) -> None:
    """
    Wait until *listener* hears *speaker*, a server or manager: it speaks until the listener's client has got it.

    Args:
        listener: Has the client.
        speaker: Emits to it.
        room: A room that the client is in, or will be; None is its own.
    """
    until = time.monotonic() + HEARD_WITHIN_S
    nonce = time.monotonic_ns()
    error: BaseException | None = None
    while time.monotonic() < until:
        try:
            await do(speaker, "emit", PROBE, nonce, namespace="/", room=room or listener.sid)
        except Exception as exc:  # noqa: BLE001 - it is raised when time is up
            error = exc
            await asyncio.sleep(PROBE_S)
        try:
            async with asyncio.timeout(PROBE_S):
                while await listener.client.receive() != f'42["{PROBE}",{nonce}]':
                    pass
        except TimeoutError:
            continue
        return
    raise AssertionError(f"not heard within {HEARD_WITHIN_S} s") from error


async def acquainted(*nodes: Node) -> None:
    """Wait until all hear each other."""
    for speaker in nodes:
        for listener in nodes:
            if listener is not speaker:
                await heard(listener, speaker.sio)


async def exchange(a: Node, b: Node, *, is_ordered: bool = True) -> None:
    """
    Check everything that *a* can have *b* do.

    Args:
        a: Says what is to be done.
        b: Has the client.
        is_ordered: Whether events for different rooms come in the order they were emitted in.
    """
    room, other = f"of {b.sid}", f"also of {b.sid}"
    await b.do("enter_room", b.sid, room)

    await a.do("emit", "all", {"id": 1})
    assert await a.receive() == ["all", {"id": 1}]
    assert await b.receive() == ["all", {"id": 1}]

    await a.do("emit", "room", "ü", to=room)
    await a.do("emit", "sid", 1, to=b.sid)
    await a.do("emit", "skipping", 1, skip_sid=b.sid)
    await a.do("emit", "several", ("x", 1, None))
    heard_by_b = [await b.receive() for _ in range(3)]
    if not is_ordered:
        heard_by_b.sort(key=lambda event: "room sid several".index(event[0]))
    assert heard_by_b == [["room", "ü"], ["sid", 1], ["several", "x", 1, None]], heard_by_b
    heard_by_a = [await a.receive() for _ in range(2)]
    assert heard_by_a == [["skipping", 1], ["several", "x", 1, None]], heard_by_a

    await a.do("emit", "binary", ({"raw": b"\x00\xff"}, "text"), to=room)
    assert await b.receive() == ["binary", {"raw": {"_placeholder": True, "num": 0}}, "text"]
    assert await b.receive() == b"\x00\xff"

    await a.do("enter_room", b.sid, other)
    answers = await answered(a, b)
    assert answers == [("got", 1)]

    calling = asyncio.create_task(a.do("call", "ask", 5, to=b.sid, timeout=WAIT_S))
    assert await b.acknowledge({"twice": 10}) == ["ask", 5]
    assert await calling == {"twice": 10}

    await heard(b, a.sio, other)  # it has entered when its server has read the message
    await a.do("emit", "entered", 1, to=other)
    assert await b.receive() == ["entered", 1]


async def administer(a: Node, b: Node) -> None:
    """Check that an administrator of *a* gets to know a client of *b* that was connected before."""
    for each in (a, b):
        each.sio.instrument(auth=ADA)
    admin = Administrator()
    async with open_websocket(b.address) as client:
        sid = await client.join()
        await admin.client.connect(a.address.http, auth=ADA, namespaces=["/admin"], transports=["websocket"])
        try:
            await eventually(lambda: sid in [told[1]["id"] for told in admin.told if told[0] == "socket_connected"])
        finally:
            await admin.client.disconnect()


async def answered(a: Node, b: Node) -> list[tuple[Any, ...]]:
    """Emit from *a* to *b*'s client with a callback, and return what it was called with."""
    loop, answers, called = asyncio.get_running_loop(), list[tuple[Any, ...]](), asyncio.Event()

    def callback(*arguments: Any) -> None:
        answers.append(arguments)
        loop.call_soon_threadsafe(called.set)

    await a.do("emit", "tell", 1, to=b.sid, callback=callback)
    assert await b.acknowledge("got", 1) == ["tell", 1]
    async with asyncio.timeout(WAIT_S):
        await called.wait()
    return answers


async def survive(
    broker: Broker, late_manager: Any, *nodes: Node, knows: Callable[[Node], bool] = lambda _node: True
) -> None:
    """
    Check what an outage of the broker does: the emitter learns of it, local clients do not, and all comes back.

    Args:
        broker: Is killed and started again.
        late_manager: Of a server that starts while the broker is away.
        nodes: Hear each other.
        knows: Tells whether what connects a node has noticed that the broker is away; only then does its emitter learn
            of it.
    """
    broker.kill()
    for each in nodes:
        await eventually(lambda: knows(each))  # noqa: B023 - called in the loop
        await _serves_alone(each)
    async with node(late_manager) as late:
        await _serves_alone(late)

        broker.start()

        await acquainted(*nodes, late)


async def _serves_alone(alone: Node) -> None:
    with pytest.raises(BusError, match=alone.sio.manager.name):
        await alone.do("emit", "local")
    assert await alone.receive() == ["local"]

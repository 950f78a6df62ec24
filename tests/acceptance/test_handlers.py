"""Handlers written for python-socketio, and where the markers are allowed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

import fastsio
from fastsio.exceptions import SetupError
from tests.acceptance.peers import Peer, connected
from tests.support.peer_clients import LEAVES
from tests.support.servers import serve
from tests.support.waiting import WAIT_S


class Diary:
    """Handlers of every shape that python-socketio takes; each writes down what it was called with."""

    def __init__(self) -> None:
        self.entries: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()

    async def next(self) -> tuple[Any, ...]:
        """Return the next entry."""
        return await asyncio.wait_for(self.entries.get(), WAIT_S)

    def shapes(self) -> dict[str, Any]:
        """Return a handler for each shape."""
        write = self.entries.put_nowait

        def connect_of_two(sid, environ):
            write(("connect", sid, "REQUEST_METHOD" in environ))

        def connect_of_three(sid, environ, auth):
            write(("connect", sid, "REQUEST_METHOD" in environ, auth))

        async def async_connect_of_three(sid, environ, auth):
            write(("connect", sid, "REQUEST_METHOD" in environ, auth))

        def disconnect_of_one(sid):
            write(("disconnect", sid))

        async def disconnect_of_two(sid, reason):
            write(("disconnect", sid, reason))

        def event(sid, data):
            write(("event", sid, data))
            return "sync"

        async def async_event(sid: str, data: dict) -> str:
            write(("event", sid, data))
            return "async"

        def any_arguments(*args):
            write(("event", *args))
            return len(args)

        async def catch_all(event, sid, data):
            write((event, sid, data))
            return event

        return {name: handler for name, handler in locals().items() if callable(handler) and name != "write"}


@pytest.mark.parametrize(
    ("shape", "auth", "expected"),
    [
        ("connect_of_two", None, (True,)),
        ("connect_of_two", {"a": 1}, (True,)),
        ("connect_of_three", None, (True, None)),
        ("connect_of_three", {"a": 1}, (True, {"a": 1})),
        ("async_connect_of_three", {"a": 1}, (True, {"a": 1})),
    ],
)
async def test_connect_handlers_are_called_positionally(shape, auth, expected) -> None:
    """``connect(sid, environ)`` and ``connect(sid, environ, auth)`` work unchanged, with and without auth."""
    diary = Diary()
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.on("connect", diary.shapes()[shape])
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, auth=auth) as peer:
        assert await diary.next() == ("connect", peer.sid(), *expected)


@pytest.mark.parametrize(
    ("shape", "reasons"), [("disconnect_of_one", [()]), ("disconnect_of_two", [(reason,) for reason in LEAVES])]
)
async def test_disconnect_handlers_are_called_positionally(shape, reasons) -> None:
    """``disconnect(sid)`` and ``disconnect(sid, reason)`` work unchanged."""
    diary = Diary()
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.on("disconnect", diary.shapes()[shape])
    async with serve(fastsio.ASGIApp(sio)) as address:
        async with connected(address.http) as peer:
            sid = peer.sid()

        happened, who, *reason = await diary.next()
        assert (happened, who) == ("disconnect", sid)
        assert tuple(reason) in reasons


@pytest.mark.parametrize(
    ("shape", "data", "arguments", "answer"),
    [
        ("event", "x", ("x",), "sync"),
        ("async_event", {"x": 1}, ({"x": 1},), "async"),
        ("any_arguments", ("a", 2, [3]), ("a", 2, [3]), 4),
        ("any_arguments", None, (), 1),
    ],
)
async def test_event_handlers_are_called_positionally(shape, data, arguments, answer) -> None:
    """Sync, async and ``*args`` handlers get the arguments of the event and answer with what they return."""
    diary = Diary()
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.on("news", diary.shapes()[shape])
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        assert await peer.call("news", data) == answer
        assert await diary.next() == ("event", peer.sid(), *arguments)


async def test_a_catch_all_handler_is_told_the_event() -> None:
    """The handler of ``"*"`` is called with ``(event, sid, data)``."""
    diary = Diary()
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.on("*", diary.shapes()["catch_all"])
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        assert await peer.call("anything", 7) == "anything"
        assert await diary.next() == ("anything", peer.sid(), 7)


async def test_class_based_namespaces_work_unchanged() -> None:
    """``on_<event>`` methods, sync and async, with and without arguments, answer and emit in their namespace."""
    diary = Diary()

    class Chat(fastsio.AsyncNamespace):
        def on_connect(self, sid, environ):
            diary.entries.put_nowait(("connect", sid))

        async def on_disconnect(self, sid, reason):
            diary.entries.put_nowait(("disconnect", sid, reason))

        async def on_talk(self, sid, data):
            await self.emit("talked", data, room=sid)
            return "heard"

        def on_nothing(self, sid):
            return "nothing"

    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.register_namespace(Chat("/chat"))
    async with serve(fastsio.ASGIApp(sio)) as address:
        async with connected(address.http, "/chat") as peer:
            sid = peer.sid("/chat")
            assert await diary.next() == ("connect", sid)
            assert await peer.call("talk", "x", namespace="/chat") == "heard"
            assert await peer.next() == ("talked", "x")
            assert await peer.call("nothing", namespace="/chat") == "nothing"

        assert await diary.next() in [("disconnect", sid, reason) for reason in LEAVES]


async def test_the_asgi_application_serves() -> None:
    """ASGIApp alone serves Socket.IO at the default path."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.on("echo", lambda sid, data: data)
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        assert await peer.call("echo", "asgi") == "asgi"


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_an_aiohttp_application_is_attached_to(transport) -> None:
    """``attach(app)`` adds Socket.IO to an aiohttp application, over both transports."""
    sio = fastsio.AsyncServer(async_mode="aiohttp")
    sio.on("echo", lambda sid, data: data)
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        async with connected(f"http://{host}:{port}", transports=[transport]) as peer:
            assert await peer.call("echo", "aiohttp") == "aiohttp"
    finally:
        await sio.shutdown()
        await runner.cleanup()


@pytest.mark.parametrize("auth", [None, {"token": "x"}, "a token"])
async def test_auth_is_what_the_client_sent(auth) -> None:
    """``auth: Auth`` is None without auth, else the dict or text."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    given: asyncio.Queue[Any] = asyncio.Queue()

    @sio.event
    async def connect(sid: fastsio.SocketID, auth: fastsio.Auth) -> None:
        given.put_nowait(auth)

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, auth=auth):
        assert await asyncio.wait_for(given.get(), WAIT_S) == auth


async def test_event_names_come_from_the_function_or_from_on() -> None:
    """``@sio.event`` takes the function's name, ``@sio.on`` the one it is given."""
    sio = fastsio.AsyncServer(async_mode="asgi")

    @sio.event
    async def by_name(sid):
        return "by_name"

    @sio.on("by on")
    async def whatever(sid):
        return "by on"

    @sio.event(namespace="/chat")
    def elsewhere(sid):
        return "elsewhere"

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, "/", "/chat") as peer:
        assert await peer.call("by_name") == "by_name"
        assert await peer.call("by on") == "by on"
        assert await peer.call("elsewhere", namespace="/chat") == "elsewhere"


def _auth_async():
    async def handler(sid: fastsio.SocketID, auth: fastsio.Auth) -> None: ...

    return handler


def _auth_sync():
    def handler(sid: fastsio.SocketID, auth: fastsio.Auth) -> None: ...

    return handler


def _reason_async():
    async def handler(sid: fastsio.SocketID, reason: fastsio.Reason) -> None: ...

    return handler


def _reason_sync():
    def handler(sid: fastsio.SocketID, reason: fastsio.Reason) -> None: ...

    return handler


@pytest.mark.parametrize("register_on", [lambda: fastsio.AsyncServer(async_mode="asgi"), fastsio.RouterSIO])
@pytest.mark.parametrize(
    ("event", "make", "names"),
    [
        ("message", _auth_async, ("auth", "'connect'")),
        ("message", _auth_sync, ("auth", "'connect'")),
        ("disconnect", _auth_async, ("auth", "'connect'")),
        ("message", _reason_async, ("reason", "'disconnect'")),
        ("message", _reason_sync, ("reason", "'disconnect'")),
        ("connect", _reason_async, ("reason", "'disconnect'")),
    ],
)
def test_auth_and_reason_elsewhere_fail_at_registration(register_on, event, make, names) -> None:
    """Auth outside ``connect`` and Reason outside ``disconnect`` fail with handler, parameter and cure."""
    with pytest.raises(SetupError) as caught:
        register_on().on(event)(make())

    assert make.__name__ in str(caught.value)
    for name in names:
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (None, None),
        ("text", "text"),
        ("", ""),
        (7, 7),
        (1.5, 1.5),
        (True, True),
        (False, False),
        ([1, [2]], [1, [2]]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        (b"\x00\x01", b"\x00\x01"),
        (("one", 2), ("one", 2)),
        ((None,), None),
    ],
)
async def test_data_is_the_raw_payload(sent, seen) -> None:
    """``Data`` is the payload whatever its JSON type; None without one, a tuple of several arguments."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    got: asyncio.Queue[Any] = asyncio.Queue()

    @sio.on("take")
    async def take(data: fastsio.Data) -> None:
        got.put_nowait(data)

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        await peer.emit("take", sent)
        received = await asyncio.wait_for(got.get(), WAIT_S)

    assert (type(received), received) == (type(seen), seen)


@pytest.mark.parametrize(("verdict", "is_in"), [(True, True), (None, True), (False, False)])
async def test_only_false_refuses(verdict, is_in) -> None:
    """Connect returning True accepts, as does None; False refuses."""
    sio = fastsio.AsyncServer(async_mode="asgi")

    @sio.event
    async def connect(sid: fastsio.SocketID):
        return verdict

    async def entered(url: str) -> bool:
        try:
            async with connected(url) as peer:
                return isinstance(peer, Peer)
        except ConnectionError:
            return False
        except Exception as error:  # noqa: BLE001 - python-socketio's own ConnectionError
            assert type(error).__name__ == "ConnectionError"  # noqa: PT017 - what kind it is decides
            return False

    async with serve(fastsio.ASGIApp(sio)) as address:
        assert await entered(address.http) is is_in

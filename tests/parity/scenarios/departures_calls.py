"""Where fastsio departs on purpose: what applications may ask for."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

from tests.parity.scenario import Difference, scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario(
    differs=Difference(
        row="C-07",
        reason="An empty list or text names no room, so nobody is addressed; python-socketio broadcasts to everybody or fails.",
        socketio=[
            'c1: EVENT / ["x", 1]',
            'c1: EVENT / ["x", 2]',
            "app: empty room raised IndexError: list index out of range",
        ],
        fastsio=["app: empty room gave None"],
    )
)
async def an_empty_list_of_rooms_is_nobody(lab: Lab) -> None:
    """``to=[]`` and ``to=""`` do not mean everybody."""
    sio = lab.server()
    await lab.client("/")

    await lab.do("empty list", sio.emit, "x", 1, to=[])
    await lab.do("empty text", sio.emit, "x", 2, to="")
    await lab.do("empty room", sio.emit, "x", 3, room=[])
    await lab.do("None", sio.emit, "x", 4, to=None)


@scenario(
    differs=Difference(
        row="C-15",
        reason="Rooms are taken from any iterable.",
        socketio=["app: set raised TypeError: 'set' object is not subscriptable"],
        fastsio=["app: set gave None", 'c1: EVENT / ["x", 2]'],
    )
)
async def rooms_may_be_any_iterable(lab: Lab) -> None:
    """A tuple or set of rooms is a union like a list."""
    sio = lab.server()
    client = await lab.client("/")
    await lab.do("enter", sio.enter_room, client.sid, "red")

    await lab.do("tuple", sio.emit, "x", 1, to=("red", "blue"))
    await lab.do("set", sio.emit, "x", 2, to={"red", "blue"})


@scenario(
    differs=Difference(
        row="C-15",
        reason="A tuple or set of sids is honoured instead of being ignored in silence.",
        socketio=['c1: EVENT / ["x", 1]', 'c1: EVENT / ["x", 2]'],
        fastsio=[],
    )
)
async def skip_sid_may_be_any_iterable(lab: Lab) -> None:
    """A tuple or set of sids is skipped like a list."""
    sio = lab.server()
    first = await lab.client("/")
    await lab.client("/")

    await lab.do("tuple", sio.emit, "x", 1, skip_sid=(first.sid,))
    await lab.do("set", sio.emit, "x", 2, skip_sid={first.sid})


@scenario(
    differs=Difference(
        row="C-16",
        reason="python-socketio passes a bytearray on to a transport that cannot send it, and loses the connection.",
        socketio=["c1: closed"],
        fastsio=["c1: BINARY 616263", 'c1: EVENT / ["x", 1]'],
    )
)
async def any_bytes_like_object_is_an_attachment(lab: Lab) -> None:
    """A bytearray travels like bytes."""
    sio = lab.server()
    await lab.client("/")

    await lab.do("bytearray", sio.emit, "x", bytearray(b"abc"))
    await lab.do("afterwards", sio.emit, "x", 1)


@scenario(
    differs=Difference(
        row="C-16",
        reason="Every bytes-like object is binary data.",
        socketio=["app: memoryview gave 'TypeError'"],
        fastsio=[
            "app: memoryview gave 'no error'",
            'c1: BINARY_EVENT 1 attached / ["x", {"_placeholder": true, "num": 0}]',
            "c1: BINARY 616263",
        ],
    )
)
async def a_memoryview_is_an_attachment(lab: Lab) -> None:
    """A memoryview travels like bytes."""
    sio = lab.server()
    await lab.client("/")

    async def emit() -> str:
        try:
            await sio.emit("x", memoryview(b"abc"))
        except TypeError:
            return "TypeError"
        return "no error"

    await lab.do("memoryview", emit)


@scenario(
    differs=Difference(
        row="C-17",
        reason="The default codec writes what pydantic can write.",
        socketio=[
            "app: emit datetime gave 'TypeError'",
            "app: emit UUID gave 'TypeError'",
            "app: emit set gave 'TypeError'",
        ],
        fastsio=[
            "app: emit datetime gave 'no error'",
            'c1: EVENT / ["x", "2026-01-02T03:04:05Z"]',
            "app: emit UUID gave 'no error'",
            'c1: EVENT / ["x", "00000000-0000-0000-0000-000000000007"]',
            "app: emit set gave 'no error'",
            'c1: EVENT / ["x", [1]]',
        ],
    )
)
async def common_types_are_written_as_json(lab: Lab) -> None:
    """Dates, UUIDs and sets are written as pydantic writes them."""
    sio = lab.server()
    await lab.client("/")

    async def emit(payload: Any) -> str:
        try:
            await sio.emit("x", payload)
        except TypeError:
            return "TypeError"
        return "no error"

    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    for payload in (moment, uuid.UUID(int=7), {1}):
        await lab.do(f"emit {type(payload).__name__}", emit, payload)


@scenario(
    differs=Difference(
        row="C-18",
        reason="JSON has neither NaN nor Infinity; JavaScript clients close the connection on them.",
        socketio=['c1: EVENT / ["x", [NaN, Infinity, 1.5]]'],
        fastsio=['c1: EVENT / ["x", [null, null, 1.5]]'],
    )
)
async def nan_is_never_sent(lab: Lab) -> None:
    """JSON has no NaN and no Infinity."""
    sio = lab.server()
    await lab.client("/")

    await lab.do("emit", sio.emit, "x", [float("nan"), float("inf"), 1.5])


@scenario(
    differs=Difference(
        row="C-03",
        reason="Clients refuse reserved names and close the connection, so the mistake is told to the caller.",
        socketio=[
            "app: emit connect gave None",
            'c1: EVENT / ["connect", 1]',
            "app: emit disconnect gave None",
            'c1: EVENT / ["disconnect", 1]',
            "app: emit newListener gave None",
            'c1: EVENT / ["newListener", 1]',
        ],
        fastsio=[
            "app: emit connect raised ValueError: event name 'connect' is reserved, clients refuse it; choose another name",
            "app: emit disconnect raised ValueError: event name 'disconnect' is reserved, clients refuse it; choose another name",
            "app: emit newListener raised ValueError: event name 'newListener' is reserved, clients refuse it; choose another name",
        ],
    )
)
async def reserved_names_are_not_emitted(lab: Lab) -> None:
    """Clients refuse an event called "connect" or "disconnect"."""
    sio = lab.server()
    await lab.client("/")

    for name in ("connect", "disconnect", "newListener"):
        await lab.do(f"emit {name}", sio.emit, name, 1)


@scenario(
    differs=Difference(
        row="C-19",
        reason="The error names the option and what it may be.",
        socketio=["app: serializer raised AttributeError: 'str' object has no attribute 'json'"],
        fastsio=[
            "app: serializer raised ValueError: serializer='pickle' is not valid; give 'default', 'msgpack' or a subclass of Packet"
        ],
    )
)
async def an_unknown_serializer_is_refused(lab: Lab) -> None:
    """The constructor names the option and what it may be."""
    await lab.attempt("serializer", lab.package.AsyncServer, serializer="pickle")


@scenario(
    differs=Difference(
        row="C-13",
        reason="The parser of JavaScript clients refuses a DISCONNECT with data.",
        socketio=["c1: MSGPACK {'data': None, 'nsp': '/', 'type': 1}"],
        fastsio=["c1: MSGPACK {'nsp': '/', 'type': 1}"],
    )
)
async def msgpack_packets_omit_what_is_absent(lab: Lab) -> None:
    """DISCONNECT carries no data."""
    sio = lab.server(serializer="msgpack")
    client = await lab.client(packed=True)
    await client.send_frames(b"\x82\xa4type\x00\xa3nsp\xa1/")

    await lab.do("disconnect", sio.disconnect, client.sid)
    await lab.do("emit without data", sio.emit, "x")


@scenario(
    differs=Difference(
        row="C-20",
        reason="The server can show why startup failed.",
        socketio=["app: told {'type': 'lifespan.startup.failed'}"],
        fastsio=["app: told {'message': 'RuntimeError: no database', 'type': 'lifespan.startup.failed'}"],
    )
)
async def a_startup_hook_that_fails_is_told(lab: Lab) -> None:
    """The server is told that startup failed, and why."""

    def starting() -> None:
        raise RuntimeError("no database")

    app = lab.package.ASGIApp(lab.package.AsyncServer(async_mode="asgi"), on_startup=starting)

    await lab.lifespan(app)


@scenario(
    differs=Difference(
        row="C-21",
        reason="An error without a text is hard to read in a log.",
        socketio=["app: call gave ''"],
        fastsio=["app: call gave 'the client did not acknowledge the event in time'"],
    )
)
async def a_timeout_says_what_happened(lab: Lab) -> None:
    """TimeoutError has a text."""
    sio = lab.server()
    client = await lab.client("/")

    async def text() -> str:
        try:
            await sio.call("ask", to=client.sid, timeout=0.01)
        except lab.exceptions.TimeoutError as error:
            return str(error)
        return "no error"

    await lab.do("call", text)

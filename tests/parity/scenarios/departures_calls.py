"""Where fastsio departs on purpose: what applications may ask for."""


from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def an_empty_list_of_rooms_is_nobody(lab: Lab) -> None:
    """``to=[]`` and ``to=""`` do not mean everybody."""
    sio = lab.server()
    await lab.client("/")

    await lab.do("empty list", sio.emit, "x", 1, to=[])
    await lab.do("empty text", sio.emit, "x", 2, to="")
    await lab.do("empty room", sio.emit, "x", 3, room=[])
    await lab.do("None", sio.emit, "x", 4, to=None)


@scenario()
async def rooms_may_be_any_iterable(lab: Lab) -> None:
    """A tuple or set of rooms is a union like a list."""
    sio = lab.server()
    client = await lab.client("/")
    await lab.do("enter", sio.enter_room, client.sid, "red")

    await lab.do("tuple", sio.emit, "x", 1, to=("red", "blue"))
    await lab.do("set", sio.emit, "x", 2, to={"red", "blue"})


@scenario()
async def skip_sid_may_be_any_iterable(lab: Lab) -> None:
    """A tuple or set of sids is skipped like a list."""
    sio = lab.server()
    first = await lab.client("/")
    await lab.client("/")

    await lab.do("tuple", sio.emit, "x", 1, skip_sid=(first.sid,))
    await lab.do("set", sio.emit, "x", 2, skip_sid={first.sid})


@scenario()
async def any_bytes_like_object_is_an_attachment(lab: Lab) -> None:
    """A bytearray travels like bytes."""
    sio = lab.server()
    await lab.client("/")

    await lab.do("bytearray", sio.emit, "x", bytearray(b"abc"))
    await lab.do("afterwards", sio.emit, "x", 1)


@scenario()
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


@scenario()
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


@scenario()
async def nan_is_never_sent(lab: Lab) -> None:
    """JSON has no NaN and no Infinity."""
    sio = lab.server()
    await lab.client("/")

    await lab.do("emit", sio.emit, "x", [float("nan"), float("inf"), 1.5])


@scenario()
async def reserved_names_are_not_emitted(lab: Lab) -> None:
    """Clients refuse an event called "connect" or "disconnect"."""
    sio = lab.server()
    await lab.client("/")

    for name in ("connect", "disconnect", "newListener"):
        await lab.do(f"emit {name}", sio.emit, name, 1)


@scenario()
async def an_unknown_serializer_is_refused(lab: Lab) -> None:
    """The constructor names the option and what it may be."""
    await lab.attempt("serializer", lab.package.AsyncServer, serializer="pickle")


@scenario()
async def msgpack_packets_omit_what_is_absent(lab: Lab) -> None:
    """DISCONNECT carries no data."""
    sio = lab.server(serializer="msgpack")
    client = await lab.client(packed=True)
    await client.send_frames(b"\x82\xa4type\x00\xa3nsp\xa1/")

    await lab.do("disconnect", sio.disconnect, client.sid)
    await lab.do("emit without data", sio.emit, "x")

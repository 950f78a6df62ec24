"""
The server that the interop tests talk to, in the style of python-socketio, so that either library can serve it.

It records what it saw, for the tests to compare with what the client saw.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from types import ModuleType


class Site:
    """
    A Socket.IO server with handlers for every scenario.

    Args:
        library: ``fastsio``, or ``socketio`` as the reference.
        options: For the server's constructor.
    """

    def __init__(self, library: ModuleType, **options: Any) -> None:
        self.library = library
        self.sio = library.AsyncServer(async_mode="asgi", cors_allowed_origins="*", **options)
        self.app = library.ASGIApp(self.sio)
        self.never = asyncio.Event()
        self._seen: dict[str, asyncio.Queue[Any]] = {}
        for register in (_lifecycle, _echoes, _questions, _streams, _rooms, _sessions, _namespaces, _refusals):
            register(self)

    def record(self, what: str, value: Any) -> None:
        """Keep what the server saw."""
        self._seen.setdefault(what, asyncio.Queue()).put_nowait(value)

    async def saw(self, what: str, *, timeout_s: float = 8) -> Any:
        """Wait until the server has seen *what*, and return its value, the oldest first."""
        async with asyncio.timeout(timeout_s):
            return await self._seen.setdefault(what, asyncio.Queue()).get()


def _lifecycle(site: Site) -> None:
    sio = site.sio

    @sio.event
    async def connect(sid, environ, auth):
        site.record("connect", {"sid": sid, "auth": auth, "header": environ.get("HTTP_X_TOKEN")})
        await sio.emit("welcome", {"sid": sid}, to=sid)

    @sio.event
    async def disconnect(sid, reason):
        site.record("disconnect", {"sid": sid, "reason": reason, "rooms": sorted(sio.rooms(sid))})

    @sio.event
    async def kick(sid):
        await sio.disconnect(sid)

    @sio.event
    async def transport(sid):
        return sio.transport(sid)


def _echoes(site: Site) -> None:
    sio = site.sio

    @sio.event
    async def echo(sid, *args):
        return args

    @sio.event
    async def mirror(sid, *args):
        await sio.emit("mirrored", args, to=sid)

    @sio.event
    async def message(sid, data):
        await sio.send(data, to=sid)

    @sio.event
    async def fail(sid):
        raise RuntimeError("only the server's log may show this")

    @sio.on("*")
    async def anything(event, sid, *args):
        return {"event": event, "args": list(args)}


def _questions(site: Site) -> None:
    sio = site.sio

    @sio.event
    async def ask(sid, question):
        answer = await sio.call("question", question, to=sid, timeout=WAIT_S)
        site.record("answer", answer)
        return answer

    @sio.event
    async def ask_in_vain(sid):
        try:
            await sio.call("silence", to=sid, timeout=0.2)
        except site.library.exceptions.TimeoutError:
            return "timeout"

    @sio.event
    async def ask_with_callback(sid, question):
        await sio.emit("question", question, to=sid, callback=lambda *args: site.record("callback", args))

    @sio.event
    async def silent(sid):
        await site.never.wait()


def _streams(site: Site) -> None:
    sio = site.sio

    @sio.event
    async def number(sid, value):
        site.record("number", value)

    @sio.event
    async def burst(sid, count):
        for value in range(count):
            await sio.emit("number", value, to=sid)


def _rooms(site: Site) -> None:
    sio = site.sio

    @sio.event
    async def enter(sid, room):
        await sio.enter_room(sid, room)
        return sorted(room for room in sio.rooms(sid) if room != sid)

    @sio.event
    async def leave(sid, room):
        await sio.leave_room(sid, room)

    @sio.event
    async def close_room(sid, room):
        await sio.close_room(room)

    @sio.event
    async def shout(sid, room, text):
        await sio.emit("shouted", {"room": room, "text": text}, room=room)

    @sio.event
    async def whisper(sid, room, text):
        await sio.emit("shouted", {"room": room, "text": text}, room=room, skip_sid=sid)

    @sio.event
    async def everyone(sid, text):
        await sio.emit("announced", text)


def _sessions(site: Site) -> None:
    sio = site.sio

    @sio.event
    async def remember(sid, value):
        async with sio.session(sid) as session:
            session["value"] = value

    @sio.event
    async def recall(sid):
        return (await sio.get_session(sid)).get("value")


def _namespaces(site: Site) -> None:
    sio = site.sio

    @sio.on("connect", namespace="/admin")
    async def connect_admin(sid, environ, auth):
        if (auth or {}).get("token") != "secret":
            raise site.library.exceptions.ConnectionRefusedError("not allowed", {"code": 42})
        site.record("admin connect", {"sid": sid, "auth": auth})

    @sio.on("disconnect", namespace="/admin")
    async def disconnect_admin(sid, reason):
        site.record("admin disconnect", reason)

    @sio.on("where", namespace="/admin")
    async def where_admin(sid):
        return "/admin"

    @sio.on("where", namespace="/news")
    async def where_news(sid):
        return "/news"

    @sio.on("publish", namespace="/news")
    async def publish(sid, text):
        await sio.emit("published", text, namespace="/news")

    @sio.on("end", namespace="/news")
    async def end(sid):
        await sio.disconnect(sid, namespace="/news")

    class Counter(site.library.AsyncNamespace):
        """A class namespace."""

        async def on_connect(self, sid, environ):
            await self.save_session(sid, {"count": 0})

        async def on_add(self, sid, amount):
            async with self.session(sid) as session:
                session["count"] += amount
                return session["count"]

    sio.register_namespace(Counter("/counter"))


def _refusals(site: Site) -> None:
    sio = site.sio

    @sio.on("connect", namespace="/closed")
    async def connect_closed(sid, environ):
        return False

    @sio.on("connect", namespace="/broken")
    async def connect_broken(sid, environ):
        raise RuntimeError("only the server's log may show this")

"""
The Socket.IO server that is run under every framework, and the ASGI application around it for servers of their own.

Knows no framework but FastAPI; :mod:`tests.support.frameworks` starts it.
"""

from __future__ import annotations

import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import fastsio
from tests.integration.clients import Journal
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Environment variable with the server's options, as JSON.
OPTIONS = "FRAMEWORK_APP_OPTIONS"


def make_server(journal: Journal, **options: Any) -> fastsio.AsyncServer:
    """
    Make a server that exercises what a transport carries.

    Args:
        journal: Gets what the handlers saw, each client by its ``auth``.
        options: For the server's constructor.
    """
    sio = fastsio.AsyncServer(**options)
    _note_lifetimes(sio, journal)
    _answer_events(sio)
    _use_the_server(sio)
    return sio


def _note_lifetimes(sio: fastsio.AsyncServer, journal: Journal) -> None:
    names: dict[str, Any] = {}

    @sio.event
    async def connect(sid, environ, auth):
        names[sid] = auth
        journal.note(["connect", auth, environ["REMOTE_ADDR"]])
        await sio.emit("welcome", to=sid)

    @sio.event
    async def disconnect(sid, reason):
        journal.note(["disconnect", names.pop(sid), reason])


def _answer_events(sio: fastsio.AsyncServer) -> None:
    @sio.event
    async def echo(sid, *args):
        return args

    @sio.event
    async def mirror(sid, *args):
        await sio.emit("mirrored", args, to=sid)

    @sio.event
    async def tell_all(sid, value):
        await sio.emit("told", value)

    @sio.event
    async def flood(sid, count):
        for _ in range(count):
            await sio.emit("drop", "x" * 100_000, to=sid)


def _use_the_server(sio: fastsio.AsyncServer) -> None:
    @sio.event
    async def ask(sid, question):
        return await sio.call("question", question, to=sid, timeout=WAIT_S)

    @sio.event
    async def enter(sid, room):
        await sio.enter_room(sid, room)

    @sio.event
    async def transport(sid):
        return sio.transport(sid)

    @sio.event
    async def environ(sid, *keys):
        return [sio.get_environ(sid).get(key) for key in keys]

    @sio.event
    async def kick(sid):
        await sio.disconnect(sid)


def asgi() -> fastsio.ASGIApp:
    """Make the application that a server in a process of its own runs, FastAPI around it."""
    from fastapi import FastAPI

    journal = Journal()
    sio = make_server(journal, **json.loads(os.environ.get(OPTIONS, "{}")))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        journal.note("started")
        yield
        await sio.shutdown()
        # The test reads it from the output: HTTP is not served any more.
        print(json.dumps(journal), flush=True)  # noqa: T201 - the process reports by its output

    api = FastAPI(lifespan=lifespan)

    @api.get("/journal")
    async def until(entries: str, count: int) -> list[Any]:
        await journal.until_any(json.loads(entries), count)
        return journal

    mounted = FastAPI()

    @mounted.get("/hello")
    async def hello() -> str:
        return "hello"

    api.mount("/mounted", mounted)
    return fastsio.ASGIApp(sio, api)

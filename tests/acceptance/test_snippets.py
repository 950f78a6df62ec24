"""The snippets of snippets.md, verbatim, under uvicorn and against a real client."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI
from pydantic import BaseModel

import fastsio
from tests.acceptance.peers import connected, run_snippet
from tests.support.peer_clients import LEAVES
from tests.support.servers import serve
from tests.support.waiting import PROGRAM_S, WAIT_S

if TYPE_CHECKING:
    import pytest

HERE = Path(__file__).parent
SOURCE = Path(fastsio.__file__).parents[1]


class BanRequest(BaseModel):
    """A name that the routers snippet leaves undefined."""

    user: str


def test_fastsio_alone_runs_the_first_snippets() -> None:
    """With nothing but engineio and pydantic importable, snippets 1 and 2 serve a client."""
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE}:{HERE.parents[1]}"}

    finished = subprocess.run(
        [sys.executable, "-I", str(HERE / "alone.py"), str(SOURCE), str(HERE / "snippets.md")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == "served 2 snippets"


async def test_snippet_1_echoes_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    """The simple server accepts, answers ``message`` and runs its disconnect handler."""
    names = run_snippet(1)
    gone = asyncio.Event()
    forget = names["sio"].manager.disconnect

    async def noticed(*args: Any, **kwargs: Any) -> None:
        await forget(*args, **kwargs)
        gone.set()

    names["sio"].manager.disconnect = noticed

    async with serve(names["app"]) as address:
        async with connected(address.http) as peer:
            sid = peer.sid()
            await peer.emit("message", "hi")

            assert await peer.next() == ("response", "Received: hi")
        await asyncio.wait_for(gone.wait(), WAIT_S)

    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"Client {sid} connected", f"Client {sid} disconnected"]


async def test_snippet_2_runs_verbatim() -> None:
    """A router filled before the server exists serves it, and ``server: AsyncServer`` is that server."""
    names = run_snippet(2)
    seen: list[Any] = []

    server_class, model, sid_type = names["AsyncServer"], names["JoinRoom"], names["SocketID"]

    @names["router"].on("whoami")
    async def whoami(server: server_class, data: model, sid: sid_type) -> str:
        seen.append(server)
        return f"{sid} asks about {data.room}"

    async with serve(names["app"]) as address, connected(address.http) as peer:
        await peer.emit("join_room", {"room": "blue"})
        assert await peer.next() == ("joined", {"room": "blue"})
        assert await peer.call("whoami", {"room": "blue"}) == f"{peer.sid()} asks about blue"

    assert seen == [names["sio"]]


async def test_snippet_2_tells_the_client_about_invalid_data() -> None:
    """An invalid payload does not reach the handler, the client is told, and the connection lives on."""
    names = run_snippet(2)
    async with serve(names["app"]) as address, connected(address.http) as peer:
        answer = await peer.call("join_room", {"roam": "blue"})
        await peer.emit("join_room", 7)
        told = await peer.next()
        rooms = names["sio"].rooms(peer.sid())
        await peer.emit("join_room", {"room": "blue"})

        assert answer["error"]["type"] == "validation_error"
        assert [problem["loc"] for problem in answer["error"]["detail"]] == [["args", 0, "room"]]
        assert (told[0], told[1]["type"], told[1]["event"]) == ("error", "validation_error", "join_room")
        assert rooms == [peer.sid()]
        assert await peer.next() == ("joined", {"room": "blue"})


async def test_snippet_2_reaches_exactly_the_room() -> None:
    """A message reaches the members of its room, the sender among them, and ``to=sid`` one client."""
    names = run_snippet(2)
    sio = names["sio"]
    async with (
        serve(names["app"]) as address,
        connected(address.http) as ann,
        connected(address.http) as bob,
        connected(address.http) as eve,
    ):
        for member in (ann, bob):
            await member.emit("join_room", {"room": "blue"})
            assert await member.next() == ("joined", {"room": "blue"})
        await ann.emit("send_message", {"text": "hello", "room": "blue"})

        assert await ann.next() == ("new_message", {"text": "hello", "room": "blue"})
        assert await bob.next() == ("new_message", {"text": "hello", "room": "blue"})
        assert [await peer.heard_until_fence(sio) for peer in (ann, bob, eve)] == [[], [], []]


async def test_snippet_3_joins_fastapi_and_socketio() -> None:
    """FastAPI serves ``/``, Socket.IO its own path, and an emit inside ``connect`` arrives."""
    names = run_snippet(3)
    async with serve(names["combined_app"]) as address, connected(address.http) as peer, httpx.AsyncClient() as http:
        answer = await http.get(f"{address.http}/")

        assert answer.json() == {"message": "FastAPI + fastsio"}
        assert await peer.next() == ("hello", {"message": "Welcome!"})


async def test_the_lifespan_of_the_inner_application_runs() -> None:
    """Startup and shutdown of the wrapped FastAPI application are run."""
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI):
        happened.append("startup")
        yield
        happened.append("shutdown")

    app = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi"), FastAPI(lifespan=lifespan))
    async with serve(app):
        assert happened == ["startup"]

    assert happened == ["startup", "shutdown"]


async def test_snippet_4_gives_hooks_their_context_by_keyword() -> None:
    """The middleware snippet runs as written; its hook names ``environ`` and gets it."""
    names = run_snippet(4, SocketID=fastsio.SocketID)
    async with (
        serve(fastsio.ASGIApp(names["sio"])) as address,
        connected(address.http, headers={"Authorization": "Bearer x"}) as peer,
    ):
        assert await peer.call("join_room", {"room": "blue"}) == {"status": "joined"}


async def test_snippet_4_denies_clients_without_authorization() -> None:
    """The middleware guards its two events only, and a denied event never reaches its handler."""
    names = run_snippet(4, SocketID=fastsio.SocketID)
    sio = names["sio"]
    ran: list[str] = []

    @sio.on("send_message")
    async def send_message(sid: fastsio.SocketID, data: dict) -> None:
        ran.append("send_message")

    @sio.on("look")
    async def look(sid: fastsio.SocketID) -> str:
        return "open to all"

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        denied = await peer.call("join_room", {"room": "blue"})
        await peer.emit("send_message", {"text": "hi"})

        assert denied == {
            "error": {"type": "forbidden", "event": "join_room", "msg": "Authentication required", "detail": None}
        }
        assert (await peer.next())[1]["type"] == "forbidden"
        assert await peer.call("look") == "open to all"
        assert ran == []


async def test_snippet_5_keeps_namespaces_apart() -> None:
    """Two routers with a namespace each are attached, and the same event name does not collide."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    second = run_snippet(2)
    names = run_snippet(5, SocketID=fastsio.SocketID, Message=second["Message"], BanRequest=BanRequest, sio=sio)

    @names["chat_router"].on("status")
    async def chat_status(sid: fastsio.SocketID) -> str:
        return "chat"

    @names["admin_router"].on("status")
    async def admin_status(sid: fastsio.SocketID) -> str:
        return "admin"

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, "/chat", "/admin") as peer:
        assert await peer.call("status", namespace="/chat") == "chat"
        assert await peer.call("status", namespace="/admin") == "admin"
        assert await peer.call("message", {"text": "x", "room": "y"}, namespace="/chat") is None
        refused = await peer.call("user_ban", {}, namespace="/admin")
        assert refused["error"]["event"] == "user_ban"


async def test_snippet_6_prints_event_sid_and_data(capsys: pytest.CaptureFixture[str]) -> None:
    """SocketID, AsyncServer, Environ, Data and Event are injected into the last snippet."""
    router = fastsio.RouterSIO()
    run_snippet(6, router=router)
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.add_router(router)
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        await peer.call("example", {"n": 1})

        assert capsys.readouterr().out == f"Event example from {peer.sid()}: {{'n': 1}}\n"


async def test_auth_and_reason_are_injected_where_they_belong() -> None:
    """Auth reaches ``connect`` and Reason ``disconnect``."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    told: asyncio.Queue[Any] = asyncio.Queue()

    @sio.event
    async def connect(auth: fastsio.Auth, environ: fastsio.Environ) -> None:
        told.put_nowait((auth, environ["REQUEST_METHOD"]))

    @sio.event
    async def disconnect(reason: fastsio.Reason, server: fastsio.AsyncServer, sid: fastsio.SocketID) -> None:
        told.put_nowait((reason, server is sio, bool(sid)))

    async with serve(fastsio.ASGIApp(sio)) as address:
        async with connected(address.http, auth={"token": "t"}):
            assert await asyncio.wait_for(told.get(), WAIT_S) == ({"token": "t"}, "GET")

        assert await asyncio.wait_for(told.get(), WAIT_S) in [(reason, True, True) for reason in LEAVES]

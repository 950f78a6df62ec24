"""The Socket.IO Admin UI, in a real browser, looks at a server and steers it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import socketio

import fastsio
from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import TESTS, node_program
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.servers import serve
from tests.support.waiting import WAIT_S

pytestmark = LEAVE_CONNECTIONS

PAGE = TESTS / "node_modules/@socket.io/admin-ui/ui/dist"
PROGRAM = Path(__file__).parent / "admin_ui.mjs"


async def test_the_admin_ui_shows_clients_rooms_and_events_and_disconnects(tmp_path):
    """A wrong password is refused; who is there and who comes is shown, with rooms and events; one click ends a client."""
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.instrument(auth={"username": "ada", "password": "secret"}, server_id="the-server", server_stats_interval=0.2)
    gone = asyncio.Event()
    sio.on("connect", lambda sid, environ: None)
    sio.on("disconnect", lambda sid, reason: gone.set() if reason == sio.reason.SERVER_DISCONNECT else None)

    @sio.on("hello")
    async def enter(sid: str, room: str) -> str:
        await sio.enter_room(sid, room)
        return room

    app = fastsio.ASGIApp(sio, static_files={"/ui": str(PAGE)})
    options = {
        "executable": require_chromium(),
        "flags": FLAGS,
        "profile": str(tmp_path / "profile"),
        "screenshots": os.environ.get("BROWSER_SCREENSHOTS"),
        "page": "/ui/index.html",
    }
    early, late = socketio.AsyncClient(), socketio.AsyncClient()
    async with serve(app) as address:
        try:
            await early.connect(address.http, transports=["websocket"])
            await early.call("hello", "tea")
            arguments = (address.http, json.dumps(options))
            packages = ("playwright-core", "@socket.io/admin-ui")
            async with node_program(PROGRAM, *arguments, packages=packages) as program:
                await program.step("connected")
                await late.connect(address.http)
                await late.call("hello", "coffee")
                await program.tell({"early": early.get_sid(), "late": late.get_sid()})
                result = await program.result()
            async with asyncio.timeout(WAIT_S):
                await gone.wait()
        finally:
            await early.disconnect()
            await late.disconnect()

    assert {line.split("\t")[0].strip() for line in result["rooms"]} >= {"tea", "coffee"}

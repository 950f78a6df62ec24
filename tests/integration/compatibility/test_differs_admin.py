"""Rows of ``docs/reference/compatibility.md`` about the admin interface, shown on both packages."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio

import fastsio
from tests.integration.compatibility.test_same_admin import asynchronous
from tests.support.administrator import ADA, Administrator
from tests.support.peer_clients import LEAVE_CONNECTIONS

pytestmark = LEAVE_CONNECTIONS
PACKAGES = [socketio, fastsio]


@asynccontextmanager
async def instrumented(package: Any, **options: Any):
    """Serve an instrumented server, connect an administrator and a client."""
    panel, served = asynchronous(package, **options)
    admin, client = Administrator(), socketio.AsyncClient()
    async with served as address:
        try:
            await admin.client.connect(address.http, auth=ADA, namespaces=["/admin"], transports=["websocket"])
            await admin.until("config")
            await client.connect(address.http, transports=["websocket"])
            yield address, admin, client
        finally:
            await client.disconnect()
            await admin.client.disconnect()
            panel.uninstrument()  # python-socketio's changes classes, which other tests use


@pytest.mark.parametrize(
    ("package", "namespaces", "id_length"), [(socketio, {"/", "/admin"}, 20), (fastsio, {"/"}, 12)]
)
async def test_who_is_shown_and_by_which_id(package, namespaces, id_length):
    """C-43: administrators are not shown to themselves, and the id is no secret."""
    async with instrumented(package) as (_, admin, client):
        await admin.until("room_joined", "/", "early", client.get_sid())
        await admin.until("server_stats")
        sockets = [report[1] for report in admin.told if report[0] == "socket_connected"]

    assert {socket["nsp"] for socket in sockets} == namespaces
    assert {len(socket["clientId"]) for socket in sockets} == {id_length}


@pytest.mark.parametrize(("package", "is_last"), [(socketio, False), (fastsio, True)])
async def test_a_client_is_reported_after_its_rooms(package, is_last):
    """C-43: python-socketio reports it before its connect handler has put it into rooms."""
    async with instrumented(package) as (_, admin, client):
        sid = client.get_sid()
        await admin.until("room_joined", "/", "early", sid)
        await admin.until("server_stats")
        about = [report[0] for report in admin.told if sid in report or (report[0], sid) == _identity(report)]

    assert (about.index("socket_connected") > about.index("room_joined")) is is_last


def _identity(report: tuple[Any, ...]) -> tuple[Any, Any]:
    return report[0], report[1].get("id") if isinstance(report[1], dict) else None


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    "arguments",
    [
        {"auth": {}},
        {"auth": [{}]},
        {"auth": "secret"},
        {"auth": False, "mode": "debug"},
        {"auth": False, "server_stats_interval": 0},
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(package, arguments):
    """C-44: when the server is instrumented; python-socketio takes them as they are."""
    sio = package.AsyncServer(async_mode="asgi")

    if package is fastsio:
        with pytest.raises(ValueError, match=next(reversed(arguments))):
            sio.instrument(**arguments)
    else:
        sio.instrument(**arguments).uninstrument()


@pytest.mark.parametrize(("package", "text"), [(socketio, "authentication failed"), (fastsio, "invalid credentials")])
async def test_a_refusal_says_what_the_admin_ui_knows(package, text):
    """C-70: the JavaScript server's words, which the UI shows as wrong credentials."""
    refusals: list[Any] = []
    stranger = socketio.AsyncClient()
    stranger.on("connect_error", refusals.append, namespace="/admin")

    async with instrumented(package) as (address, _, _):
        with pytest.raises(socketio.exceptions.ConnectionError):
            await stranger.connect(address.http, auth={"username": "eve"}, namespaces=["/admin"])
        await stranger.disconnect()

    assert refusals == [{"message": text}]


@pytest.mark.parametrize(("package", "is_told"), [(socketio, True), (fastsio, False)])
async def test_strangers_are_not_reported(package, is_told):
    """C-71: nobody hears of the client that was refused in the admin namespace."""
    stranger = socketio.AsyncClient()

    async with instrumented(package) as (address, admin, client):
        with pytest.raises(socketio.exceptions.ConnectionError):
            await stranger.connect(address.http, auth={"username": "eve"}, namespaces=["/admin"])
        await stranger.disconnect()
        await client.emit("hello", "tea")
        await admin.until("room_left", "/", "tea")
        rooms = {report[2] for report in admin.told if report[:2] == ("room_joined", "/admin")}

    assert bool(rooms - {admin.client.get_sid("/admin")}) is is_told

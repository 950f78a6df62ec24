"""The in-process client of asyncio servers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from fastsio import ASGIApp, AsyncServer, Auth, Environ, Server, SocketID
from fastsio.exceptions import (
    BadNamespaceError,
    ConnectionRefusedError,
    DisconnectedError,
    SetupError,
    TimeoutError,
)
from fastsio.testing import Broadcast, Received, TestClient, capture_broadcasts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Point(BaseModel):
    """A payload."""

    x: int


def make_server(**options: Any) -> AsyncServer:
    """Return a server with an event of each kind."""
    sio = AsyncServer(async_mode="asgi", **options)

    @sio.event
    async def connect(sid: SocketID, environ: Environ, auth: Auth) -> None:
        if auth == "mallory":
            raise ConnectionRefusedError("not you", {"code": 7})
        await sio.emit("hello", environ.get("HTTP_X_NAME", "nobody"), to=sid)

    @sio.event
    async def disconnect(sid: SocketID) -> None:
        sio.left.append(sid)  # type: ignore[attr-defined] # the test's own list

    @sio.event
    async def move(sid: SocketID, point: Point) -> Point:
        return point

    @sio.event
    async def join(sid: str, room: str) -> str:
        await sio.enter_room(sid, room)
        return room

    @sio.event
    async def shout(sid: str, *data: Any) -> None:
        await sio.emit("shouted", data, room="hall", skip_sid=sid)

    sio.left = []  # type: ignore[attr-defined] # as above
    return sio


@pytest.fixture
def sio() -> AsyncServer:
    """A server."""
    return make_server()


@pytest.fixture
async def client(sio: AsyncServer) -> AsyncIterator[TestClient]:
    """A client that is connected and has been greeted."""
    async with TestClient(sio) as connected:
        await connected.connect()
        await connected.receive("hello")
        yield connected


async def test_connecting_runs_the_handler_with_headers_and_query(sio: AsyncServer) -> None:
    """The environ has what the test client was given."""
    async with TestClient(sio, headers={"X-Name": "ada"}, query={"room": "a b"}) as client:
        await client.connect()

        assert await client.receive("hello") == Received("hello", ("ada",))
        assert sio.get_environ(client.sid)["QUERY_STRING"].endswith("room=a+b")


async def test_refusal_carries_what_the_server_said(sio: AsyncServer) -> None:
    """The message and the data of a refusal are in the error."""
    client = TestClient(sio)

    with pytest.raises(ConnectionRefusedError) as refused:
        await client.connect(auth="mallory")

    assert refused.value.error_args == {"message": "not you", "data": {"code": 7}}
    assert not client.connected


@pytest.mark.parametrize("auth", [["t"], 7, b"t", True])
async def test_auth_of_a_kind_that_no_server_takes_says_what_to_write(sio: AsyncServer, auth: Any) -> None:
    """Before anything is sent: the server would close the connection, and the client would know no reason."""
    async with TestClient(sio) as client:
        with pytest.raises(
            TypeError, match=r"may send a dict, a text or None; a server closes.*Write auth=\{'token': \.\.\.\}"
        ) as error:
            await client.connect(auth=auth)
        assert f"auth={auth!r} is of type {type(auth).__name__}" in str(error.value)

        await client.connect(auth="t")
        with pytest.raises(TypeError, match="may send a dict, a text or None"):
            await client.reconnect(auth=auth)
        assert client.connected


async def test_auth_may_be_a_dict_a_model_or_a_text(sio: AsyncServer) -> None:
    """The connect handler gets each as the wire carries it."""
    got: list[Any] = []

    @sio.on("connect", namespace="/auth")
    async def connect(auth: Auth) -> None:
        got.append(auth)

    for auth in ({"x": 1}, Point(x=1), "x", None):
        async with TestClient(sio) as client:
            await client.connect("/auth", auth)

    assert got == [{"x": 1}, {"x": 1}, "x", None]


async def test_unknown_namespace_is_refused_and_the_others_stay(client: TestClient) -> None:
    """A namespace nobody handles refuses; the connection lives on."""
    with pytest.raises(ConnectionRefusedError, match="Invalid namespace"):
        await client.connect("/nowhere")

    assert await client.call("join", "hall") == "hall"


async def test_call_returns_the_acknowledgement(client: TestClient) -> None:
    """Validation and the dumping of models happen as for any client."""
    assert await client.call("move", {"x": 1}) == {"x": 1}
    assert (await client.call("move", {"x": "far"}))["error"]["type"] == "validation_error"


async def test_rooms_and_broadcasts(sio: AsyncServer, client: TestClient) -> None:
    """Members get a broadcast, others and the skipped sender do not."""
    async with TestClient(sio) as other:
        await other.connect()
        await client.call("join", "hall")
        await other.call("join", "hall")

        await other.emit("shout", ("a", b"\x00"))

        assert (await client.receive("shouted")).args == ("a", b"\x00")
        assert client.rooms() == {"hall"}
        assert await other.receive_nothing("shouted", within=0)


async def test_receive_takes_the_first_of_a_name_and_leaves_the_rest(sio: AsyncServer, client: TestClient) -> None:
    """Events that are not asked for wait in their order."""
    for number in range(3):
        await sio.emit("even" if number % 2 == 0 else "odd", number, to=client.sid)

    assert (await client.receive("odd")).data == 1
    assert [each.data for each in client.received] == [0, 2]
    assert (await client.receive()).data == 0


@pytest.mark.virtual_time
async def test_missing_event_names_what_has_come(sio: AsyncServer, client: TestClient) -> None:
    """The error of a test that waits in vain helps to see why."""
    await sio.emit("other", to=client.sid)

    with pytest.raises(TimeoutError, match=r"no event 'wanted' in time; waiting to be taken: 'other'"):
        await client.receive("wanted", timeout=0.05)


@pytest.mark.virtual_time
async def test_missing_acknowledgement_is_a_timeout(client: TestClient) -> None:
    """An event nobody handles is not acknowledged, and the error says that nobody does."""
    with pytest.raises(TimeoutError, match=r"no acknowledgement of 'nonsense' \(it has no handler in '/'\) in time"):
        await client.call("nonsense", timeout=0.05)


async def test_server_can_wait_for_the_client(sio: AsyncServer, client: TestClient) -> None:
    """The acknowledgement of a test client reaches the server's call()."""
    asking = asyncio.create_task(sio.call("ask", 1, to=client.sid))

    question = await client.receive("ask")
    await client.acknowledge(question, "yes", 2)

    assert await asking == ("yes", 2)


async def test_acknowledging_what_nobody_waits_for_is_an_error(sio: AsyncServer, client: TestClient) -> None:
    """A test that answers an event without an id has a mistake in it."""
    await sio.emit("news", to=client.sid)

    with pytest.raises(ValueError, match="no acknowledgement of 'news'"):
        await client.acknowledge(await client.receive("news"))


async def test_disconnect_has_run_the_handlers(sio: AsyncServer, client: TestClient) -> None:
    """After disconnect() the server has forgotten the client."""
    sid = client.sid

    await client.disconnect()

    assert sio.left == [sid]  # type: ignore[attr-defined] # the test's own list
    assert not client.connected
    with pytest.raises(BadNamespaceError):
        await client.emit("move")


async def test_server_side_disconnect_is_seen(sio: AsyncServer, client: TestClient) -> None:
    """A client that was put out knows it."""
    await sio.disconnect(client.sid)

    await client.wait_disconnected()

    assert not client.connected


async def test_waiting_ends_with_the_connection(sio: AsyncServer, client: TestClient) -> None:
    """What cannot come any more is not waited for."""
    waiting = asyncio.create_task(client.receive("never", timeout=30))
    await client.call("join", "hall")

    await sio.disconnect(client.sid)

    with pytest.raises(DisconnectedError, match="the connection is over"):
        await waiting


async def test_leaving_one_namespace_keeps_the_others(sio: AsyncServer) -> None:
    """Namespaces are left one by one."""
    sio.on("connect", lambda _sid, _environ: None, namespace="/chat")
    async with TestClient(sio) as client:
        await client.connect()
        await client.connect("/chat")

        await client.disconnect("/chat")

        assert await client.call("join", "hall") == "hall"
        with pytest.raises(BadNamespaceError, match="/chat"):
            client.get_sid("/chat")


async def test_application_around_the_server() -> None:
    """A FastAPI application that has the server mounted is served as a whole; its server may be found in an ASGIApp."""
    sio = make_server()
    app = FastAPI()
    app.mount("/ws", ASGIApp(sio))

    async with TestClient(app, socketio_path="/ws/socket.io") as client, TestClient(ASGIApp(make_server())) as other:
        await client.connect()
        await other.connect()

        assert await client.call("join", "hall") == "hall"
        assert other.rooms() == set()
        with pytest.raises(SetupError, match="give the test client the server"):
            client.rooms()


async def test_msgpack() -> None:
    """The serializer is the server's."""
    async with TestClient(make_server(serializer="msgpack"), serializer="msgpack") as client:
        await client.connect()

        assert await client.call("move", {"x": 3}) == {"x": 3}


async def test_refused_handshake_is_an_error_with_its_reason() -> None:
    """A wrong path, or a foreign origin, fails in connect()."""
    sio = make_server(cors_allowed_origins=["http://good.example"])

    with pytest.raises(ConnectionRefusedError, match="400"):
        await TestClient(sio, headers={"Origin": "http://evil.example"}).connect()


def test_server_for_threads_needs_the_other_client() -> None:
    """The error says which."""
    with pytest.raises(SetupError, match="SyncTestClient"):
        TestClient(Server(async_mode="threading"))


async def test_captures_may_be_nested(sio: AsyncServer) -> None:
    """The outer one goes on after the inner one."""
    with capture_broadcasts(sio) as outer:
        with capture_broadcasts(sio) as inner:
            await sio.emit("both")
        await sio.emit("outer")
    await sio.emit("none")

    assert [each.event for each in outer] == ["both", "outer"]
    assert [each.event for each in inner] == ["both"]


async def test_capture_broadcasts_records_what_is_emitted_inside(sio: AsyncServer, client: TestClient) -> None:
    """Emits are recorded with their room, and still delivered; what is emitted later is not recorded."""
    with capture_broadcasts(sio) as captured:
        await client.call("join", "hall")
        await sio.emit("news", {"id": 1}, room="hall")
        await sio.emit("lost", room="nobody-here", namespace="/chat")
    await sio.emit("later")

    assert captured == [
        Broadcast("news", {"id": 1}, "hall", "/"),
        Broadcast("lost", None, "nobody-here", "/chat"),
    ]
    assert (await client.receive("news")).data == {"id": 1}

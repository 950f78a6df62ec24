"""Connections that a test client loses, and comes back to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from fastsio import ASGIApp, AsyncServer, Auth, Reason, Recovered, SocketID
from fastsio.exceptions import ConnectionRefusedError, DisconnectedError, SetupError, TimeoutError
from fastsio.testing import TestClient
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable

Log: TypeAlias = list[tuple[Any, ...]]


@pytest.fixture
def log() -> Log:
    """What the handlers of the server have seen."""
    return []


@pytest.fixture
def make(log: Log) -> Callable[..., AsyncServer]:
    """Return what makes a server with a room."""

    def make_server(**options: Any) -> AsyncServer:
        sio = AsyncServer(async_mode="asgi", **options)

        @sio.event
        async def connect(auth: Auth, recovered: Recovered) -> None:
            if auth == {"token": "stolen"}:
                raise ConnectionRefusedError("not you")
            log.append(("connect", auth, bool(recovered)))

        @sio.event
        async def disconnect(reason: Reason) -> None:
            log.append(("disconnect", reason))

        @sio.event
        async def join(sid: SocketID, room: str) -> str:
            await sio.enter_room(sid, room)
            return room

        @sio.event
        async def note(sid: str, text: str) -> str:
            log.append(("note", text))
            return text

        return sio

    return make_server


@pytest.fixture
def sio(make: Callable[..., AsyncServer]) -> AsyncServer:
    """A server that recovers connections."""
    return make(connection_state_recovery=True)


def notes(log: Log) -> list[str]:
    """Return the texts that the server has got."""
    return [entry[1] for entry in log if entry[0] == "note"]


# Losing a connection


@pytest.mark.parametrize("reason", ["transport close", "transport error", "ping timeout"])
async def test_a_drop_has_run_the_disconnect_handler_with_its_reason(sio: AsyncServer, log: Log, reason: str) -> None:
    """After drop() both ends know that the connection is over."""
    async with TestClient(sio) as client:
        await client.connect()

        await client.drop(reason)

        assert log[1:] == [("disconnect", reason)]
        assert not client.connected
        with pytest.raises(DisconnectedError):
            await client.drop()


async def test_a_drop_ends_what_waits(sio: AsyncServer) -> None:
    """A receive() under way ends with an error, like one that begins later."""
    async with TestClient(sio) as client:
        await client.connect()
        waiting = asyncio.create_task(client.receive("never", timeout=30))
        await client.call("join", "hall")

        await client.drop()

        with pytest.raises(DisconnectedError):
            await waiting
        with pytest.raises(DisconnectedError):
            await client.receive("never", timeout=30)


async def test_a_drop_for_another_reason_is_an_error(make: Callable[..., AsyncServer]) -> None:
    """The error names the reasons, and what ends a connection for the others."""
    async with TestClient(make()) as client:
        await client.connect()

        with pytest.raises(ValueError, match=r"'transport close', .*'ping timeout'; for the others .* disconnect\(\)"):
            await client.drop("client disconnect")

        assert client.connected


async def test_a_reason_needs_the_server(make: Callable[..., AsyncServer], log: Log) -> None:
    """An application that does not tell its server can lose its transport only."""
    app = ASGIApp(make())

    async def unknown(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    async with TestClient(unknown) as client, TestClient(app) as other:
        await client.connect()
        await other.connect()
        with pytest.raises(SetupError, match="give the test client the server"):
            await client.drop("ping timeout")

        await client.drop()
        await other.drop("ping timeout")

        assert log[2:] == [("disconnect", "transport close"), ("disconnect", "ping timeout")]


async def test_leaving_is_no_loss(sio: AsyncServer, log: Log) -> None:
    """A client that calls disconnect() says so: nothing is kept for it, and it cannot come back."""
    async with TestClient(sio) as client:
        await client.connect()
        sid = client.sid

        await client.disconnect()

        assert log[1:] == [("disconnect", "client disconnect")]
        with pytest.raises(DisconnectedError, match=r"call connect\(\)"):
            await client.reconnect()
        await client.connect()
        assert client.sid != sid
        assert not client.recovered


# Coming back


async def test_a_client_comes_back_to_its_session(sio: AsyncServer, log: Log) -> None:
    """It has its sid and rooms, and receives what it has missed, in order, once, like any other event."""
    async with TestClient(sio) as client:
        await client.connect(auth={"token": 1})
        sid = client.sid
        await client.call("join", "tea")
        await sio.emit("news", 1, room="tea")
        await client.receive("news")
        await client.drop()
        await sio.emit("news", 2, room="tea")
        await sio.emit("news", (3, "~3~"), room="tea")
        await sio.emit("other", to=sid)

        assert await client.reconnect() is client

        assert client.recovered
        assert client.recovered_namespaces == {"/"}
        assert (client.sid, client.rooms()) == (sid, {"tea"})
        assert [(await client.receive()).args for _ in range(3)] == [(2,), (3, "~3~"), ()]
        assert client.received == ()
        assert log == [
            ("connect", {"token": 1}, False),
            ("disconnect", "transport close"),
            ("connect", {"token": 1}, True),
        ]


async def test_events_that_were_not_taken_yet_stay(sio: AsyncServer) -> None:
    """What has arrived before the loss is neither lost nor sent again."""
    async with TestClient(sio) as client:
        await client.connect()
        await sio.emit("news", 1)
        await client.call("join", "tea")
        await client.drop()
        await sio.emit("news", 2)

        await client.reconnect()

        assert [each.data for each in client.received] == [1, 2]


async def test_a_client_may_come_back_as_a_new_one(sio: AsyncServer) -> None:
    """Without recovery it has another sid, and has missed what was sent."""
    async with TestClient(sio) as client:
        await client.connect()
        sid = client.sid
        await client.drop()
        await sio.emit("news", 1)

        await client.reconnect(recover=False)

        assert client.sid != sid
        assert not client.recovered
        assert await client.call("join", "tea") == "tea"
        assert client.received == ()


async def test_a_server_without_recovery_lets_a_new_client_in(make: Callable[..., AsyncServer]) -> None:
    """recovered is False then, and a text that looks like an offset is an argument."""
    sio = make()
    async with TestClient(sio) as client:
        await client.connect()
        await sio.emit("news", "~1~")
        assert (await client.receive("news")).data == "~1~"
        await client.drop()

        await client.reconnect(recover=True)

        assert client.connected
        assert not client.recovered


async def test_each_namespace_comes_back(sio: AsyncServer) -> None:
    """Each is recovered by itself; one that was left is not entered again."""
    for namespace in ("/chat", "/left"):
        sio.on("connect", lambda _sid, _environ: None, namespace=namespace)
    async with TestClient(sio) as client:
        await client.connect()
        await client.connect("/chat")
        await client.connect("/left")
        await client.disconnect("/left")
        sids = dict(client.sids)
        await client.drop()
        await sio.disconnect(sids["/"])
        await sio.emit("news", 1, namespace="/chat")

        await client.reconnect()

        assert client.sids.keys() == sids.keys() == {"/", "/chat"}
        assert client.recovered_namespaces == {"/chat"}
        assert not client.recovered
        assert (await client.receive("news")).namespace == "/chat"


async def test_a_connect_handler_can_refuse_a_client_that_comes_back(sio: AsyncServer) -> None:
    """Another auth shows what becomes of one who has stolen a pid."""
    async with TestClient(sio) as client:
        await client.connect(auth={"token": 1})
        await client.drop()

        with pytest.raises(ConnectionRefusedError):
            await client.reconnect(auth={"token": "stolen"})

        assert not client.connected


async def test_a_refused_namespace_does_not_keep_others_from_coming_back(sio: AsyncServer) -> None:
    """The refusal is raised once all namespaces were asked for."""
    sio.on("connect", lambda _sid, _environ: None, namespace="/chat")
    async with TestClient(sio) as client:
        await client.connect()
        await client.connect("/chat")
        await client.drop()

        with pytest.raises(ConnectionRefusedError):
            await client.reconnect(auth={"token": "stolen"})

        assert client.sids.keys() == client.recovered_namespaces == {"/chat"}


async def test_a_server_that_stops_can_be_come_back_to_later(sio: AsyncServer) -> None:
    """The client remembers its namespaces while the server takes no handshakes."""
    async with TestClient(sio) as client:
        await client.connect()
        await sio.shutdown()
        await client.wait_disconnected()

        for _ in range(2):
            with pytest.raises(ConnectionRefusedError, match="503"):
                await client.reconnect()


async def test_a_client_that_changes_its_network_ends_its_old_connection(sio: AsyncServer, log: Log) -> None:
    """Without a drop the server does not know of the loss; the session is recovered all the same."""
    async with TestClient(sio) as client:
        await client.connect()
        sid = client.sid

        await client.reconnect()

        assert client.recovered
        assert client.sid == sid
        assert [entry[0] for entry in log] == ["connect", "disconnect", "connect"]


async def test_an_old_connection_stands_beside_a_new_client(sio: AsyncServer, log: Log) -> None:
    """It is there for the server until its heartbeat fails, at the latest until the test client has left."""
    async with TestClient(sio) as client:
        await client.connect()

        await client.reconnect(recover=False)

        assert log == [("connect", None, False), ("connect", None, False)]
    assert sorted(log[2:]) == [("disconnect", "client disconnect"), ("disconnect", "transport close")]


async def test_a_client_that_was_put_out_does_not_come_back(sio: AsyncServer) -> None:
    """As with other clients, nothing is left to come back to."""
    async with TestClient(sio) as client:
        await client.connect()
        await sio.disconnect(client.sid)
        await client.wait_disconnected()

        with pytest.raises(DisconnectedError):
            await client.reconnect()


# Clients that hang


@pytest.mark.virtual_time
async def test_a_frozen_client_receives_later(sio: AsyncServer) -> None:
    """What the server sends waits; the client may still send."""
    async with TestClient(sio) as client:
        await client.connect()
        with client.freeze():
            await sio.emit("news", 1)
            await sio.emit("news", 2)
            with pytest.raises(TimeoutError, match="no acknowledgement"):
                await client.call("join", "tea", timeout=0.01)

            assert client.rooms() == {"tea"}
            assert client.received == ()

        assert [(await client.receive("news")).data for _ in range(2)] == [1, 2]


async def test_what_a_frozen_client_has_not_read_is_lost_with_its_connection(sio: AsyncServer) -> None:
    """The server sends it again to a client that comes back, each event once."""
    async with TestClient(sio) as client:
        await client.connect()
        await sio.emit("news", 1)
        await client.receive("news")
        client.freeze()
        await sio.emit("news", 2)
        await client.drop("ping timeout")
        await sio.emit("news", 3)

        await client.reconnect()

        assert [each.data for each in client.received] == [2, 3]


async def test_a_frozen_client_that_left_has_not_read(make: Callable[..., AsyncServer]) -> None:
    """Without recovery the events are gone."""
    sio = make()
    async with TestClient(sio) as client:
        await client.connect()
        client.freeze()
        await sio.emit("news", 1)
        await client.drop()

        await client.reconnect()

        await client.call("join", "tea")
        assert client.received == ()


@pytest.mark.virtual_time
async def test_a_frozen_client_answers_no_ping(make: Callable[..., AsyncServer], log: Log) -> None:
    """The heartbeat of the server ends its session; the client learns of it when it reads again."""
    sio = make(ping_interval=0.1, ping_timeout=0.1)
    gone = asyncio.Event()
    sio.on("disconnect", lambda _sid, reason: (log.append(("disconnect", reason)), gone.set()))
    async with TestClient(sio) as client:
        await client.connect()
        with client.freeze():
            await asyncio.wait_for(gone.wait(), WAIT_S)
            assert log[1:] == [("disconnect", "ping timeout")]
            assert client.connected

        await client.wait_disconnected()

        await client.reconnect()
        assert client.connected


async def test_the_buffer_of_a_frozen_client_is_limited(make: Callable[..., AsyncServer], log: Log) -> None:
    """slow_client decides what happens to a client that reads nothing."""
    sio = make(max_buffer_packets=4)
    gone = asyncio.Event()
    sio.on("disconnect", lambda _sid, reason: (log.append(("disconnect", reason)), gone.set()))
    async with TestClient(sio) as client:
        await client.connect()
        client.freeze()

        for number in range(8):
            await sio.emit("news", number, wait=False)
        await asyncio.wait_for(gone.wait(), WAIT_S)

        assert log[1:] == [("disconnect", "transport error")]


# Frames that are late, or come twice


async def test_held_frames_go_out_in_order(sio: AsyncServer, log: Log) -> None:
    """Nothing of them reaches the server before they are released."""
    async with TestClient(sio) as client, TestClient(sio) as other:
        await client.connect()
        await other.connect()
        with client.hold():
            await client.emit("note", "a")
            await client.emit("note", "b")
            await other.call("note", "first")
            assert notes(log) == ["first"]

        await client.call("note", "c")

        assert notes(log) == ["first", "a", "b", "c"]


async def test_held_frames_are_lost_with_their_connection(sio: AsyncServer, log: Log) -> None:
    """They do not come out of a later connection."""
    async with TestClient(sio) as client:
        await client.connect()
        client.hold()
        await client.emit("note", "lost")
        await client.drop()
        await client.reconnect()

        await client.call("note", "kept")

        assert notes(log) == ["kept"]


async def test_delayed_frames_take_their_time_and_keep_their_order(sio: AsyncServer, log: Log) -> None:
    """A call waits for both ways; several frames are under way at once."""
    loop = asyncio.get_running_loop()
    async with TestClient(sio) as client:
        await client.connect()
        client.delay(0.03)
        begin = loop.time()

        for text in "abc":
            await client.emit("note", text)
        await client.call("note", "d")

        assert loop.time() - begin >= 0.055
        assert notes(log) == ["a", "b", "c", "d"]
        client.delay(0)
        with pytest.raises(ValueError, match="before they are sent"):
            client.delay(-1)


async def test_delayed_frames_are_lost_with_their_connection(sio: AsyncServer, log: Log) -> None:
    """Neither end gets what is under way."""
    async with TestClient(sio) as client:
        await client.connect()
        client.delay(30)
        await client.emit("note", "lost")
        await sio.emit("news", 1)

        await client.drop()

        client.delay(0)
        await client.reconnect()
        assert [each.data for each in client.received] == [1]
        assert notes(log) == []


async def test_an_event_may_be_sent_twice(sio: AsyncServer, log: Log) -> None:
    """The next one only."""
    async with TestClient(sio) as client:
        await client.connect()

        client.repeat()
        assert await client.call("note", "twice") == "twice"
        client.repeat(2)
        await client.emit("note", "thrice")
        await client.call("note", "once")

        assert notes(log) == ["twice"] * 2 + ["thrice"] * 3 + ["once"]
        with pytest.raises(ValueError, match="fewer times than once"):
            client.repeat(-1)


async def test_a_client_that_is_not_connected_cannot_freeze(sio: AsyncServer) -> None:
    """There is nothing to read; thaw() and release() may be called all the same."""
    client = TestClient(sio)
    client.thaw()
    client.release()

    with pytest.raises(DisconnectedError):
        client.freeze()

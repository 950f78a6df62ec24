"""Connections that a test client of a server for threads loses, and comes back to."""

from __future__ import annotations

from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from fastsio import Auth, Reason, Recovered, Server, SocketID, WSGIApp
from fastsio.exceptions import ConnectionRefusedError, DisconnectedError, SetupError, TimeoutError
from fastsio.testing import SyncTestClient
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable

Log: TypeAlias = list[tuple[Any, ...]]


@pytest.fixture
def log() -> Log:
    """What the handlers of the server have seen."""
    return []


@pytest.fixture
def gone() -> Event:
    """Set when a disconnect handler has run."""
    return Event()


@pytest.fixture
def make(log: Log, gone: Event) -> Callable[..., Server]:
    """Return what makes a server with a room."""

    def make_server(**options: Any) -> Server:
        sio = Server(async_mode="threading", **options)

        @sio.event
        def connect(auth: Auth, recovered: Recovered) -> None:
            if auth == {"token": "stolen"}:
                raise ConnectionRefusedError("not you")
            log.append(("connect", auth, bool(recovered)))

        @sio.event
        def disconnect(reason: Reason) -> None:
            log.append(("disconnect", reason))
            gone.set()

        @sio.event
        def join(sid: SocketID, room: str) -> str:
            sio.enter_room(sid, room)
            return room

        @sio.event
        def note(sid: str, text: str) -> str:
            log.append(("note", text))
            return text

        return sio

    return make_server


@pytest.fixture
def sio(make: Callable[..., Server]) -> Server:
    """A server that recovers connections."""
    return make(connection_state_recovery=True, async_handlers=False)


def notes(log: Log) -> list[str]:
    """Return the texts that the server has got."""
    return [entry[1] for entry in log if entry[0] == "note"]


@pytest.mark.parametrize("reason", ["transport close", "transport error", "ping timeout"])
def test_a_drop_has_run_the_disconnect_handler_with_its_reason(sio: Server, log: Log, reason: str) -> None:
    """After drop() both ends know that the connection is over."""
    with SyncTestClient(WSGIApp(sio)) as client:
        client.connect()

        client.drop(reason)

        assert log[1:] == [("disconnect", reason)]
        assert not client.connected
        with pytest.raises(DisconnectedError):
            client.drop()
        with pytest.raises(DisconnectedError):
            client.receive("never", timeout=30)


def test_a_drop_needs_the_server_and_a_reason(make: Callable[..., Server]) -> None:
    """Polls of a lost client just do not come: only the server can end its session at once."""
    app = WSGIApp(make())

    def unknown(environ: Any, start_response: Any) -> Any:
        return app(environ, start_response)

    with SyncTestClient(unknown) as client:
        client.connect()

        with pytest.raises(SetupError, match="give the test client the server"):
            client.drop()
        with pytest.raises(ValueError, match="for the others there are"):
            client.drop("client disconnect")

        assert client.connected


def test_leaving_is_no_loss(sio: Server, log: Log) -> None:
    """A client that calls disconnect() cannot come back."""
    with SyncTestClient(sio) as client:
        client.connect()

        client.disconnect()

        assert log[1:] == [("disconnect", "client disconnect")]
        with pytest.raises(DisconnectedError, match=r"call connect\(\)"):
            client.reconnect()


def test_a_client_comes_back_to_its_session(sio: Server, log: Log) -> None:
    """It has its sid and rooms, and receives what it has missed, in order, once, like any other event."""
    with SyncTestClient(sio) as client:
        client.connect(auth={"token": 1})
        sid = client.sid
        client.call("join", "tea")
        sio.emit("news", 1, room="tea")
        client.receive("news")
        client.drop()
        sio.emit("news", 2, room="tea")
        sio.emit("other", to=sid)

        assert client.reconnect() is client

        assert client.recovered
        assert client.recovered_namespaces == {"/"}
        assert (client.sid, client.rooms()) == (sid, {"tea"})
        assert [client.receive().args for _ in range(2)] == [(2,), ()]
        assert client.received == ()
        assert log[-1] == ("connect", {"token": 1}, True)


def test_a_client_may_come_back_as_a_new_one(sio: Server) -> None:
    """Without recovery it has another sid, and has missed what was sent."""
    with SyncTestClient(sio) as client:
        client.connect()
        sid = client.sid
        client.drop()
        sio.emit("news", 1)

        client.reconnect(recover=False)

        assert client.sid != sid
        assert not client.recovered
        client.call("join", "tea")
        assert client.received == ()


def test_a_server_without_recovery_lets_a_new_client_in(make: Callable[..., Server]) -> None:
    """recovered is False then."""
    with SyncTestClient(make()) as client:
        client.connect()
        client.drop()

        client.reconnect()

        assert client.connected
        assert not client.recovered


def test_a_connect_handler_can_refuse_a_client_that_comes_back(sio: Server) -> None:
    """Another auth shows what becomes of one who has stolen a pid."""
    with SyncTestClient(sio) as client:
        client.connect(auth={"token": 1})
        client.drop()

        with pytest.raises(ConnectionRefusedError):
            client.reconnect(auth={"token": "stolen"})


def test_a_client_that_changes_its_network(sio: Server, log: Log) -> None:
    """A client that is recovered ends its old connection; a new client leaves it to its heartbeat."""
    with SyncTestClient(sio) as client:
        client.connect()
        sid = client.sid

        client.reconnect()
        assert (client.recovered, client.sid) == (True, sid)
        assert [entry[0] for entry in log] == ["connect", "disconnect", "connect"]

        client.reconnect(recover=False)
        assert [entry[0] for entry in log[3:]] == ["connect"]
    assert [entry[0] for entry in log[4:]] == ["disconnect"] * 2


def test_a_frozen_client_receives_later(sio: Server) -> None:
    """What the server sends waits; the client may still send."""
    with SyncTestClient(sio) as client:
        client.connect()
        with client.freeze():
            sio.emit("news", 1)
            sio.emit("news", 2)
            with pytest.raises(TimeoutError, match="no acknowledgement"):
                client.call("join", "tea", timeout=0.01)
            assert client.rooms() == {"tea"}
            assert client.received == ()

        assert [client.receive("news").data for _ in range(2)] == [1, 2]


def test_what_a_frozen_client_has_not_read_is_lost_with_its_connection(sio: Server) -> None:
    """The server sends it again to a client that comes back, each event once."""
    with SyncTestClient(sio) as client:
        client.connect()
        client.freeze()
        sio.emit("news", 1)
        client.drop("ping timeout")
        sio.emit("news", 2)

        client.reconnect()

        assert [each.data for each in client.received] == [1, 2]


def test_a_frozen_client_answers_no_ping(make: Callable[..., Server], log: Log, gone: Event) -> None:
    """The heartbeat of the server ends its session; the client learns of it when it reads again."""
    with SyncTestClient(make(ping_interval=0.2, ping_timeout=0.8)) as client:
        client.connect()
        with client.freeze():
            assert gone.wait(WAIT_S)
            assert log[1:] == [("disconnect", "ping timeout")]
            assert client.connected

        client.wait_disconnected()


def test_the_buffer_of_a_frozen_client_is_limited(make: Callable[..., Server], log: Log, gone: Event) -> None:
    """slow_client decides what happens to a client that reads nothing."""
    sio = make(max_buffer_packets=4)
    with SyncTestClient(sio) as client:
        client.connect()
        client.freeze()

        while not gone.wait(0):
            sio.emit("news", wait=False)

        assert log[1:] == [("disconnect", "transport error")]


def test_held_frames_go_out_in_order(sio: Server, log: Log) -> None:
    """Nothing of them reaches the server before they are released; with a connection they are lost."""
    with SyncTestClient(sio) as client:
        client.connect()
        with client.hold():
            client.emit("note", "a")
            client.emit("note", "b")
            assert notes(log) == []
        client.call("note", "c")
        client.hold()
        client.emit("note", "lost")
        client.drop()
        client.reconnect()
        client.call("note", "d")

        assert notes(log) == ["a", "b", "c", "d"]


def test_delayed_frames_take_their_time(sio: Server, log: Log) -> None:
    """A call waits for both ways; an emit for its own."""
    with SyncTestClient(sio) as client:
        client.connect()
        client.delay(0.03)
        begin = monotonic()

        client.call("note", "a")

        assert monotonic() - begin >= 0.055
        client.delay(0)


def test_an_event_may_be_sent_twice(sio: Server, log: Log) -> None:
    """The next one only."""
    with SyncTestClient(sio) as client:
        client.connect()

        client.repeat()
        assert client.call("note", "twice") == "twice"
        client.call("note", "once")

        assert notes(log) == ["twice"] * 2 + ["once"]


def test_a_client_that_is_not_connected_cannot_freeze(sio: Server) -> None:
    """There is nothing to read; thaw() and release() may be called all the same."""
    client = SyncTestClient(sio)
    client.thaw()
    client.release()

    with pytest.raises(DisconnectedError):
        client.freeze()

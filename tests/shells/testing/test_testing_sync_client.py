"""The in-process client of servers for threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from logging import getLogger
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from fastsio import AsyncServer, Auth, Environ, Server, SocketID, WSGIApp
from fastsio.exceptions import BadNamespaceError, ConnectionRefusedError, SetupError, TimeoutError
from fastsio.testing import Broadcast, Received, SyncTestClient, capture_broadcasts
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator


class Point(BaseModel):
    """A payload."""

    x: int


@pytest.fixture
def sio() -> Server:
    """A server with an event of each kind."""
    sio = Server(async_mode="threading")

    @sio.event
    def connect(sid: SocketID, environ: Environ, auth: Auth) -> None:
        if auth == "mallory":
            raise ConnectionRefusedError("not you", {"code": 7})
        sio.emit("hello", environ.get("HTTP_X_NAME", "nobody"), to=sid)

    @sio.event
    def move(sid: SocketID, point: Point) -> Point:
        return point

    @sio.event
    def join(sid: str, room: str) -> str:
        sio.enter_room(sid, room)
        return room

    @sio.event
    def shout(sid: str, *data: Any) -> None:
        sio.emit("shouted", data, room="hall", skip_sid=sid)

    return sio


@pytest.fixture
def client(sio: Server) -> Iterator[SyncTestClient]:
    """A client that is connected and has been greeted."""
    with SyncTestClient(sio) as connected:
        connected.connect()
        connected.receive("hello")
        yield connected


def test_connecting_runs_the_handler_with_headers(sio: Server) -> None:
    """The environ has what the test client was given."""
    with SyncTestClient(WSGIApp(sio), headers={"X-Name": "ada"}) as client:
        client.connect()

        assert client.receive("hello") == Received("hello", ("ada",))


def test_refusal_carries_what_the_server_said(sio: Server) -> None:
    """The message and the data of a refusal are in the error."""
    with pytest.raises(ConnectionRefusedError) as refused:
        SyncTestClient(sio).connect(auth="mallory")

    assert refused.value.error_args == {"message": "not you", "data": {"code": 7}}


@pytest.mark.parametrize("auth", [["t"], 7, b"t", True])
def test_auth_of_a_kind_that_no_server_takes_says_what_to_write(sio: Server, auth: Any) -> None:
    """As in asyncio."""
    with SyncTestClient(sio) as client:
        with pytest.raises(
            TypeError, match=r"may send a dict, a text or None; a server closes.*Write auth=\{'token': \.\.\.\}"
        ) as error:
            client.connect(auth=auth)
        assert f"auth={auth!r} is of type {type(auth).__name__}" in str(error.value)

        client.connect(auth="t")
        with pytest.raises(TypeError, match="may send a dict, a text or None"):
            client.reconnect(auth=auth)
        assert client.connected


def test_call_returns_the_acknowledgement(client: SyncTestClient) -> None:
    """Validation and the dumping of models happen as for any client."""
    assert client.call("move", {"x": 1}) == {"x": 1}
    assert client.call("move", {"x": "far"})["error"]["type"] == "validation_error"


def test_rooms_and_broadcasts(sio: Server, client: SyncTestClient) -> None:
    """Members get a broadcast, attachments included; the skipped sender does not."""
    with SyncTestClient(sio) as other:
        other.connect()
        client.call("join", "hall")
        other.call("join", "hall")

        other.emit("shout", ("a", b"\x00"))

        assert client.receive("shouted").args == ("a", b"\x00")
        assert client.rooms() == {"hall"}
        assert other.receive_nothing("shouted", within=0)


def test_missing_event_names_what_has_come(sio: Server, client: SyncTestClient) -> None:
    """The error of a test that waits in vain helps to see why."""
    sio.emit("other", to=client.sid)
    client.call("join", "hall")

    with pytest.raises(TimeoutError, match=r"no event 'wanted' in time; waiting to be taken: 'other'"):
        client.receive("wanted", timeout=0.05)


def test_missing_handler_is_named(client: SyncTestClient) -> None:
    """The error of a call that waits in vain says that nobody handles its event."""
    with pytest.raises(TimeoutError, match=r"no acknowledgement of 'nonsense' \(it has no handler in '/'\) in time"):
        client.call("nonsense", timeout=0.05)


def test_server_can_wait_for_the_client(sio: Server, client: SyncTestClient) -> None:
    """The acknowledgement of a test client reaches the server's call()."""
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(sio.call, "ask", 1, to=client.sid)

        client.acknowledge(client.receive("ask"), "yes", 2)

        assert asking.result(WAIT_S) == ("yes", 2)


def test_disconnecting_and_being_disconnected(sio: Server, client: SyncTestClient) -> None:
    """Both ends are seen."""
    with SyncTestClient(sio) as other:
        other.connect()

        sio.disconnect(other.sid)
        other.wait_disconnected()
        client.disconnect()

    with pytest.raises(BadNamespaceError):
        client.emit("move")


def test_leaving_one_namespace_keeps_the_others(sio: Server, client: SyncTestClient) -> None:
    """Namespaces are left one by one."""
    sio.on("connect", lambda _sid, _environ: None, namespace="/chat")
    client.connect("/chat")

    client.disconnect("/chat")

    assert client.call("join", "hall") == "hall"
    with pytest.raises(BadNamespaceError, match="/chat"):
        client.get_sid("/chat")


def test_asyncio_server_needs_the_other_client() -> None:
    """The error says which."""
    with pytest.raises(SetupError, match="use TestClient"):
        SyncTestClient(AsyncServer(async_mode="asgi"))


def test_capture_broadcasts_records_what_is_emitted_inside(sio: Server, client: SyncTestClient) -> None:
    """Emits are recorded, and still delivered."""
    with capture_broadcasts(sio) as captured:
        sio.emit("news", {"id": 1}, to=client.sid)

    assert captured == [Broadcast("news", {"id": 1}, client.sid, "/")]
    assert client.receive("news").data == {"id": 1}


def test_leaving_is_nothing_to_complain_about(sio: Server, caplog: pytest.LogCaptureFixture) -> None:
    """The log of the server has no error for a client that leaves as it should."""
    left = Event()
    sio.on("disconnect", lambda _sid, _reason: left.set())
    for _ in range(3):
        with SyncTestClient(sio) as client:
            client.connect()
        assert left.is_set()
        left.clear()

    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_server_for_threads_logs_events_and_packets(caplog: pytest.LogCaptureFixture) -> None:
    """With the loggers that it is given; credentials and session ids are left out."""
    caplog.set_level("INFO", "tests.events")
    caplog.set_level("INFO", "tests.packets")
    sio = Server(async_mode="threading", logger=getLogger("tests.events"), engineio_logger=getLogger("tests.packets"))

    @sio.event
    def hello(sid: str, number: int) -> str:
        sio.emit("news", number, to=sid)
        return "hi"

    with SyncTestClient(sio) as client:
        client.connect(auth={"token": "secret"})
        assert client.call("hello", 1) == "hi"
        client.emit("nobody")
        client.emit("nobody")
        assert client.call("hello", 2) == "hi"

    events = [record.getMessage() for record in caplog.records if record.name == "tests.events"]
    packets = [record.getMessage() for record in caplog.records if record.name == "tests.packets"]
    assert sum(line.startswith('received event "hello" from ') for line in events) == 2
    assert sum(line.startswith('emitting event "news" to ') for line in events) == 2
    assert [line for line in events if "no handler" in line] == ['no handler for event "nobody" [/]; this is said once']
    assert any(line.endswith('Received packet MESSAGE data 21["hello",1]') for line in packets)
    assert any(line.endswith('Sending packet MESSAGE data 2["news",1]') for line in packets)
    assert "secret" not in caplog.text

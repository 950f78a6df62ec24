"""Methods of python-socketio that an application overrides in a class, on the server for threads."""

from __future__ import annotations

import threading

import pytest

from fastsio import Depends, SocketID
from fastsio.exceptions import ConnectionRefusedError as Refused
from fastsio.exceptions import SignatureError
from fastsio.sync.namespace import Namespace
from fastsio.sync.server import Server
from tests.shells.sync.fake_engine import Wire
from tests.support.waiting import WAIT_S


class Audited(Server):
    """Keeps what happens, and refuses clients without auth."""

    def __init__(self, **options):
        super().__init__(async_mode="threading", **options)
        self.calls = []
        self.gone = threading.Event()

    def _trigger_event(self, event, namespace, *args):
        self.calls.append((event, namespace, *args))
        if event == "connect" and args[2] is None:
            raise Refused("Who are you?")
        try:
            return super()._trigger_event(event, namespace, *args)
        finally:
            if event == "disconnect":
                self.gone.set()


@pytest.mark.parametrize("async_handlers", [True, False])
def test_trigger_event_of_a_class_sees_everything_that_happens(async_handlers):
    """It decides about clients and events, and what it inherits injects and answers."""
    sio = Audited(async_handlers=async_handlers)
    wire = sio.eio = Wire(sio)
    order = []

    def database():
        order.append("open")
        yield "db"
        order.append("closed")

    @sio.event
    def ask(sid: SocketID, number: int, db: str = Depends(database)):
        return sid, number, db

    stranger = wire.open()
    stranger.send("0")
    assert stranger.receive() == '4{"message":"Who are you?"}'
    client = wire.join(auth={"token": 1})
    environ = sio.environ[client.eio_sid]
    assert client.ask("ask", 5) == [client.sid, 5, "db"]
    wire.close_client(client.eio_sid, "transport close")
    assert sio.gone.wait(WAIT_S)

    assert sio.calls[1:] == [
        ("connect", "/", client.sid, environ, {"token": 1}),
        ("ask", "/", client.sid, 5),
        ("disconnect", "/", client.sid, "transport close"),
    ]
    assert order == ["open", "closed"]


def test_trigger_event_can_be_called_by_anybody():
    """Tests and handlers of applications call it without a client."""
    sio = Server(async_mode="threading")
    sio.on("add", lambda sid, a, b: (sid, a + b))

    assert sio._trigger_event("add", "/", "some-sid", 1, 2) == ("some-sid", 3)
    assert sio._trigger_event("unheard", "/", "some-sid") is sio.not_handled


def test_the_methods_for_packets_and_events_are_called():
    """What they keep back does not happen."""

    class Application(Server):
        def _handle_event(self, eio_sid, namespace, ack_id, data):
            if data[0] != "kept back":
                super()._handle_event(eio_sid, namespace, ack_id, data)

        def _handle_event_internal(self, server, sid, eio_sid, data, namespace, ack_id):
            handled.append(data[0])
            super()._handle_event_internal(server, sid, eio_sid, data, namespace, ack_id)

    handled = []
    sio = Application(async_mode="threading")
    wire = sio.eio = Wire(sio)
    sio.on("ask", lambda sid: "yes")
    client = wire.join()
    client.send('2["kept back"]')

    assert client.ask("ask") == ["yes"]
    assert handled == ["ask"]


def test_a_namespace_with_a_dispatcher_of_its_own_gets_everything():
    """As python-socketio's applications write it."""
    seen = []

    class Chat(Namespace):
        def trigger_event(self, event, *args):
            seen.append(event)
            return super().trigger_event(event, *args)

        def on_ask(self, sid):
            return "yes"

    sio = Server(async_mode="threading")
    wire = sio.eio = Wire(sio)
    sio.register_namespace(Chat("/"))
    client = wire.join()

    assert client.ask("ask") == ["yes"]
    assert seen == ["connect", "ask"]


def test_a_dispatcher_that_nobody_would_await_is_refused():
    """When the namespace is registered, not with each client."""

    class Chat(Namespace):
        async def trigger_event(self, event, *args): ...

    with pytest.raises(SignatureError, match="trigger_event: is a coroutine function; a sync server calls plain"):
        Server(async_mode="threading").register_namespace(Chat("/"))

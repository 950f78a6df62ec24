"""Methods of python-socketio that an application overrides in the class of a client, or replaces on one."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import fastsio
from fastsio import Data, Depends
from tests.shells.aio.fake_engine import settled
from tests.support.waiting import WAIT_S


class Outbox:
    """Keeps what a client sends in place of its Engine.IO."""

    def __init__(self, client: Any) -> None:
        self.frames: list[Any] = []
        client.eio.post = self.post

    def post(self, packets):
        self.frames += [packet.data for packet in packets]


class Audited(fastsio.AsyncClient):
    """Keeps what happens, and doubles what is sent."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = []

    async def _trigger_event(self, event, namespace, *args):
        self.calls.append((event, namespace, *args))
        return await super()._trigger_event(event, namespace, *(2 * arg for arg in args))


@pytest.mark.parametrize("async_handlers", [True, False])
async def test_trigger_event_of_a_class_sees_every_event(async_handlers):
    """Handled or not; the answer of the handler is the acknowledgement, and dependencies are closed after it."""
    client = Audited(async_handlers=async_handlers)
    outbox = Outbox(client)
    order = []

    async def database():
        yield order.append("open")
        order.append("closed")

    @client.event
    async def typed(number: Data, db: None = Depends(database)):
        return number

    client.on("plain", lambda number: number + 1)
    for event, ack_id in (("typed", 1), ("plain", 2), ("unheard", 3), ("unheard", None)):
        await client._handle_event("/", ack_id, [event, 21])
    await settled(lambda: len(outbox.frames) == 3 and len(client.calls) == 4 and "closed" in order)

    assert sorted(outbox.frames) == ["31[42]", "32[43]", "33[]"]
    assert sorted(call[0] for call in client.calls) == ["plain", "typed", "unheard", "unheard"]


async def test_trigger_event_of_an_object_is_called_too():
    """Until it is taken away again."""
    client = fastsio.AsyncClient()
    own, seen, heard = client._trigger_event, [], []

    async def replaced(event, namespace, *args):
        seen.append(event)
        return await own(event, namespace, *args)

    client.on("news", heard.append)
    client._trigger_event = replaced
    await client._handle_event("/", None, ["news", 1])
    await settled(lambda: heard == [1])
    del client._trigger_event
    await client._handle_event("/", None, ["news", 2])
    await settled(lambda: heard == [1, 2])

    assert seen == ["news"]


async def test_the_failure_of_a_handler_goes_through_the_dispatcher(caplog):
    """It is logged, and told to a server that asked an injected handler."""
    client = Audited(logger=True)
    outbox = Outbox(client)

    @client.event
    async def typed(number: int, data: Data): ...

    @client.event
    def plain(number):
        raise RuntimeError("of the application")

    await client._handle_event("/", 1, ["typed", "x"])
    await client._handle_event("/", 2, ["plain", 1])
    await settled(lambda: outbox.frames and "of the application" in caplog.text)

    assert len(outbox.frames) == 1
    assert '"type":"validation_error"' in outbox.frames[0]


async def test_trigger_event_can_be_called_by_anybody(caplog):
    """An event's failure is the caller's; that of something that happened to the client is logged."""
    client = fastsio.AsyncClient(logger=True)

    @client.event
    async def data(value):
        return value + 1

    @client.event
    async def connect():
        raise RuntimeError("of the application")

    assert await client._trigger_event("data", "/", 1) == 2
    assert await client._trigger_event("data", namespace="/missing") is None
    with pytest.raises(TypeError):
        await client._trigger_event("data", None, "text")
    assert await client._trigger_event("connect", "/") is None
    assert "of the application" in caplog.text


async def test_what_a_class_sends_with_is_called():
    """Acknowledgements go through it."""
    sent = []

    class Client(fastsio.AsyncClient):
        async def _send_packet(self, pkt):
            sent.append(pkt.encode())

    client = Client()
    client.on("ask", lambda: "yes")
    await client._handle_event("/", 7, ["ask"])
    await settled(lambda: sent)

    assert sent == ['37["yes"]']


def test_a_client_for_threads_calls_them_too():
    """Each event in a thread of its own."""
    heard = threading.Event()

    class Client(fastsio.Client):
        def _trigger_event(self, event, namespace, *args):
            seen.append((event, namespace, *args))
            return super()._trigger_event(event, namespace, *args)

    seen: list[Any] = []
    client = Client()
    client.on("news", lambda number: heard.set())
    client._handle_event("/", None, ["news", 1])

    assert heard.wait(WAIT_S)
    assert seen == [("news", "/", 1)]


async def test_frames_and_events_of_the_server_pass_through_a_class():
    """Each frame, and each event in it; what the class passes on is handled."""
    seen: list[Any] = []

    class Client(fastsio.AsyncClient):
        async def _handle_eio_message(self, data):
            seen.append(data)
            await super()._handle_eio_message(data)

        async def _handle_event(self, namespace, id, data):  # noqa: A002 - python-socketio's signature
            seen.append((namespace, id, data))
            await super()._handle_event(namespace, id, data)

    client = Client()
    heard: list[int] = []
    client.on("news", heard.append)
    for frame in ('2["news",1]', '2/a,["news",2]'):
        await client.eio.handlers["message"](frame)
    await settled(lambda: heard == [1])

    assert seen == ['2["news",1]', ("/", None, ["news", 1]), '2/a,["news",2]', ("/a", None, ["news", 2])]

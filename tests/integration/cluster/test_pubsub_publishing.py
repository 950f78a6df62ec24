"""A bus that does not take what is published; what is logged then, and the settings of managers."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

import fastsio
from fastsio.exceptions import BusError
from tests.integration.memory_bus import GOOD, Breakdown, MemoryManager, make_node
from tests.shells.aio.fake_engine import FakeClient, settled, turns
from tests.support.waiting import WAIT_S

pytestmark = pytest.mark.usefixtures("quick_bus")


async def test_a_broken_connection_is_tried_once_more(node, bus):
    """A broker that dropped an idle connection loses no message."""
    await node.join()
    bus.failures = [Breakdown("idle")]

    await node.server.emit("e", 1)

    assert bus.methods() == ["emit"]


async def test_a_message_that_cannot_be_published_is_the_callers_error(node, bus):
    """C-41: its own clients are served all the same, once."""
    client = await node.join()
    bus.failures = [Breakdown("down"), Breakdown("still down")]

    with pytest.raises(BusError, match="memory: cannot publish to 'socketio': Breakdown: still down") as caught:
        await node.server.emit("e", 1)

    assert isinstance(caught.value.__cause__, Breakdown)
    assert isinstance(caught.value, fastsio.exceptions.SocketIOError)
    assert await client.receive() == '2["e",1]'
    await turns()
    assert client.frames == []


async def test_replies_need_no_bus(node, bus):
    """A handler that answers its client does not notice that the bus is down."""
    client = await node.join()
    bus.failures = [Breakdown("down")] * 10

    await node.server.emit("e", 1, to=client.sid)
    await node.server.enter_room(client.sid, "r")
    await node.server.disconnect(client.sid)

    assert [await client.receive(), await client.receive()] == ['2["e",1]', "1"]
    assert len(bus.failures) == 10


async def test_what_others_should_do_and_are_not_told_is_an_error(node, bus):
    """Rooms and clients of other servers."""
    client = await node.join()
    await node.server.enter_room(client.sid, "r")
    bus.failures = [Breakdown("down")] * 10

    for call in (
        node.server.enter_room("s9", "r"),
        node.server.leave_room("s9", "r"),
        node.server.close_room("r"),
        node.server.disconnect("s9"),
        node.server.emit("e", to="s9"),
    ):
        with pytest.raises(BusError):
            await call

    assert node.server.rooms(client.sid) == [client.sid]


async def test_nothing_is_kept_of_a_question_that_could_not_be_asked(node, bus):
    """Nor of one whose asking was cancelled."""
    await node.join()
    bus.failures = [Breakdown("down")] * 2
    with pytest.raises(BusError):
        await node.server.call("ask", to="s9")

    bus.is_hanging = True
    call = asyncio.create_task(node.server.call("ask", to="s9"))
    await settled(lambda: node.manager._remote_callbacks.pending("") == 1)
    call.cancel()
    await asyncio.wait([call])

    assert node.manager._remote_callbacks.pending("") == 0


async def test_a_bus_that_hangs_is_waited_for_within_bounds(bus):
    """It is not asked twice: the message may still arrive."""
    node = make_node(bus, "a")
    node.manager.publish_timeout = 0.05
    client = await node.join()
    bus.is_hanging = True

    async with asyncio.timeout(WAIT_S):
        with pytest.raises(BusError, match="took too long"):
            await node.server.emit("e", 1)

    assert await client.receive() == '2["e",1]'
    await node.server.shutdown()


async def test_an_answer_that_cannot_be_published_is_logged(node, bus, caplog):
    """The client that gave it is not to blame."""
    client = await node.join()
    await settled(lambda: bus.listeners == 1)
    message = json.loads(GOOD) | {"room": client.sid, "callback": [client.sid, "/", 7]}
    bus.inject(json.dumps(message))
    assert await client.receive() == '21["good",1]'
    bus.failures = [Breakdown("down")] * 2

    await client.send("31[]")

    await settled(lambda: "cannot publish" in caplog.text)
    await client.send('2["still here"]')


async def test_an_answer_nobody_waits_for_is_ignored(node, bus):
    """Neither one too late nor one to a question of a program that has no name."""
    client = await node.join()
    await settled(lambda: bus.listeners == 1)
    late = {"method": "callback", "host_id": node.manager.host_id, "sid": "s", "namespace": "/", "id": 99, "args": []}
    bus.inject(json.dumps(late))
    nameless = {**json.loads(GOOD), "host_id": None, "room": client.sid, "callback": [client.sid, "/", 1]}
    bus.inject(json.dumps(nameless))

    assert await client.receive() == '2["good",1]'


EIO_SID = "f00dfacecafe0123456789"


async def fail(*_, **__):
    """Fail, late."""
    await asyncio.sleep(0)
    raise RuntimeError("unforeseen")


@pytest.mark.parametrize("sid", [EIO_SID, f"/news#{EIO_SID}"])
@pytest.mark.parametrize("callback", [None, lambda: 1 / 0, fail])
async def test_sids_of_clients_elsewhere_are_not_logged_whole(node, bus, caplog, sid, callback):
    """They may be those of old clients, which are secrets: neither of an answer too late nor of a callback's error."""
    caplog.set_level(logging.DEBUG, "tests.socketio")
    await node.join()
    await settled(lambda: bus.listeners == 1)
    ack_id = 99 if callback is None else node.manager._remote_callbacks.add("", callback)

    answer = {"method": "callback", "host_id": node.manager.host_id, "sid": sid, "namespace": "/", "id": ack_id}
    bus.inject(json.dumps(answer | {"args": []}))

    await settled(lambda: f"{EIO_SID[:6]}...: " in caplog.text)
    assert EIO_SID not in caplog.text


async def test_the_sid_of_an_old_client_that_cannot_be_helped_is_not_logged_whole(bus, caplog, monkeypatch):
    """Neither when it is in too many rooms nor when it cannot be disconnected."""
    node = make_node(bus, "a", max_rooms=1)
    client = node.clients[EIO_SID] = FakeClient(node, EIO_SID)
    await node.server._handle_eio_connect(EIO_SID, {"engineio.protocol": 3})
    assert await client.receive() == "0"
    await settled(lambda: bus.listeners == 1)
    about = {"sid": EIO_SID, "namespace": "/", "host_id": "x"}

    bus.inject(json.dumps({"method": "enter_room", "room": "r", **about}))
    bus.inject(json.dumps({"method": "enter_room", "room": "s", **about}))
    await settled(lambda: "max_rooms=1" in caplog.text)
    monkeypatch.setattr(node.server, "disconnect", fail)
    bus.inject(json.dumps({"method": "disconnect", **about}))
    await settled(lambda: "cannot be disconnected" in caplog.text)

    assert EIO_SID not in caplog.text
    await node.server.shutdown()


async def test_the_base_can_do_nothing_by_itself():
    """Both halves of a subclass are needed."""
    manager = fastsio.AsyncPubSubManager(write_only=True, publish_timeout=1)

    with pytest.raises(BusError) as caught:
        await manager.emit("e", 1)
    assert isinstance(caught.value.__cause__, NotImplementedError)
    with pytest.raises(NotImplementedError):
        manager._listen()


def test_the_logger_is_given_or_the_servers_or_python_socketios(bus):
    """In this order."""
    own = logging.getLogger("tests.own")

    assert MemoryManager(bus, logger=own)._get_logger() is own
    assert make_node(bus, "a").manager._get_logger() is logging.getLogger("tests.socketio")
    assert MemoryManager(bus)._get_logger() is logging.getLogger("socketio")


def test_the_bus_has_the_servers_json_or_its_own(bus):
    """What ``json=`` of the manager, else of the server, writes."""

    class Loud:
        dumps = staticmethod(lambda value, **_: json.dumps(value).upper())
        loads = staticmethod(json.loads)

    with_own = fastsio.AsyncPubSubManager(json=Loud)
    of_server = fastsio.AsyncPubSubManager()
    plain = fastsio.AsyncPubSubManager()
    for manager, options in ((with_own, {}), (of_server, {"json": Loud}), (plain, {})):
        fastsio.AsyncServer(async_mode="asgi", client_manager=manager, **options)

    assert with_own._encode({"a": "b"}) == b'{"A": "B"}'
    assert of_server._encode({"a": "b"}) == b'{"A": "B"}'
    assert plain._encode({"a": "b"}) == b'{"a":"b"}'
    assert with_own.json is Loud
    assert plain.json is json

"""What servers on one bus do for each other, and what they leave alone."""

from __future__ import annotations

import asyncio
import json
from datetime import date

import pytest
from pydantic import BaseModel

import fastsio
from fastsio.exceptions import TimeoutError as AckTimeoutError
from tests.integration.memory_bus import MemoryBus, MemoryManager, make_node
from tests.shells.aio.fake_engine import settled, turns


class Move(BaseModel):
    piece: str
    to: tuple[int, int]


@pytest.fixture
def bus() -> MemoryBus:
    """The bus of the test."""
    return MemoryBus()


@pytest.fixture
async def nodes(bus):
    """Two servers that listen, and are shut down at the end."""
    pair = make_node(bus, "a"), make_node(bus, "b")
    for node in pair:
        node.manager.initialize()
    await settled(lambda: bus.listeners == 2)
    yield pair
    for node in pair:
        await node.server.shutdown()


@pytest.fixture
async def both(nodes):
    """The two servers and a client of each."""
    a, b = nodes
    return a, await a.join(), b, await b.join()


async def quiet(*clients):
    """Make sure that nothing is on its way to *clients*."""
    await turns()
    assert [client.frames for client in clients] == [[] for _ in clients]


# Emitting


async def test_an_event_reaches_the_clients_of_all_servers_once(both, bus):
    """The sender's own are served by itself; the echo of its message is ignored."""
    a, first, _, second = both

    await a.server.emit("news", {"id": 1})

    assert await first.receive() == '2["news",{"id":1}]'
    assert await second.receive() == '2["news",{"id":1}]'
    assert bus.methods() == ["emit"]
    await quiet(first, second)


async def test_a_reply_to_a_client_of_this_server_is_not_told_to_others(both, bus):
    """Nobody else can have it."""
    a, first, _, _ = both

    await a.server.emit("reply", 1, to=first.sid)
    await a.server.emit("reply", 2, to=[first.sid])

    assert [await first.receive(), await first.receive()] == ['2["reply",1]', '2["reply",2]']
    assert bus.published == []


async def test_nobody_is_nobody_everywhere(both, bus):
    """An empty list of rooms reaches no client of any server."""
    a, first, _, second = both

    await a.server.emit("news", 1, to=[])
    bus.inject(json.dumps({"method": "emit", "event": "news", "data": [1], "room": [], "host_id": "x"}))

    assert bus.published == []
    await quiet(first, second)


async def test_rooms_span_servers(both):
    """A room, several of them with a common member, and one that is skipped."""
    a, first, b, second = both
    await a.server.enter_room(first.sid, "r")
    await b.server.enter_room(second.sid, "r")
    await b.server.enter_room(second.sid, "s")

    await a.server.emit("to", 1, room="r")
    await a.server.emit("to", 2, room=["r", "s"])
    assert [await second.receive() for _ in range(2)] == ['2["to",1]', '2["to",2]']
    await b.server.emit("to", 3, room="r", skip_sid=first.sid)
    await b.server.emit("to", 4, room="r", skip_sid={second.sid, "nobody"})
    await a.server.emit("to", 5, to=second.sid)

    assert [await first.receive() for _ in range(3)] == ['2["to",1]', '2["to",2]', '2["to",4]']
    assert [await second.receive() for _ in range(2)] == ['2["to",3]', '2["to",5]']
    await quiet(first, second)


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (None, ['2["e"]']),
        ((), ['2["e"]']),
        ((None,), ['2["e",null]']),
        (("x", 1, None), ['2["e","x",1,null]']),
        ([1, 2], ['2["e",[1,2]]']),
        (Move(piece="pawn", to=(1, 2)), ['2["e",{"piece":"pawn","to":[1,2]}]']),
        ({"on": date(2024, 5, 6)}, ['2["e",{"on":"2024-05-06"}]']),
        (bytearray(b"\x00"), ['51-["e",{"_placeholder":true,"num":0}]', b"\x00"]),
        (({"a": b"a"}, b"b"), ['52-["e",{"a":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]', b"a", b"b"]),
    ],
)  # fmt: skip
async def test_clients_of_all_servers_receive_the_same(both, data, frames):
    """Whatever the payload, and although it travels as JSON."""
    a, first, _, second = both

    await a.server.emit("e", data)

    assert [await first.receive() for _ in frames] == frames
    assert [await second.receive() for _ in frames] == frames


async def test_an_event_that_python_socketio_emits_without_data_has_none(both, bus):
    """It writes a null for it, which its own servers leave out."""
    _, first, _, second = both

    bus.inject(json.dumps({"method": "emit", "event": "e", "data": [None], "binary": False, "host_id": "x"}))

    assert await first.receive() == '2["e"]'
    assert await second.receive() == '2["e"]'


async def test_the_queue_can_be_ignored(both, bus):
    """Only this server's clients get the event then."""
    a, first, _, second = both

    await a.server.emit("news", 1, ignore_queue=True)

    assert await first.receive() == '2["news",1]'
    assert bus.published == []
    await quiet(second)


async def test_namespaces_are_kept_apart(nodes):
    """Under one channel."""
    a, b = nodes
    b.server.namespaces = "*"
    client = await b.join("/n")
    other = await b.join("/")

    await a.server.emit("e", 1, namespace="/n")

    assert await client.receive() == '2/n,["e",1]'
    await quiet(other)


@pytest.mark.parametrize("room", [b"r", object()])
async def test_a_room_that_cannot_be_named_to_others_is_an_error(both, room, bus):
    """Before anybody gets the event."""
    a, first, _, _ = both

    with pytest.raises(ValueError, match="use text or a number"):
        await a.server.emit("e", 1, room=room)

    assert bus.published == []
    await quiet(first)


# Writing without a server


async def test_a_program_without_a_server_reaches_all_clients(both, bus):
    """As an external process does."""
    _, first, _, second = both
    writer = MemoryManager(bus, write_only=True)

    await writer.emit("e", ("x", b"y"))
    await writer.emit("e", 2, room=first.sid)

    assert await first.receive() == '51-["e","x",{"_placeholder":true,"num":0}]'
    assert await first.receive() == b"y"
    assert await first.receive() == '2["e",2]'
    assert await second.receive() == '51-["e","x",{"_placeholder":true,"num":0}]'


async def test_a_program_without_a_server_steers_clients(both, bus):
    """Rooms and disconnecting."""
    a, first, _, second = both
    writer = MemoryManager(bus, write_only=True)

    await writer.enter_room(first.sid, "/", "r")
    await writer.enter_room(second.sid, "/", "r")
    await writer.leave_room(second.sid, "/", "r")
    await writer.emit("in", 1, room="r")
    await settled(lambda: first.frames)
    assert await first.receive() == '2["in",1]'
    await writer.close_room("r")
    await settled(lambda: a.server.rooms(first.sid) == [first.sid])
    await writer.disconnect(first.sid)
    assert await writer.can_disconnect(second.sid, "/") is False

    assert await first.receive() == "1"
    assert await second.receive() == "1"


async def test_a_program_without_a_server_cannot_ask(bus):
    """Nobody would hear the answer."""
    writer = MemoryManager(bus, write_only=True)

    with pytest.raises(RuntimeError, match="context of a server"):
        await writer.emit("e", 1, room="s", callback=print)
    with pytest.raises(ValueError, match="reserved"):
        await writer.emit("disconnect", 1)

    assert bus.published == []


async def test_a_server_that_only_writes_does_not_listen(bus):
    """Its own clients are served."""
    server = fastsio.AsyncServer(async_mode="asgi", client_manager=MemoryManager(bus, write_only=True))
    node = make_node(bus, "w")
    server.eio = node
    node.server = server
    client = await node.join()

    await server.emit("e", 1)

    assert await client.receive() == '2["e",1]'
    assert bus.entered == 0
    assert bus.methods() == ["emit"]


# Asking


async def test_a_client_of_another_server_can_be_called(both):
    """The answer comes back to who asked."""
    a, _, _, second = both
    call = asyncio.create_task(a.server.call("ask", 5, to=second.sid, timeout=5))

    assert await second.receive() == '21["ask",5]'
    await second.send('31["yes",{"n":1}]')

    assert await call == ("yes", {"n": 1})


async def test_a_binary_answer_comes_back(both):
    """python-socketio's own servers cannot send one."""
    a, _, _, second = both
    call = asyncio.create_task(a.server.call("ask", to=second.sid, timeout=5))
    await second.receive()

    await second.send('61-1[{"_placeholder":true,"num":0}]', b"\x01")

    assert await call == b"\x01"


async def test_a_callback_is_called_with_what_a_client_elsewhere_answers(both):
    """Function and coroutine function; the answers find the right one."""
    a, _, _, second = both
    answers = []

    async def later(*arguments):
        await asyncio.sleep(0)
        answers.append(("later", *arguments))

    await a.server.emit("ask", 1, to=second.sid, callback=lambda *arguments: answers.append(("now", *arguments)))
    await a.server.emit("ask", 2, to=second.sid, callback=later)
    await settled(lambda: len(second.frames) == 2)
    await second.send("32[2]", "31[]")

    await settled(lambda: len(answers) == 2)
    assert sorted(answers) == [("later", 2), ("now",)]


async def test_a_callback_that_fails_hurts_nobody(both, caplog):
    """It is logged."""
    a, first, _, second = both

    await a.server.emit("ask", 1, to=second.sid, callback=lambda: 1 / 0)
    await second.receive()
    await second.send("31[]")
    await settled(lambda: "error in the callback" in caplog.text)
    await a.server.emit("e", 2)

    assert await first.receive() == '2["e",2]'


async def test_a_callback_may_itself_call(both):
    """It does not keep the bus waiting."""
    a, _, _, second = both
    answers = []

    async def ask_again(answer):
        answers.append(answer)
        answers.append(await a.server.call("again", to=second.sid, timeout=5))

    await a.server.emit("ask", to=second.sid, callback=ask_again)
    await second.receive()
    await second.send("31[1]")
    await second.receive()
    await second.send("32[2]")

    await settled(lambda: answers == [1, 2])


async def test_a_client_that_is_alone_in_a_room_can_be_asked_by_it(both, bus):
    """Wherever it is; the room's name goes with the question."""
    a, first, b, second = both
    answers = []
    await a.server.enter_room(first.sid, "here")
    await b.server.enter_room(second.sid, "there")

    await a.server.emit("ask", room="here", callback=answers.append)
    await first.send("31[1]")
    await a.server.emit("ask", room="there", callback=answers.append)
    await second.receive()
    await second.send("31[2]")

    await settled(lambda: answers == [1, 2])
    assert bus.published[-1]["sid"] == "there"


@pytest.mark.parametrize("target", [{"to": None}, {"to": ["x", "y"]}, {"room": ("x", "y")}])
async def test_a_callback_needs_one_client(both, bus, target):
    """Nobody gets the event otherwise."""
    a, first, _, _ = both

    with pytest.raises(ValueError, match="give the sid of one client"):
        await a.server.emit("ask", callback=print, **target)

    assert bus.published == []
    await quiet(first)


async def test_this_servers_clients_are_asked_directly(both, bus):
    """Nothing of it is told to others."""
    a, first, _, _ = both
    call = asyncio.create_task(a.server.call("ask", to=first.sid, timeout=5))
    await first.receive()
    await first.send("31[1]")

    assert await call == 1
    assert bus.published == []


async def test_an_answer_that_does_not_come_is_not_waited_for_any_more(both):
    """Nothing is kept of the call."""
    a, _, _, second = both

    with pytest.raises(AckTimeoutError):
        await a.server.call("ask", to=second.sid, timeout=0.01)

    assert a.manager._remote_callbacks.pending("") == 0
    await second.send("31[1]")
    await quiet()


async def test_callbacks_that_are_never_answered_are_bounded(bus):
    """C-82: the oldest is dropped."""
    node = make_node(bus, "a")
    manager = MemoryManager(bus)
    node.server.manager = manager
    fastsio.AsyncPubSubManager.__init__(manager, max_remote_callbacks=2)
    manager.set_server(node.server)
    manager.initialize()
    await settled(lambda: bus.listeners == 1)

    for _ in range(5):
        await node.server.emit("ask", to="elsewhere", callback=print)

    assert manager._remote_callbacks.pending("") == 2
    await node.server.shutdown()


async def test_a_server_without_clients_can_call(bus):
    """It begins to listen before it asks."""
    a, b = make_node(bus, "a"), make_node(bus, "b")
    client = await b.join()
    await settled(lambda: bus.listeners == 1)
    call = asyncio.create_task(a.server.call("ask", to=client.sid, timeout=5))
    await settled(lambda: bus.listeners == 2)
    # This manager does not say that it listens; any message does.
    await b.server.emit("e")

    assert await client.receive() == '2["e"]'
    assert await client.receive() == '21["ask"]'
    await client.send("31[1]")
    assert await call == 1
    await a.server.shutdown()
    await b.server.shutdown()


async def test_only_the_server_that_asked_takes_the_answer(both, bus):
    """The others ignore it."""
    a, _, b, second = both
    taken = []
    b.manager._remote_callbacks.add("", taken.append)

    await a.server.emit("ask", to=second.sid, callback=lambda answer: taken.append(("a", answer)))
    await second.receive()
    await second.send("31[1]")

    await settled(lambda: taken)
    assert taken == [("a", 1)]


# Clients of other servers


async def test_clients_of_other_servers_enter_and_leave_rooms(both, bus):
    """The server they are connected to does it."""
    a, _, b, second = both

    await a.server.enter_room(second.sid, "r")
    await settled(lambda: b.server.rooms(second.sid) == [second.sid, "r"])
    await a.server.leave_room(second.sid, "r")
    await settled(lambda: b.server.rooms(second.sid) == [second.sid])

    assert bus.methods() == ["enter_room", "leave_room"]


async def test_rooms_of_this_servers_clients_are_not_told(both, bus):
    """Nobody else needs to know."""
    a, first, _, _ = both

    await a.server.enter_room(first.sid, "r")
    await a.server.leave_room(first.sid, "r")

    assert bus.published == []


async def test_a_room_closes_everywhere(both):
    """Its clients have left it on every server."""
    a, first, b, second = both
    await a.server.enter_room(first.sid, "r")
    await b.server.enter_room(second.sid, "r")

    await b.server.close_room("r")

    await settled(lambda: a.server.rooms(first.sid) == [first.sid])
    assert b.server.rooms(second.sid) == [second.sid]


async def test_the_room_of_a_client_is_protected_on_every_server(both, bus, caplog):
    """Where it is known; elsewhere nobody can say what is meant."""
    a, first, _, second = both
    with pytest.raises(ValueError, match="cannot close a sid room"):
        await a.server.close_room(first.sid)

    bus.inject(json.dumps({"method": "close_room", "room": second.sid, "host_id": "x"}))
    bus.inject(json.dumps({"method": "enter_room", "sid": first.sid, "room": first.sid, "host_id": "x"}))
    other = await a.join()
    bus.inject(json.dumps({"method": "enter_room", "sid": other.sid, "room": first.sid, "host_id": "x"}))

    await settled(lambda: "cannot enter a sid room" in caplog.text)
    assert "cannot close a sid room" in caplog.text
    assert "Traceback" not in caplog.text
    assert a.server.rooms(other.sid) == [other.sid]


async def test_a_client_of_another_server_can_be_disconnected(both, bus):
    """Its handler runs where it is, once."""
    a, _, b, second = both
    seen = []
    b.server.on("disconnect", lambda sid, reason: seen.append((sid, reason)))

    await a.server.disconnect(second.sid)

    assert await second.receive() == "1"
    await settled(lambda: seen)
    assert seen == [(second.sid, "server disconnect")]
    assert bus.methods() == ["disconnect"]


async def test_a_client_that_is_gone_stays_gone(both, bus):
    """Others are asked, for who knows whose it was; nothing else happens."""
    a, _, _, _ = both

    await a.server.disconnect("gone")
    await a.server.disconnect("gone", ignore_queue=True)

    assert bus.methods() == ["disconnect"]


async def test_disconnecting_a_client_of_this_server_is_not_told(both, bus):
    """By either way."""
    a, first, _, _ = both
    other = await a.join()

    await a.server.disconnect(first.sid)
    await a.manager.disconnect(other.sid, "/")

    assert await first.receive() == "1"
    assert await other.receive() == "1"
    assert bus.published == []


async def test_a_slow_disconnect_handler_keeps_no_message_waiting(both):
    """It may itself wait for one."""
    a, _, b, second = both
    third = await a.join()
    answers = []

    @b.server.event
    async def disconnect(sid):
        answers.append(await b.server.call("bye", to=third.sid, timeout=5))

    await a.server.disconnect(second.sid)
    assert await third.receive() == '21["bye"]'
    await third.send("31[1]")

    await settled(lambda: answers == [1])


async def test_a_client_can_enter_a_room_in_its_connect_handler(nodes, bus):
    """It is a client of this server already, also for what others ask of it."""
    a, b = nodes
    entered = asyncio.Event()

    @b.server.event
    async def connect(sid, environ):
        await b.server.enter_room(sid, "r")
        await a.server.enter_room(sid, "s")
        await asyncio.wait_for(entered.wait(), 5)

    joining = asyncio.create_task(b.join())
    await settled(lambda: bus.methods() == ["enter_room"])
    await turns()
    entered.set()
    client = await joining

    assert b.server.rooms(client.sid) == [client.sid, "r", "s"]


async def test_leaving_a_room_in_the_disconnect_handler_is_not_told(both, bus):
    """The client is still one of this server."""
    a, first, _, _ = both
    await a.server.enter_room(first.sid, "r")

    @a.server.event
    async def disconnect(sid):
        await a.server.leave_room(sid, "r")
        await a.server.disconnect(sid)

    await first.send("1")

    await settled(lambda: not a.manager.is_sid_room("/", first.sid))
    assert bus.published == []

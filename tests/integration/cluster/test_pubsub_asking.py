"""Calls, callbacks and answers of clients that are on another server of the bus."""

from __future__ import annotations

import asyncio

import pytest

import fastsio
from fastsio.exceptions import ClientLeftError
from fastsio.exceptions import TimeoutError as AckTimeoutError
from tests.integration.memory_bus import MemoryManager, make_node, quiet
from tests.shells.aio.fake_engine import settled
from tests.support.waiting import WAIT_S


async def test_a_client_of_another_server_can_be_called(both):
    """The answer comes back to who asked."""
    a, _, _, second = both
    call = asyncio.create_task(a.server.call("ask", 5, to=second.sid, timeout=WAIT_S))

    assert await second.receive() == '21["ask",5]'
    await second.send('31["yes",{"n":1}]')

    assert await call == ("yes", {"n": 1})


async def test_a_binary_answer_comes_back(both):
    """python-socketio's own servers cannot send one."""
    a, _, _, second = both
    call = asyncio.create_task(a.server.call("ask", to=second.sid, timeout=WAIT_S))
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
        answers.append(await a.server.call("again", to=second.sid, timeout=WAIT_S))

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
    call = asyncio.create_task(a.server.call("ask", to=first.sid, timeout=WAIT_S))
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
    call = asyncio.create_task(a.server.call("ask", to=client.sid, timeout=WAIT_S))
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


@pytest.mark.parametrize("way", ["lost", "left"])
async def test_a_call_to_a_client_that_leaves_another_server_fails_at_once(both, bus, way):
    """Its server tells the one that asked; a callback is dropped there, and nobody is told of a room's."""
    a, _, _, second = both
    called: list[object] = []
    await a.server.emit("ask", to=second.sid, callback=called.append)
    call = asyncio.create_task(a.server.call("ask", to=second.sid, timeout=None))
    await settled(lambda: len(second.frames) == 2)
    bus.published.clear()
    await (second.lose() if way == "lost" else second.send("1"))

    with pytest.raises(ClientLeftError):
        await asyncio.wait_for(call, WAIT_S)
    await settled(lambda: len(bus.methods()) == 2)
    assert bus.methods() == ["no_callback"] * 2
    assert called == []
    assert a.manager._remote_callbacks.pending("") == 0


async def test_a_call_to_a_room_of_another_server_is_not_failed_by_one_client(both, bus):
    """Another server may have a client in it that answers."""
    a, _, b, second = both
    await b.server.enter_room(second.sid, "r")
    call = asyncio.create_task(a.server.call("ask", to="r", timeout=None))
    await second.receive()
    bus.published.clear()
    await second.lose()
    await quiet()

    assert bus.methods() == []
    call.cancel()


@pytest.mark.parametrize("way", ["lost", "leaves"])
async def test_a_call_to_a_client_that_has_left_another_server_raises_at_once(both, bus, way):
    """C-195: the server that had the client remembers it, and says what it says when a client leaves."""
    a, first, b, second = both
    sid = second.sid
    await (second.lose() if way == "lost" else second.send("1"))
    await settled(lambda: not b.manager.is_sid_room("/", sid))
    bus.published.clear()

    with pytest.raises(ClientLeftError):
        await a.server.call("ask", to=sid, timeout=WAIT_S)

    assert bus.methods() == ["emit", "no_callback"]
    assert a.manager._remote_callbacks.pending("") == 0
    await quiet(first)


async def test_a_call_to_a_client_that_has_left_this_server_asks_no_other(both, bus):
    """C-195: no other server has ever had it."""
    a, first, _, second = both
    sid = first.sid
    await first.lose()

    with pytest.raises(ClientLeftError):
        await a.server.call("ask", to=sid, timeout=WAIT_S)

    assert bus.methods() == []
    await quiet(second)


async def test_a_call_to_a_sid_that_nobody_knows_waits(both):
    """How many servers there are is not known, so that none can say that there is no such client."""
    a, _, _, _ = both

    with pytest.raises(AckTimeoutError) as caught:
        await a.server.call("ask", to="nobody", timeout=0.01)

    assert not isinstance(caught.value, ClientLeftError)


async def test_a_room_named_as_a_client_that_has_left_can_be_asked(both):
    """A member answers, as in any other room."""
    a, _, b, second = both
    third = await b.join()
    await third.lose()
    await b.server.enter_room(second.sid, third.sid)
    call = asyncio.create_task(a.server.call("ask", to=third.sid, timeout=WAIT_S))
    await second.receive()

    await second.send("31[1]")

    assert await call == 1


async def test_clients_that_have_left_are_remembered_within_a_bound(both, bus, monkeypatch):
    """The oldest is forgotten: a call to it waits to its timeout, as before."""
    monkeypatch.setattr("fastsio.aio.pubsub.REMEMBERED_CLIENTS", 2)
    node = make_node(bus, "c")
    a, *_ = both
    node.manager.initialize()
    left = [await node.join() for _ in range(3)]
    await settled(lambda: bus.listeners == 3)
    for client in left:
        await client.lose()

    with pytest.raises(ClientLeftError):
        await a.server.call("ask", to=left[2].sid, timeout=WAIT_S)
    with pytest.raises(AckTimeoutError) as caught:
        await a.server.call("ask", to=left[0].sid, timeout=0.05)

    assert not isinstance(caught.value, ClientLeftError)
    await node.server.shutdown()

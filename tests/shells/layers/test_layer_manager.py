"""Socket.IO rooms over a channel layer: two servers in one process, as two processes would be."""

from __future__ import annotations

import asyncio
import itertools
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from fastsio import AsyncServer
from fastsio.exceptions import BusError
from fastsio.layers import InMemoryChannelLayer, group_of
from fastsio.layers.manager import LayerManager
from fastsio.layers.names import node_of
from fastsio.layers.registry import LayerNotFoundError
from fastsio.layers.room_groups import RoomGroups
from fastsio.testing import Received, TestClient, WebsocketCommunicator, override
from tests.shells.layers.chat import Chat, subscribe
from tests.shells.layers.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def make_server(**options: Any) -> AsyncServer:
    """Return a server whose rooms are groups of the layer."""
    sio = AsyncServer(async_mode="asgi", client_manager=LayerManager("chat"), **options)

    @sio.event
    async def join(sid: str, room: str) -> None:
        await sio.enter_room(sid, room)

    @sio.event
    async def leave(sid: str, room: str) -> None:
        await sio.leave_room(sid, room)

    return sio


class Pair:
    """Two servers on one layer, and a client of each."""

    def __init__(self, layer: InMemoryChannelLayer, **options: Any) -> None:
        self.layer = layer
        self.here, self.there = make_server(**options), make_server(**options)
        self.ours, self.theirs = TestClient(self.here), TestClient(self.there)

    async def both_join(self, *rooms: str) -> None:
        """Put both clients into rooms."""
        for room in rooms:
            await self.ours.call("join", room)
            await self.theirs.call("join", room)


@pytest.fixture
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """Two servers with a client each; the options of the servers may be given as parameter."""
    with override("chat", InMemoryChannelLayer()) as layer:
        assert isinstance(layer, InMemoryChannelLayer)
        made = Pair(layer, **getattr(request, "param", {}))
        async with AsyncExitStack() as stack:
            for server in (made.here, made.there):
                stack.push_async_callback(server.shutdown)
            for client in (made.ours, made.theirs):
                await stack.enter_async_context(client)
                await client.connect()
            await until(lambda: made.here.manager.listening and made.there.manager.listening)
            yield made
        await layer.close()


async def test_room_reaches_the_members_of_both_servers_once(pair: Pair) -> None:
    """A client in several of the rooms gets the event once, attachments included."""
    await pair.both_join("a", "b")

    await pair.here.emit("news", {"file": b"\x00"}, room=["a", "b"])
    await pair.here.emit("end", room="a")

    for client in (pair.ours, pair.theirs):
        await client.receive("end")
        assert [each.data for each in client.received] == [{"file": b"\x00"}]


async def test_everybody_one_and_all_but_one(pair: Pair) -> None:
    """Without a room everybody is reached; a sid is a room; skipped are skipped on the other server too."""
    await pair.here.emit("all", 1)
    await pair.here.emit("one", 2, to=pair.theirs.sid)
    await pair.here.emit("others", 3, skip_sid=pair.theirs.sid)
    await pair.here.emit("end")

    for client, names in ((pair.ours, ["all", "others"]), (pair.theirs, ["all", "one"])):
        await client.receive("end")
        assert [each.event for each in client.received] == names


async def test_acknowledgement_comes_back(pair: Pair) -> None:
    """call() waits for a client of the other server."""
    asking = asyncio.create_task(pair.here.call("ask", 1, to=pair.theirs.sid))

    await pair.theirs.acknowledge(await pair.theirs.receive("ask"), "yes", b"\x01")

    assert await asking == ("yes", b"\x01")


async def test_client_of_the_other_server_is_moved_and_disconnected(pair: Pair) -> None:
    """Rooms and connections are managed across servers."""
    await pair.here.enter_room(pair.theirs.sid, "vip")
    await until(lambda: "vip" in pair.theirs.rooms())
    await pair.here.leave_room(pair.theirs.sid, "vip")
    await until(lambda: "vip" not in pair.theirs.rooms())

    await pair.here.disconnect(pair.theirs.sid)

    await pair.theirs.wait_disconnected()


async def test_program_without_a_server_emits(pair: Pair) -> None:
    """A write-only manager is enough."""
    await pair.both_join("a")

    await LayerManager("chat", write_only=True).emit("done", {"job": 1}, room="a")

    assert (await pair.ours.receive("done")).data == {"job": 1}
    assert (await pair.theirs.receive("done")).data == {"job": 1}


async def test_broadcast_of_a_consumer_is_an_event(pair: Pair) -> None:
    """Frames are named by their action, other messages by their type; what is neither is passed over."""
    await pair.both_join("a")

    await pair.layer.group_send("a", {"type": "fastsio.text", "text": "no frame"})
    await pair.layer.group_send("a", {"type": "fastsio.text", "text": '{"action":"said","payload":{"n":1}}'})
    await pair.layer.group_send("a", {"type": "room_message", "message": "hi"})

    for client in (pair.ours, pair.theirs):
        assert (await client.receive()).args == ({"n": 1},)
        assert await client.receive("room_message") == Received("room_message", ({"message": "hi"},))


async def test_channel_in_the_group_gets_events_as_frames(pair: Pair) -> None:
    """A consumer's channel gets what its client is to be told, and whom to leave out."""
    channel = await pair.layer.new_channel()
    await pair.layer.group_add("a", channel)

    await pair.here.emit("news", {"n": 1}, room="a", skip_sid="somebody")

    message = await pair.layer.receive(channel)
    assert message["text"] == '{"action":"news","payload":{"n":1}}'
    assert message["exclude"] == "somebody"


async def test_process_is_in_the_groups_of_its_clients_only(pair: Pair) -> None:
    """The last one out of a room leaves the group, and so does a client that is gone."""
    await pair.both_join("a")
    assert len(await pair.layer.group_channels("a")) == 2

    await pair.ours.call("leave", "a")
    await pair.theirs.disconnect()

    await until(lambda: "a" not in pair.here.manager.groups)
    await until(lambda: not pair.there.manager.groups)
    assert await pair.layer.group_channels("a") == []


async def test_a_layer_put_in_place_of_another_takes_over(pair: Pair) -> None:
    """Clients that are there already are heard on the new one, and on the old one again afterwards."""
    await pair.both_join("a")
    other = InMemoryChannelLayer()
    with override("chat", other):
        await pair.ours.call("join", "b")
        await pair.theirs.call("join", "b")
        await until(lambda: pair.here.manager.listening and pair.there.manager.listening)
        await until(lambda: len(other._table.groups.get("a", ())) == 2 and "a" not in pair.layer._table.groups)
        await pair.here.emit("first", room="a")
        asking = asyncio.create_task(pair.here.call("ask", to=pair.theirs.sid))
        await pair.theirs.acknowledge(await pair.theirs.receive("ask"), "yes")
        assert await asking == "yes"
    await pair.both_join("c")
    await pair.there.emit("second", room="a")
    await pair.there.emit("end", room="c")

    for client in (pair.ours, pair.theirs):
        await client.receive("end")
        assert [each.event for each in client.received] == ["first", "second"]
    await until(lambda: other.is_closed)


def test_a_server_of_a_module_is_tested_on_one_loop_after_the_other() -> None:
    """Each test has a layer and a loop of its own; nothing of one is heard in the next."""
    sio = make_server()

    async def run(word: str) -> list[str]:
        with override("chat", InMemoryChannelLayer()):
            async with TestClient(sio) as client:
                await client.connect()
                await client.call("join", "a")
                await LayerManager("chat", write_only=True).emit(word, None, room="a")
                await LayerManager("chat", write_only=True).emit("end", None, to=client.sid)
                await client.receive("end")
                return [each.event for each in client.received]

    assert [asyncio.run(run(word)) for word in ("one", "two", "three")] == [["one"], ["two"], ["three"]]


def test_loops_that_have_ended_leave_no_listeners_at_the_layer() -> None:
    """One layer may outlive many loops, each with its servers and consumers."""
    sio = make_server()

    async def run() -> None:
        async with TestClient(sio) as client, WebsocketCommunicator(Chat.as_asgi(), "/?ann") as socket:
            await client.connect()
            await subscribe(socket)

    with override("chat", InMemoryChannelLayer()) as layer:
        for _ in range(3):
            asyncio.run(run())
        assert len(layer.loss_listeners) == 2


async def test_program_without_a_server_moves_clients(pair: Pair) -> None:
    """Into rooms and out of them, wherever they are."""
    program = LayerManager("chat", write_only=True)

    await program.enter_room(pair.ours.sid, "/", "vip")
    await until(lambda: "vip" in pair.ours.rooms())
    await program.leave_room(pair.ours.sid, "/", "vip")
    await until(lambda: "vip" not in pair.ours.rooms())

    assert pair.theirs.rooms() == set()


class Nameless(InMemoryChannelLayer):
    """A layer whose channels do not say which process they are of."""

    numbers = itertools.count()

    async def new_channel(self, prefix: str = "specific") -> str:
        return f"{prefix}-{next(self.numbers)}"


@pytest.mark.parametrize(("layer", "sid"), [(Nameless(), None), (InMemoryChannelLayer(), "with a blank {}")])
async def test_a_sid_that_is_no_channel_is_a_group(layer: InMemoryChannelLayer, sid: str | None) -> None:
    """Where the layer has no such names, or the application makes its own sids, one client is reached all the same."""
    numbers = itertools.count()
    with override("chat", layer):
        async with AsyncExitStack() as stack:
            here, there = make_server(), make_server()
            clients = []
            for server in (here, there):
                stack.push_async_callback(server.shutdown)
                if sid is not None:
                    server.eio.generate_id = lambda: sid.format(next(numbers))
                client = await stack.enter_async_context(TestClient(server))
                await client.connect()
                clients.append(client)
            await until(lambda: here.manager.listening and there.manager.listening)

            await here.emit("one", to=clients[1].sid)
            asking = asyncio.create_task(here.call("ask", to=clients[1].sid))
            await clients[1].acknowledge(await clients[1].receive("ask"), "yes")

            assert await asking == "yes"
            assert (await clients[1].receive("one")).args == ()
            assert clients[0].received == ()


async def test_more_messages_than_a_server_keeps_up_with_are_dropped_and_logged(pair, monkeypatch, caplog) -> None:
    """Those that fit are taken, and what comes later is too."""
    await pair.both_join("a")
    monkeypatch.setattr("fastsio.layers.manager.CAPACITY", 0)
    for number in range(3):
        await pair.here.emit("news", number, room="a")
    monkeypatch.undo()
    await pair.here.emit("end", room="a")

    await pair.theirs.receive("end")
    assert "is full" in caplog.text


async def test_unknown_layer_is_named() -> None:
    """Emitting without the layer says which is missing."""
    with pytest.raises(LayerNotFoundError, match="nowhere"):
        await LayerManager("nowhere", write_only=True).layer.flush()


def test_rooms_are_groups_of_the_same_name() -> None:
    """Only the root namespace shares its names with consumers."""
    assert group_of("/", "room_general") == "room_general"
    assert group_of("/chat", "general") != group_of("/", "general")
    assert len({group_of("/", None), group_of("/chat", None), group_of("/", "socketio")}) == 3


BROKEN = [
    {"type": "fastsio.text", "text": 5},
    {"type": "fastsio.text", "text": "{}", "id": {"a": 1}},
    {"type": "fastsio.text", "text": "{}", "groups": 5, "id": "one"},
    {"type": "fastsio.text", "text": '{"action":"said"}', "exclude": 5.5},
    {"type": "fastsio.order"},
    {"type": "fastsio.order", "socketio": {"method": "close_room", "room": "a", "host_id": ["x"]}},
    {"type": "fastsio.order", "socketio": {"method": ["emit"]}},
    {"type": "fastsio.order", "socketio": {"method": "emit", "event": "e", "room": float("nan"), "host_id": "x"}},
    {"type": ["fastsio.text"]},
    {"type": "fastsio.text", "text": "[" * 5_000},
]


@pytest.mark.parametrize("message", BROKEN)
async def test_a_broken_message_is_dropped_and_the_next_one_arrives(pair: Pair, message: Any) -> None:
    """The servers listen on: nothing is lost, and nobody is told anything."""
    await pair.both_join("a")
    listening = pair.here.manager.host_id

    await pair.layer.group_send("a", message)
    await pair.layer.group_send("a", {"type": "fastsio.text", "text": '{"action":"said","payload":1}'})

    for client in (pair.ours, pair.theirs):
        assert await client.receive() == Received("said", (1,))
    assert pair.here.manager.host_id == listening


@pytest.mark.parametrize("pair", [{"connection_state_recovery": True}], indirect=True)
async def test_a_client_that_is_away_is_the_only_one_here(pair: Pair) -> None:
    """Events of the other server are kept for it, those to everybody too; when its session ends, no group is left."""
    await pair.both_join("tea")
    sid = pair.ours.sid
    await pair.ours.drop("transport close")
    for number, room in enumerate((None, "tea", sid)):
        await pair.there.emit("news", number, room=room)
    await until(lambda: len(pair.here.__fastsio__.recovery_state.log.kept) == 3)

    await pair.ours.reconnect()

    assert pair.ours.recovered
    assert [each.data for each in pair.ours.received] == [0, 1, 2]
    await pair.ours.drop("transport close")
    await pair.there.disconnect(sid)
    manager: Any = pair.here.manager
    await until(lambda: not manager.groups)


recovering = pytest.mark.parametrize("pair", [{"connection_state_recovery": True}], indirect=True)


@recovering
async def test_a_client_that_was_away_when_the_layer_lost_messages_is_a_new_one(pair: Pair) -> None:
    """What it has missed is not known; one that has had an event since then comes back."""
    await pair.ours.drop("transport close")
    pair.layer.report_loss()
    await pair.ours.reconnect()
    assert not pair.ours.recovered

    await pair.there.emit("news", 1)
    await pair.ours.receive("news")
    await pair.ours.drop("transport close")
    await pair.ours.reconnect()
    assert pair.ours.recovered


@recovering
async def test_a_client_that_misses_what_did_not_fit_is_a_new_one(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """More messages came at once than may wait for the server."""
    monkeypatch.setattr("fastsio.layers.manager.CAPACITY", 2)
    await pair.ours.drop("transport close")
    kept = pair.here.__fastsio__.recovery_state.log.kept
    message = {"type": "fastsio.text", "text": '{"action":"said","payload":1}'}
    group = group_of("/", None)
    for _ in range(5):
        await pair.layer.group_send(group, message)
    await until(lambda: kept.last >= 2)

    await pair.ours.reconnect()

    assert not pair.ours.recovered


@recovering
async def test_a_client_that_comes_to_the_other_server_is_a_new_one(pair: Pair) -> None:
    """Sessions stay on their server: nothing is known of it there, and its session is still there for it."""
    await pair.both_join("tea")
    sid = pair.ours.sid
    await pair.ours.drop("transport close")
    await pair.there.emit("news", 1, room="tea")
    await until(lambda: len(pair.here.__fastsio__.recovery_state.log.kept) == 1)
    (pid,) = pair.here.__fastsio__.recovery_state.pids()
    async with TestClient(pair.there) as stranger:
        await stranger.connect(auth={"pid": pid})

        assert stranger.sid != sid
        await stranger.receive_nothing()

    await pair.ours.reconnect()
    assert (pair.ours.recovered, pair.ours.sid) == (True, sid)
    assert [each.data for each in pair.ours.received] == [1]


async def test_a_layer_that_fails_at_first_names_later_clients() -> None:
    """The sid of a client is a channel of its process as soon as the layer answers."""

    class FailsAtFirst(InMemoryChannelLayer):
        errors = iter([BusError("away")])

        async def new_channel(self, prefix: str = "specific") -> str:
            for error in self.errors:
                raise error
            return await super().new_channel(prefix)

    groups = RoomGroups(FailsAtFirst(), print, print, None, 1.0)

    names = []
    for _ in range(2):
        await groups.learn_name()
        names.append(groups.name_client("unique"))

    assert [node_of(name) is None for name in names] == [True, False]
    await groups.close()


async def test_rooms_that_are_emptied_while_the_layer_is_away_are_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    """They need not be joined when it answers; the rooms that have members are."""

    class Away(InMemoryChannelLayer):
        is_away = True

        async def group_add(self, group: str, channel: str) -> None:
            if self.is_away:
                raise BusError("away")
            await super().group_add(group, channel)

    layer = Away()
    lost: list[None] = []
    groups = RoomGroups(layer, print, lambda: lost.append(None), logging.getLogger(__name__), 1.0)

    for room in ("a", "b", "c"):
        group = groups.update(("/", room), has_members=True)
        assert group is not None
        await groups.apply([group])
    assert groups._to_retry == {"a", "b", "c"}
    for room in ("a", "b"):
        assert groups.update(("/", room), has_members=False) is None
    assert groups._to_retry == {"c"}
    leaving = groups.start_change(groups.update(("/", "a"), has_members=True) or "")
    groups.update(("/", "a"), has_members=False)
    await asyncio.wait([leaving])
    assert groups._to_retry == {"c"}

    groups.update(("/", "c"), has_members=False)
    await until(lambda: bool(lost))
    layer.is_away = False
    await groups.apply([groups.update(("/", "d"), has_members=True) or ""])
    assert groups.groups == {"d"}
    await groups.close()

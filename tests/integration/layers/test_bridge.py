"""Socket.IO rooms and consumers' groups as one, over every layer, with members of both kinds at two servers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from fastsio import RoomMember, broadcast
from fastsio.layers.manager import LayerManager
from tests.integration.layer_lab import KINDS, laboratory
from tests.shells.layers.waiting import until
from tests.support.bridge import ChatRoom, Node, Posted, Socket
from tests.support.brokers import nats_server, redis_server
from tests.support.members import all_members

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastsio.testing import TestClient
    from tests.support.brokers import Broker

END = {"action": "end", "payload": None}


@pytest.fixture(scope="module")
def brokers() -> Iterator[dict[str, Any]]:
    """What the layers connect to."""
    with redis_server() as redis, nats_server() as nats:
        yield {"memory": None, "local": None, "pubsub": redis, "queue": redis, "nats": nats}


class Bridge:
    """Two servers with a client of each kind."""

    def __init__(self, here: Node, there: Node) -> None:
        self.here, self.there = here, there
        self.clients: list[TestClient] = []
        self.sockets: list[Socket] = []

    async def people(self, *rooms: str) -> None:
        """Connect a client of each kind to each server, and put them into rooms."""
        for node, names in ((self.here, ("ann", "ben")), (self.there, ("cleo", "dan"))):
            self.clients.append(await node.visitor(names[0], *rooms))
            self.sockets.append(await node.socket(names[1], *rooms))
            await node.sync()

    async def in_chat(self) -> None:
        """Put everybody into chat 5, and drop what they are told of it."""
        for client in self.clients:
            await client.call("join_chat", {"id": 5})
        for socket in self.sockets:
            assert (await socket.subscribe(5))["action"] == "subscribed"

    async def end(self, *rooms: str) -> list[list[Any]]:
        """Return what each has heard until the end, without presence: the clients, then the sockets."""
        await LayerManager(self.here.alias, write_only=True).emit("end", None, room=list(rooms))
        heard: list[list[Any]] = []
        for client in self.clients:
            await client.receive("end")
            heard.append([(each.event, each.data) for each in client.received if each.event not in BY_THE_WAY])
        for socket in self.sockets:
            frames: list[Any] = []
            while (frame := await socket.hear()) != END:
                frames.append((frame["action"], frame["payload"]))
            heard.append([frame for frame in frames if frame[0] not in BY_THE_WAY])
        return heard


BY_THE_WAY = ("presence", "joined")


@pytest.fixture(params=KINDS)
async def bridge(request, brokers) -> AsyncIterator[Bridge]:
    """Two servers on a layer of each kind."""
    ChatRoom.banned.clear()
    ChatRoom.log.clear()
    async with laboratory(request.param, brokers[request.param]) as lab, AsyncExitStack() as stack:
        yield Bridge(Node(lab.layer(), stack), Node(lab.layer(), stack))


async def test_an_event_reaches_everybody_in_the_room_once(bridge):
    """Socket.IO clients and consumers in the room hear it once, at both servers; a client that is only connected hears nothing."""
    await bridge.people("a")
    stranger, plain = await bridge.there.visitor("eve"), await bridge.there.socket("fay")

    await bridge.here.sio.emit("news", {"text": "hi 🌍"}, room="a")

    assert await bridge.end("a") == [[("news", {"text": "hi 🌍"})]] * 4
    assert stranger.received == ()
    assert await plain.receive_nothing()


async def test_an_event_for_several_rooms_reaches_who_is_in_all_of_them_once(bridge):
    """Also where one of the rooms is somebody's own, and attachments reach clients of Socket.IO only."""
    await bridge.people("a", "b")
    sids = [bridge.clients[1].sid, bridge.sockets[1].name]

    await bridge.here.sio.emit("news", 1, room=["a", "b", *sids])
    await bridge.here.sio.emit("file", b"\x00", room=["a", "b"])

    news, file = ("news", 1), ("file", b"\x00")
    assert await bridge.end("a", "b") == [[news, file], [news, file], [news], [news]]


async def test_a_broadcast_of_a_consumer_reaches_who_is_in_several_of_its_groups_once(bridge):
    """As an event with its payload, at every server."""
    await bridge.people("a", "b")

    await bridge.sockets[0].send_json_to({"action": "say", "payload": "hi", "groups": ["a", "b"]})
    assert await bridge.sockets[0].hear() == {"action": "said", "payload": "hi"}
    assert await bridge.sockets[1].hear() == {"action": "said", "payload": "hi"}

    assert await bridge.end("a", "b") == [[("said", "hi")], [("said", "hi")], [], []]


async def test_a_server_leaves_out_clients_of_both_kinds(bridge):
    """One or several, by sid or by the name of a channel."""
    await bridge.people("a")
    (ann, cleo), (ben, dan) = bridge.clients, bridge.sockets

    await bridge.here.sio.emit("n", 1, room="a", skip_sid=dan.name)
    await bridge.here.sio.emit("n", 2, room="a", skip_sid=[ann.sid, cleo.sid, ben.name])
    await bridge.here.sio.emit("n", 3, room="a", skip_sid=cleo.sid)

    heard = await bridge.end("a")
    assert [[data for _, data in each] for each in heard] == [[1, 3], [1], [1, 3], [2, 3]]


async def test_a_consumer_leaves_out_clients_of_both_kinds(bridge):
    """exclude_current is itself; exclude is whoever is named."""
    await bridge.people("a")
    (ann, _cleo), (ben, dan) = bridge.clients, bridge.sockets
    frame = {"action": "say", "groups": ["a"]}

    await ben.send_json_to({**frame, "payload": "1", "exclude_current": True})
    await ben.send_json_to({**frame, "payload": "2", "exclude_current": True, "exclude": [ann.sid, dan.name]})
    await ben.send_json_to({**frame, "payload": "3", "exclude": [dan.name]})
    assert await ben.hear() == {"action": "said", "payload": "3"}

    heard = await bridge.end("a")
    assert [[data for _, data in each] for each in heard] == [["1", "3"], ["1", "2", "3"], [], ["1"]]


async def test_acknowledgements_come_back(bridge):
    """A client of the other server is asked; attachments travel both ways."""
    await bridge.people()
    client = bridge.clients[1]

    asking = asyncio.create_task(bridge.here.sio.call("ask", b"\x01", to=client.sid))
    await client.acknowledge(await client.receive("ask"), "yes", b"\x02")

    assert await asking == ("yes", b"\x02")


async def test_a_program_reaches_one_client_of_either_kind_over_the_layer(bridge):
    """A sid is the name of a channel, and the name of a channel is a sid."""
    await bridge.people("a")
    client, socket = bridge.clients[1], bridge.sockets[1]

    await bridge.here.layer.send(client.sid, {"type": "job_done", "n": 1})
    await LayerManager(bridge.here.alias, write_only=True).emit("job_done", {"n": 2}, to=socket.name)

    assert (await client.receive("job_done")).data == {"n": 1}
    assert await socket.hear() == {"action": "job_done", "payload": {"n": 2}}
    assert await bridge.end("a") == [[], [], [], []]


async def test_a_broadcast_event_of_a_worker_reaches_both_kinds(bridge):
    """A write-only manager is all that the worker has."""
    await bridge.people()
    await bridge.in_chat()

    sent = await broadcast(Posted(text="done"), via=LayerManager(bridge.there.alias, write_only=True))

    assert sent
    assert await bridge.end("chat|5") == [[("posted", {"text": "done"})]] * 4


@pytest.mark.parametrize("way", ["kick", "recheck", "close"])
async def test_members_of_both_kinds_at_both_servers_are_taken_out(bridge, way):
    """They are told, their on_leave runs once where they are, and they hear no more."""
    await bridge.people("lobby")
    await bridge.in_chat()
    room = ChatRoom(5).on(bridge.here.sio)
    gone = ["cleo", "dan"]
    match way:
        case "kick":
            await room.kick(bridge.clients[1].sid, "enough")
            await room.kick(bridge.sockets[1].name, "enough")
        case "recheck":
            ChatRoom.banned |= {"ben", "dan"}
            gone = ["ben", "dan"]
            assert await room.recheck() == []
        case "close":
            await room.close()
            gone = ["ann", "ben", "cleo", "dan"]
    await until(lambda: len(ChatRoom.log) >= len(gone))
    await room.emit("news")
    await bridge.here.sio.emit("news", room="lobby")
    heard = await bridge.end("lobby")

    assert sorted(user for _, user in ChatRoom.log) == gone
    for user, events in zip(("ann", "cleo", "ben", "dan"), heard, strict=True):
        assert [name for name, _ in events].count("news") == (1 if user in gone else 2), user
        assert [name for name, _ in events].count("kicked") == (user in gone and way != "close"), user


async def test_members_of_both_kinds_at_both_servers_are_listed(bridge):
    """Whoever asks."""
    await bridge.people()
    await bridge.in_chat()
    everybody = [RoomMember(client.sid, name) for client, name in zip(bridge.clients, ("ann", "cleo"), strict=True)]

    of_server = await all_members(ChatRoom(5).on(bridge.here.sio), 4)
    of_consumers = await all_members(ChatRoom(5).on(bridge.there.consumer.keeper()), 4)

    assert {member.user for member in of_server} == {"ann", "ben", "cleo", "dan"}
    assert len(of_server) == len(of_consumers) == 4
    assert set(everybody) < set(of_server) == set(of_consumers)


async def test_who_is_told_of_a_member_and_asks_finds_it(bridge):
    """A member is in the room, and its server hears the question, before the others are told of it."""
    ann, dan = await bridge.here.visitor("ann"), await bridge.there.socket("dan")
    await ann.call("join_chat", {"id": 5})
    cleo = await bridge.there.visitor("cleo")
    joining = [asyncio.create_task(cleo.call("join_chat", {"id": 5})), asyncio.create_task(dan.subscribe(5))]
    told = []
    for _ in ("ann", "cleo", "dan"):
        told.append((await ann.receive("presence")).data["user"])

        members = await ChatRoom(5).on(bridge.here.sio).members(cluster=True, timeout=1.0)

        assert set(told) <= {member.user for member in members}
    await asyncio.gather(*joining)
    assert sorted(told) == ["ann", "cleo", "dan"]


async def test_a_server_moves_clients_of_the_other(bridge):
    """Into rooms, out of them, and away; whichever kind they are."""
    await bridge.people("lobby")
    client, socket = bridge.clients[1], bridge.sockets[1]
    for who in (client.sid, socket.name):
        await bridge.here.sio.enter_room(who, "vip")
    # Being on the table is not yet being heard from.
    await until(lambda: "vip" in client.rooms() and "vip" in bridge.there.sio.manager.groups)
    await until(lambda: len(bridge.there.layer._table.groups["vip"]) >= 2)
    await bridge.here.sio.emit("hello", room="vip")

    assert (await client.receive("hello")).args == ()
    assert await socket.hear() == {"action": "hello", "payload": None}

    for who in (client.sid, socket.name):
        await bridge.here.sio.disconnect(who)
    await client.wait_disconnected()
    assert (await socket.receive_output(10))["type"] == "websocket.close"


@pytest.mark.parametrize("kind", ["pubsub", "queue", "nats"])
async def test_a_room_on_one_layer_is_not_the_room_of_that_name_on_another(kind, brokers):
    """Layers with different prefixes on one broker keep their rooms apart, for Socket.IO clients and consumers."""
    async with laboratory(kind, brokers[kind]) as lab, AsyncExitStack() as stack:
        one, other = Node(lab.layer(), stack), Node(lab.layer(prefix=f"{lab.prefix}-other"), stack)
        heard = [(await node.visitor("ann", "x"), await node.socket("ben", "x")) for node in (one, other)]

        await one.sio.emit("for one", room="x")
        await other.sio.emit("for other", room="x")

        for (client, socket), event in zip(heard, ("for one", "for other"), strict=True):
            assert (await client.receive()).event == (await socket.hear())["action"] == event
            assert client.received == ()
            assert await socket.receive_nothing()


@contextmanager
def broker_of(kind: str) -> Iterator[Broker]:
    """Run a broker for one test."""
    with nats_server() if kind == "nats" else redis_server() as broker:
        yield broker


@pytest.mark.parametrize("kind", ["pubsub", "queue", "nats"])
async def test_who_enters_while_the_broker_is_away_hears_others_once_it_is_back(kind, monkeypatch, caplog):
    """Clients connect, enter and leave as ever; afterwards the process is in the groups of those who are there."""
    monkeypatch.setattr("fastsio.brokers.reconnection.FIRST_DELAY_S", 0.02)
    monkeypatch.setattr("fastsio.brokers.reconnection.MOST_DELAY_S", 0.05)
    monkeypatch.setattr("fastsio.layers.room_groups.FIRST_DELAY_S", 0.02)
    monkeypatch.setattr("fastsio.layers.room_groups.MOST_DELAY_S", 0.05)
    with broker_of(kind) as broker:
        async with laboratory(kind, broker) as lab, AsyncExitStack() as stack:
            here, there = Node(lab.layer(), stack), Node(lab.layer(), stack)
            early = await here.visitor("ann", "a", "left")
            other = await there.visitor("ben")
            manager: Any = here.sio.manager

            broker.kill()
            await until(lambda: caplog.text.count("not connected, trying again") == 2)
            late = await here.visitor("cleo", "b")
            await early.call("join", "b")
            await here.sio.leave_room(early.sid, "left")
            await here.sio.emit("local", room="b", ignore_queue=True)
            for client in (early, late):
                assert (await client.receive("local")).args == ()
            broker.start()
            await until(lambda: {"a", "b"} <= manager.groups and caplog.text.count("connected again") == 2)
            await there.sio.emit("news", room=["a", "b"])
            await there.sio.emit("mine", to=late.sid)
            await there.sio.emit("past", room="left")
            await there.sio.emit("end")

            for client, names in ((early, ["news"]), (late, ["news", "mine"]), (other, [])):
                await client.receive("end")
                assert [each.event for each in client.received] == names
            assert "left" not in manager.groups


@pytest.mark.parametrize("kind", ["pubsub", "queue", "nats"])
async def test_a_consumer_that_subscribes_while_the_broker_is_away_is_told_and_may_try_again(kind, monkeypatch, caplog):
    """The connection lives on, and no trace of the attempt is left."""
    monkeypatch.setattr("fastsio.brokers.reconnection.FIRST_DELAY_S", 0.02)
    monkeypatch.setattr("fastsio.brokers.reconnection.MOST_DELAY_S", 0.05)
    with broker_of(kind) as broker:
        async with laboratory(kind, broker) as lab, AsyncExitStack() as stack:
            node = Node(lab.layer(), stack)
            ben = await node.socket("ben")
            broker.kill()
            await until(lambda: "not connected, trying again" in caplog.text)

            refused = await ben.subscribe(5)
            of_class = node.consumer.keeper().keeper
            was_empty = of_class.table.is_empty
            broker.start()
            await until(lambda: "connected again" in caplog.text)

            assert (refused["payload"]["type"], refused["payload"]["event"]) == ("internal", "subscribe")
            assert was_empty
            assert [(await ben.subscribe(5))["action"], (await ben.hear())["action"]] == ["subscribed", "presence"]
            await ChatRoom(5).on(LayerManager(node.alias, write_only=True)).emit("news")
            assert await ben.hear() == {"action": "news", "payload": None}


@pytest.mark.parametrize("kind", ["pubsub", "queue", "nats"])
async def test_a_broker_that_hangs_keeps_nobody_from_connecting(kind):
    """Who connects waits no longer than a message may take, and is reached once the broker answers."""
    with broker_of(kind) as broker:
        async with laboratory(kind, broker) as lab, AsyncExitStack() as stack:
            here, there = Node(lab.layer(), stack, publish_timeout=0.1), Node(lab.layer(), stack)
            await there.visitor("ben")
            broker.pause()
            client = await here.visitor("ann", "a")

            broker.resume()
            manager: Any = here.sio.manager
            await until(lambda: "a" in manager.groups and manager.listening)
            await there.sio.emit("news", room="a")
            await there.sio.emit("mine", to=client.sid)

            assert [(await client.receive()).event for _ in range(2)] == ["news", "mine"]

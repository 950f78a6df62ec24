"""Room classes shared by Socket.IO clients and consumers: joining, leaving, and what servers do with members."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import BaseModel

from fastsio import AsyncServer, Depends, Joined, Room, RoomMember, Session, SocketID
from fastsio.consumers import AsyncJsonWebsocketConsumer, ws_handler
from fastsio.exceptions import SetupError
from fastsio.layers import InMemoryChannelLayer, group_of, override
from fastsio.layers.manager import LayerManager
from fastsio.messages import BaseMessage
from fastsio.testing import TestClient, WebsocketCommunicator
from tests.shells.layers.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BANNED: set[str] = set()
LOG: list[tuple[str, ...]] = []


class ChatRoom(Room):
    @classmethod
    async def extract_room_identifier(cls, session, data):
        if not data.get("chat_id"):
            raise ValueError("chat_id is required")
        return data["chat_id"]

    @classmethod
    async def can_join(cls, session, data):
        LOG.append(("can_join", session["user"]))
        return session["user"] not in BANNED

    @classmethod
    async def on_join(cls, session: Session, room: Room):
        LOG.append(("on_join", session["user"], room.name))

    @classmethod
    async def on_leave(cls, session: Session, room: Room):
        LOG.append(("on_leave", session["user"], room.name))


class WhichHall(BaseModel):
    hall_id: int


class HallRoom(Room):
    @classmethod
    def extract_room_identifier(cls, which: WhichHall):
        return which.hall_id

    @classmethod
    def presence_key(cls, session: Session):
        return session["user"]

    @classmethod
    async def on_join(cls, room: Room, sid: SocketID):
        await room.emit("welcome", {"to": "all"}, skip_sid=sid)
        LOG.append(("welcomed", sid))


class SayPayload(BaseModel):
    chat_id: int
    text: str


class SayMessage(BaseMessage):
    action: Literal["say"] = "say"
    payload: SayPayload


class Chat(AsyncJsonWebsocketConsumer):
    channel_layer_alias = "chat"
    rooms = [ChatRoom, HallRoom]
    max_rooms = 2

    async def connect(self) -> None:
        self.session["user"] = self.scope["query_string"].decode()
        await self.accept()

    @ws_handler
    async def say(self, message: SayMessage, room: Annotated[ChatRoom, Joined(ChatRoom)]) -> None:
        await room.emit("said", {"by": self.session["user"], "text": message.payload.text})


class Stage:
    """A server with the rooms, and consumers, on one layer."""

    def __init__(self, stack: AsyncExitStack, layer: InMemoryChannelLayer) -> None:
        self.layer = layer
        self._stack = stack
        self.sio = AsyncServer(async_mode="asgi", client_manager=LayerManager("chat"))
        self.sio.register_room(ChatRoom, HallRoom)

        @self.sio.event
        async def connect(sid: str, environ: Any, auth: str) -> None:
            await self.sio.save_session(sid, {"user": auth})

    async def visitor(self, user: str) -> TestClient:
        """Connect a client of Socket.IO."""
        client = await self._stack.enter_async_context(TestClient(self.sio))
        await client.connect(auth=user)
        return client

    async def socket(self, user: str, consumer: Any = Chat) -> WebsocketCommunicator:
        """Connect a plain WebSocket."""
        socket = WebsocketCommunicator(consumer.as_asgi(), f"/?{user}")
        return await self._stack.enter_async_context(socket)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A server and consumers."""
    BANNED.clear()
    LOG.clear()
    layer = InMemoryChannelLayer()
    with override("chat", layer):
        async with AsyncExitStack() as stack:
            made = Stage(stack, layer)
            stack.push_async_callback(made.sio.shutdown)
            yield made
    await layer.close()


def frame(action: str, room: str, data: Any = None, **more: Any) -> dict[str, Any]:
    """Return a frame about a room."""
    return {"action": action, "payload": {"room": room, **({} if data is None else {"data": data})}, **more}


async def subscribe(socket: WebsocketCommunicator, chat_id: Any = 5) -> Any:
    """Ask to be let into a chat, and return the answer."""
    await socket.send_json_to(frame("subscribe", "chat", {"chat_id": chat_id}))
    return await socket.receive_json_from()


async def test_a_client_is_let_in_and_told_so_then_on_join_runs(stage):
    """The answer repeats the ref; hooks run in the order of a join in Socket.IO, with the connection's session."""
    socket = await stage.socket("ann")

    await socket.send_json_to(frame("subscribe", "chat", {"chat_id": 5}, ref=7))
    answer = await socket.receive_json_from()

    assert answer == {"action": "subscribed", "payload": {"room": "chat|5"}, "ref": 7}
    await until(lambda: LOG == [("can_join", "ann"), ("on_join", "ann", "chat|5")])


@pytest.mark.acceptance("FA-5")
@pytest.mark.acceptance("FA-14")
@pytest.mark.acceptance("FC-20")
async def test_members_of_both_kinds_get_what_is_emitted_once_and_nobody_else_does(stage):
    """FA-5, FA-14, FC-20: whoever joined, by whichever protocol; who is only connected hears nothing."""
    ann, ben, eve = await stage.visitor("ann"), await stage.socket("ben"), await stage.socket("eve")
    await ann.call("join_chat", {"chat_id": 5})
    await subscribe(ben)

    await ChatRoom(5).on(stage.sio).emit("news", {"n": 1})
    await stage.sio.emit("end")
    await stage.layer.group_send("everybody", {"type": "fastsio.text", "text": "{}"})

    assert [(await ann.receive("news")).data, (await ann.receive("end")).event] == [{"n": 1}, "end"]
    assert await ben.receive_json_from() == {"action": "news", "payload": {"n": 1}}
    assert await ben.receive_nothing()
    assert await eve.receive_nothing()


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"room": "chat", "data": {"chat_id": 0}}, ("validation_error", "chat_id is required")),
        ({"room": "chat"}, ("validation_error", None)),
        ({"room": "cellar", "data": {}}, ("not_found", "There is no room 'cellar' here; there is 'chat', 'hall'.")),
        ({"room": "hall", "data": {"hall_id": "x"}}, ("validation_error", None)),
        ({"data": {}}, ("validation_error", None)),
        ({"room": "chat", "data": {"chat_id": 66}}, ("forbidden", "You may not join this room.")),
    ],
)
async def test_what_is_refused_is_an_error_and_the_connection_lives_on(stage, payload, error):
    """Whatever is wrong, the client is told in the words of every other error, and may try again."""
    BANNED.add("ann")
    socket = await stage.socket("ann")

    await socket.send_json_to({"action": "subscribe", "payload": payload, "ref": "r"})
    answer = await socket.receive_json_from()
    BANNED.clear()

    assert (answer["action"], answer["ref"]) == ("error", "r")
    assert (answer["payload"]["type"], answer["payload"]["event"]) == (error[0], "subscribe")
    assert error[1] in (None, answer["payload"]["msg"])
    assert (await subscribe(socket))["action"] == "subscribed"


async def test_who_unsubscribes_hears_no_more_and_on_leave_runs(stage):
    """Twice is harmless, and on_leave runs once."""
    socket = await stage.socket("ann")
    await subscribe(socket)

    for _ in range(2):
        await socket.send_json_to(frame("unsubscribe", "chat", {"chat_id": 5}))
        assert await socket.receive_json_from() == {"action": "unsubscribed", "payload": {"room": "chat|5"}}
    await ChatRoom(5).on(stage.sio).emit("news")

    assert await socket.receive_nothing()
    assert LOG.count(("on_leave", "ann", "chat|5")) == 1


async def test_who_disconnects_leaves_its_rooms(stage):
    """on_leave runs for each room, and the layer has no member left."""
    socket = await stage.socket("ann")
    await subscribe(socket)
    await subscribe(socket, 6)

    await socket.disconnect()

    assert {("on_leave", "ann", "chat|5"), ("on_leave", "ann", "chat|6")} <= set(LOG)
    assert Chat.keeper().keeper.is_empty
    assert stage.layer._table.groups == {}


async def test_a_consumer_lets_its_client_in_and_out_itself(stage):
    """Without asking can_join; on_join and on_leave run."""

    class Doorman(Chat):
        @ws_handler(action="move")
        async def move(self, message: dict[str, Any]) -> None:
            step = self.enter_room if message["payload"] == "in" else self.leave_room
            await step(ChatRoom(9))
            await self.send_json({"moved": message["payload"]})

    BANNED.add("ann")
    socket = await stage.socket("ann", Doorman)
    for direction, groups in (("in", {group_of("/", ChatRoom(9))}), ("out", set())):
        await socket.send_json_to({"action": "move", "payload": direction})
        assert await socket.receive_json_from() == {"moved": direction}
        assert stage.layer._table.groups.keys() == groups

    assert LOG == [("on_join", "ann", "chat|9"), ("on_leave", "ann", "chat|9")]


async def test_a_client_is_in_as_many_rooms_as_it_may_be(stage):
    """One more is refused; entering a room again is not one more, and on_join does not run again."""
    socket = await stage.socket("ann")
    await subscribe(socket)
    await subscribe(socket, 6)

    assert (await subscribe(socket, 7))["payload"]["msg"] == "This room cannot be joined."
    assert (await subscribe(socket, 5))["action"] == "subscribed"
    assert LOG.count(("on_join", "ann", "chat|5")) == 1


async def test_handlers_for_members_only(stage):
    """Joined finds the room in the payload of a frame."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben")
    await ann.call("join_chat", {"chat_id": 5})
    await ben.send_json_to({"action": "say", "payload": {"chat_id": 5, "text": "let me in"}})
    refused = await ben.receive_json_from()
    await subscribe(ben)

    await ben.send_json_to({"action": "say", "payload": {"chat_id": 5, "text": "hi"}})

    assert (refused["payload"]["type"], refused["payload"]["msg"]) == ("forbidden", "You are not in this room.")
    assert (await ann.receive("said")).data == {"by": "ben", "text": "hi"}
    assert (await ben.receive_json_from())["payload"]["text"] == "hi"


async def test_presence_and_what_hooks_emit_reach_both_kinds(stage):
    """A hook may leave out the client it is about, of either kind."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben")
    await ann.call("join_hall", {"hall_id": 1})
    await ann.receive("presence")
    await until(lambda: ("welcomed", ann.sid) in LOG)
    await ben.send_json_to(frame("subscribe", "hall", {"hall_id": 1}))
    frames = [await ben.receive_json_from() for _ in range(2)]

    joined = {"room": "hall|1", "user": "ben", "state": "joined", "count": 1}
    assert (await ann.receive("presence")).data == joined
    assert (await ann.receive("welcome")).data == {"to": "all"}
    assert frames == [
        {"action": "subscribed", "payload": {"room": "hall|1"}},
        {"action": "presence", "payload": joined},
    ]
    assert await ben.receive_nothing()


@pytest.mark.parametrize("way", ["kick", "leave", "close", "recheck", "by name"])
async def test_a_server_takes_consumers_out(stage, way):
    """By the name of their channel, or with everybody in the room; on_leave runs once, and they hear no more."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben")
    await ann.call("join_chat", {"chat_id": 5})
    await subscribe(ben)
    room = ChatRoom(5).on(stage.sio)
    (member,) = [each for each in await room.members(cluster=True, timeout=0.05) if each.sid != ann.sid]
    match way:
        case "kick":
            await room.kick(member.sid, "enough")
        case "leave":
            await room.leave(member.sid)
        case "close":
            await room.close()
        case "recheck":
            BANNED.add("ben")
            assert await room.recheck() == []
        case "by name":
            await stage.sio.leave_room(member.sid, "chat|5")
    await until(lambda: LOG.count(("on_leave", "ben", "chat|5")) == 1)
    kicked = way in ("kick", "recheck") and await ben.receive_json_from()
    await room.emit("news")

    assert LOG.count(("on_leave", "ben", "chat|5")) == 1
    if kicked:
        reason = "enough" if way == "kick" else "You may not be in this room any more."
        assert kicked == {"action": "kicked", "payload": {"room": "chat|5", "reason": reason}}
    assert await ben.receive_nothing()


@pytest.mark.parametrize("way", ["kick", "close"])
async def test_consumers_take_clients_of_a_server_out(stage, way):
    """What a hook can do with the room it is given reaches both kinds."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben")
    await ann.call("join_chat", {"chat_id": 5})
    await subscribe(ben)
    room = ChatRoom(5).on(Chat.keeper())

    await (room.kick(ann.sid, "enough") if way == "kick" else room.close())
    await until(lambda: ("on_leave", "ann", "chat|5") in LOG)

    assert ann.rooms() == set()
    if way == "kick":
        assert (await ann.receive("kicked")).data == {"room": "chat|5", "reason": "enough"}
    assert (("on_leave", "ben", "chat|5") in LOG) is (way == "close")
    assert Chat.keeper().keeper.is_empty is (way == "close")


async def test_hooks_have_dependencies(stage, caplog):
    """Replaced in tests, closed after the answer; one that fails while it is closed is logged, and hurts nobody."""

    def doors():
        raise AssertionError("the real doors")

    def other_doors():
        yield {"open"}
        LOG.append(("closed",))
        raise ZeroDivisionError

    class DoorRoom(Room):
        @classmethod
        def extract_room_identifier(cls, which: WhichHall):
            return which.hall_id

        @classmethod
        def can_join(cls, found: Annotated[set[str], Depends(doors)]):
            return "open" in found

    class House(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        rooms = [DoorRoom]
        dependency_overrides = {doors: other_doors}

    socket = await stage.socket("ann", House)
    await socket.send_json_to(frame("subscribe", "door", {"hall_id": 1}))

    assert (await socket.receive_json_from())["payload"] == {"room": "door|1"}
    await until(lambda: LOG == [("closed",)])
    await until(lambda: "ZeroDivisionError" in caplog.text)
    await socket.send_json_to(frame("unsubscribe", "door", {"hall_id": 1}))
    assert (await socket.receive_json_from())["action"] == "unsubscribed"


async def test_a_server_disconnects_a_consumer(stage):
    """By the name of its channel."""
    await stage.visitor("ann")
    ben = await stage.socket("ben")
    await subscribe(ben)
    (member,) = await ChatRoom(5).on(Chat.keeper()).members()

    await stage.sio.disconnect(member.sid)

    assert (await ben.receive_output())["type"] == "websocket.close"


async def test_members_of_both_kinds_are_listed(stage):
    """Those of this server at once, consumers when all are asked."""
    ann, ben = await stage.visitor("ann"), await stage.socket("ben")
    await ann.call("join_hall", {"hall_id": 1})
    await ben.send_json_to(frame("subscribe", "hall", {"hall_id": 1}))
    await ben.receive_json_from()
    room = HallRoom(1).on(stage.sio)

    assert await room.members() == [RoomMember(ann.sid, "ann")]
    assert [each.user for each in await room.members(cluster=True, timeout=0.05)] == ["ann", "ben"]
    of_consumers = HallRoom(1).on(Chat.keeper())
    assert [each.user for each in await of_consumers.members()] == ["ben"]
    assert [each.user for each in await of_consumers.members(cluster=True, timeout=0.05)] == ["ben", "ann"]


async def test_a_server_puts_a_consumer_into_a_room(stage):
    """Without its hooks, as for a client of another server."""
    ben = await stage.socket("ben")
    await subscribe(ben)
    (member,) = await ChatRoom(5).on(stage.sio).members(cluster=True, timeout=0.05)
    await stage.visitor("ann")

    await stage.sio.enter_room(member.sid, "vip")
    await until(lambda: "vip" in stage.layer._table.groups)
    await stage.sio.emit("hello", room="vip")
    await stage.sio.emit("only you", to=member.sid)

    assert [(await ben.receive_json_from())["action"] for _ in range(2)] == ["hello", "only you"]


async def test_names_are_camel_case_where_the_consumer_says_so(stage):
    """Of fields of the hooks' models; a plain dict stays as it is."""

    class CamelChat(Chat):
        camelize = True

    socket = await stage.socket("ann", CamelChat)
    await socket.send_json_to(frame("subscribe", "hall", {"hallId": 3}))

    assert (await socket.receive_json_from())["payload"] == {"room": "hall|3"}


async def test_messages_may_be_told_apart_by_another_field(stage):
    """Requests and confirmations use the field of the class."""

    class Typed(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        discriminator_field = "type"
        rooms = [HallRoom]

    socket = await stage.socket("ann", Typed)
    await socket.send_json_to({"type": "subscribe", "payload": {"room": "hall", "data": {"hall_id": 3}}})
    answer = await socket.receive_json_from()

    assert answer["payload"]["type"] == "internal"  # nobody has said who it is
    assert answer["type"] == "error"
    sent = {model.__name__ for info in Typed.describe().handlers for model in info.output_types}
    assert sent == {"SubscribedMessage", "UnsubscribedMessage"}


async def test_rooms_of_another_namespace(stage):
    """A consumer says in which namespace of Socket.IO its rooms are."""
    stage.sio.register_room(ChatRoom, namespace="/chat")

    @stage.sio.on("connect", namespace="/chat")
    async def connect(sid: str, environ: Any, auth: str) -> None:
        await stage.sio.save_session(sid, {"user": auth}, namespace="/chat")

    class OfChat(Chat):
        room_namespace = "/chat"

    ann, ben, eve = await stage.visitor("ann"), await stage.socket("ben", OfChat), await stage.socket("eve")
    await ann.connect("/chat", auth="ann")
    await ann.call("join_chat", {"chat_id": 5}, namespace="/chat")
    await subscribe(ben)
    await subscribe(eve)

    await ChatRoom(5).on(stage.sio, "/chat").emit("news")

    assert (await ann.receive("news")).namespace == "/chat"
    assert (await ben.receive_json_from())["action"] == "news"
    assert await eve.receive_nothing()


def test_mistakes_are_told_when_the_application_is_made():
    """A class without a layer, a room that nobody can enter, two handlers of one action."""

    class Closed(Room):
        pass

    class NoLayer(AsyncJsonWebsocketConsumer):
        rooms = [ChatRoom]

    class NobodyEnters(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        rooms = [Closed]

    with pytest.raises(SetupError, match="channel_layer_alias"):
        NoLayer.as_asgi()
    with pytest.raises(SetupError, match="extract_room_identifier"):
        NobodyEnters.as_asgi()
    with pytest.raises(SetupError, match="'subscribe'"):

        class Twice(AsyncJsonWebsocketConsumer):
            rooms = [ChatRoom]

            @ws_handler(action="subscribe")
            async def mine(self, message: dict[str, Any]) -> None:
                pass


async def test_a_subclass_may_have_other_rooms_or_none(stage):
    """Rooms are a class's own."""

    class Quiet(Chat):
        rooms = []

    socket = await stage.socket("ann", Quiet)
    answer = await subscribe(socket)

    assert answer["payload"]["type"] == "not_found"
    assert json.dumps(answer["payload"]).count("subscribe") == 2

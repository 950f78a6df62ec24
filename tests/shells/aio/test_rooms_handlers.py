"""Rooms on asyncio: the application's own handlers, routers, middleware, dependencies and failures."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from fastsio import (
    BaseMiddleware,
    Depends,
    Event,
    Room,
    RouterSIO,
    Session,
    SocketID,
)
from fastsio.exceptions import RoomAccessError, RoomIdentifierError
from tests.shells.aio.fake_engine import settled
from tests.shells.aio.rooms import ChatRoom, joined


async def test_a_function_for_the_event_is_wrapped_in_any_order(sio, wire, log):
    """Registered before or after the room, it runs inside of it, and its result is the acknowledgement."""

    @sio.on("join_chat")
    async def join(sid, data):
        return sio.rooms(sid)[1:]

    sio.register_room(ChatRoom)

    @sio.on("leave_chat")
    def leave(sid: SocketID, event: Event):
        return event, sio.rooms(sid)[1:]

    client = await wire.join()
    await client.send(
        '21["join_chat",{"id":5}]', '22["join_chat",{"id":6,"allowed":false}]', '23["leave_chat",{"id":5}]'
    )
    received = [await client.receive() for _ in range(5)]

    assert received[1] == '31[["chat|5"]]'
    assert json.loads(received[2][2:])[0]["error"]["type"] == "forbidden"
    assert received[3:] == ['2["left",{"room":"chat|5"}]', '33["leave_chat",["chat|5"]]']


async def test_a_failing_handler_undoes_the_join(chat, log):
    """The client is told of the failure, is not in the room, and no hook has run."""
    sio, wire = chat

    @sio.on("join_chat")
    async def own(sid, data):
        raise PermissionError("Full.")

    client = await wire.join()
    await client.send('21["join_chat",{"id":5}]')

    assert json.loads((await client.receive())[2:])[0]["error"]["msg"] == "Full."
    assert sio.rooms(client.sid) == [client.sid]
    assert log == []


async def test_handlers_for_every_event_do_not_see_joins(chat):
    """A room answers for its events; others go where they went."""
    sio, wire = chat
    seen = []
    sio.on("*", lambda event, sid, *args: seen.append(event))
    client = await wire.join()

    await joined(client)
    await client.ask("other", 1)

    assert seen == ["other"]


async def test_a_room_alone_opens_its_namespace(sio, wire):
    """No handler is needed beside it."""
    sio.register_room(ChatRoom, namespace="/chat")
    client = await wire.open()
    await client.join("/chat")

    await client.send('2/chat,1["join_chat",{"id":5}]')

    assert await client.receive() == '2/chat,["joined",{"room":"chat|5"}]'


async def test_routers_bring_rooms_with_their_namespace_dependencies_and_middleware(sio, wire):
    """What a router puts around its handlers it puts around the joins of its rooms."""
    steps: list[Any] = []

    class Noting(BaseMiddleware):
        def before_event(self, event, sid, data, **_):
            steps.append(("middleware", event))
            return {**data, "id": data["id"] + 1}

    def guard(session: Session) -> None:
        steps.append("dependency")
        if session.get("banned"):
            raise PermissionError("Banned.")

    inner = RouterSIO("/rooms", middleware=[Noting(events=["join_chat"])], dependencies=[Depends(guard)])
    outer = RouterSIO("/app")
    outer.add_router(inner)
    sio.add_router(outer)
    inner.register_room(ChatRoom)
    client = await wire.open()
    sid = await client.join("/app/rooms")
    assert steps == ["dependency"]
    steps.clear()

    await client.send('2/app/rooms,1["join_chat",{"id":4}]')
    assert await client.receive() == '2/app/rooms,["joined",{"room":"chat|5"}]'
    await client.receive()
    assert steps == [("middleware", "join_chat"), "dependency"]
    (await sio.get_session(sid, "/app/rooms"))["banned"] = True
    await client.send('2/app/rooms,1["join_chat",{"id":5}]')
    assert "Banned." in await client.receive()
    assert ChatRoom(5).where() == (sio, "/app/rooms")


async def test_middleware_runs_once_around_a_join_with_a_handler_of_its_own(sio, wire):
    """Also where the handler and the room came through the same router."""
    steps = []

    class Noting(BaseMiddleware):
        def before_event(self, event, sid, data, **_):
            steps.append(event)
            return data

    router = RouterSIO(middleware=[Noting(events="join_chat")])
    router.register_room(ChatRoom)

    @router.on("join_chat")
    async def own(sid: SocketID, data: dict) -> int:
        return data["id"]

    sio.add_router(router)
    client = await wire.join()
    await client.send('21["join_chat",{"id":5}]')
    await client.receive()

    assert await client.receive() == "31[5]"
    assert steps == ["join_chat"]


async def test_exception_handlers_see_refusals(chat):
    """By their classes: a room's refusal, and the ValueError of an identifier."""
    sio, wire = chat

    @sio.exception_handler(RoomAccessError)
    def refused(exc: RoomAccessError, event: Event):
        return {"refused": event, "msg": exc.msg}

    @sio.exception_handler(ValueError)
    def wrong(exc: ValueError):
        return {"wrong": str(exc), "is": isinstance(exc, RoomIdentifierError)}

    client = await wire.join()

    assert await client.ask("join_chat", {"id": 5, "allowed": False}) == [
        {"refused": "join_chat", "msg": "You may not join this room."}
    ]
    assert await client.ask("join_chat", {"id": ""}) == [
        {"wrong": "a room cannot be identified by an empty text", "is": True}
    ]


async def test_hooks_have_dependencies_that_close_after_the_acknowledgement(sio, wire):
    """One database for both hooks of an event, closed when it is over, after ``on_join``."""
    steps = []

    def database(sid: SocketID):
        steps.append("open")
        yield {5: "ada"}
        steps.append("close")

    Database = Annotated[dict, Depends(database)]  # noqa: N806 - a type

    class Join(BaseModel):
        id: int

    class Guarded(Room):
        @classmethod
        def extract_room_identifier(cls, data: Join, db: Database):
            return data.id

        @classmethod
        async def can_join(cls, data: Join, db: Database):
            return data.id in db

        @classmethod
        async def on_join(cls, db: Database):
            steps.append("on_join")

    sio.register_room(Guarded)
    client = await wire.join()
    [answer] = await client.ask("join_guarded", {"id": "x"})
    assert (answer["error"]["type"], answer["error"]["detail"][0]["loc"]) == ("validation_error", ["args", 0, "id"])
    steps.clear()

    await client.send('21["join_guarded",{"id":"5"}]')
    await settled(lambda: "close" in steps)

    assert steps == ["open", "on_join", "close"]


async def test_a_model_that_a_hook_validates_itself_is_reported_in_detail(sio, wire):
    """pydantic's error is no sentence for people, but a list of what is wrong."""

    class Join(BaseModel):
        id: int

    class Own(Room):
        @classmethod
        def extract_room_identifier(cls, data):
            return Join.model_validate(data).id

    sio.register_room(Own)
    client = await wire.join()
    [answer] = await client.ask("join_own", {"id": "x"})

    assert answer["error"]["type"] == "validation_error"
    assert answer["error"]["detail"][0]["loc"] == ["args", 0, "id"]


async def test_a_second_join_is_confirmed_and_told_to_nobody(chat, log):
    """The client is in already; the payload is the newer one."""
    _, wire = chat
    client = await wire.join()
    await joined(client)
    await joined(client, more=1)

    assert log == [("on_join", 5, client.sid)]


async def test_a_refused_second_join_leaves_the_client_where_it_is(chat):
    """A refusal changes nothing; ``recheck()`` is what throws out."""
    sio, wire = chat
    client = await wire.join()
    await joined(client)

    await client.ask("join_chat", {"id": 5, "allowed": False})

    assert sio.rooms(client.sid)[1:] == ["chat|5"]


async def test_too_many_rooms_are_refused_and_logged(make, caplog):
    """The limit is the server's; the client is told no more than that it cannot."""
    sio, wire = make(max_rooms=1)
    sio.register_room(ChatRoom)
    client = await wire.join()
    await joined(client)

    [answer] = await client.ask("join_chat", {"id": 6})

    assert answer["error"]["msg"] == "This room cannot be joined."
    assert "max_rooms=1" in caplog.text
    assert await ChatRoom(6).members() == []
    with pytest.raises(ValueError, match="max_rooms=1"):
        await ChatRoom(6).enter(client.sid)
    await joined(client)


async def test_a_room_without_a_key_is_no_way_into_other_rooms(sio, wire):
    """Neither into that of another client nor into that of a class."""

    class Plain(Room):
        key = ""

        @classmethod
        def extract_room_identifier(cls, data):
            return data["name"]

    sio.register_room(Plain, ChatRoom)
    victim, client = await wire.join(), await wire.join()

    await client.send('21["join",{"name":"hall"}]')
    assert await client.receive() == '2["joined",{"room":"hall"}]'
    await client.receive()
    [answer] = await client.ask("join", {"name": victim.sid})
    assert answer["error"]["type"] == "forbidden"
    await client.send('2["join",{"name":"chat|5"}]')
    assert await client.receive() == '2["joined",{"room":"chat%7C5"}]'

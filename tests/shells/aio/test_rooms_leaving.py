"""Rooms on asyncio: how a client gets out, and what follows."""

from __future__ import annotations

import pytest

import fastsio
from fastsio import (
    Room,
)
from fastsio.exceptions import EventError
from tests.shells.aio.fake_engine import settled, turns
from tests.shells.aio.rooms import ChatRoom, joined


async def test_leaving_is_confirmed_and_on_leave_runs(chat, log):
    """Symmetric to joining: ``left`` and the acknowledgement; a second time changes nothing."""
    sio, wire = chat
    client = await wire.join()
    await joined(client)

    for _ in range(2):
        await client.send('22["leave_chat",{"id":5}]')
        assert await client.receive() == '2["left",{"room":"chat|5"}]'
        assert await client.receive() == '32[{"room":"chat|5"}]'
    await settled(lambda: len(log) == 2)

    assert log == [("on_join", 5, client.sid), ("on_leave", 5, client.sid)]
    assert sio.rooms(client.sid) == [client.sid]


@pytest.mark.parametrize(
    "way", ["leave", "kick", "close", "by name", "close by name", "by object", "disconnect", "lose"]
)
async def test_on_leave_runs_however_a_client_leaves(chat, log, way):
    """Once, and the room is empty."""
    sio, wire = chat
    client = await wire.join()
    await joined(client)
    await joined(client, 6)
    match way:
        case "leave":
            await ChatRoom(5).leave(client.sid)
        case "kick":
            await ChatRoom(5).kick(client.sid)
        case "close":
            await ChatRoom(5).close()
        case "by name":
            await sio.leave_room(client.sid, "chat|5")
        case "close by name":
            await sio.close_room("chat|5")
        case "by object":
            await sio.leave_room(client.sid, ChatRoom(5))
        case "disconnect":
            await sio.disconnect(client.sid)
        case "lose":
            await client.lose()
    await settled(lambda: ("on_leave", 5, client.sid) in log)
    await turns()

    assert log.count(("on_leave", 5, client.sid)) == 1
    assert log.count(("on_leave", 6, client.sid)) == (way in ("disconnect", "lose"))
    assert await ChatRoom(5).members() == []


async def test_on_leave_runs_although_the_manager_of_the_application_fails(chat, log, monkeypatch, caplog):
    """The failure is logged, and the client counts as a member no longer."""
    sio, wire = chat

    async def failing(*_args, **_kwargs):
        raise RuntimeError("no database")

    client = await wire.join()
    await joined(client)
    monkeypatch.setattr(sio.manager, "disconnect", failing)
    await client.lose()

    assert log[1:] == [("on_leave", 5, client.sid)]
    assert sio.__fastsio__.room_keeper.table.is_empty
    assert "no database" in caplog.text


async def test_the_disconnect_handler_comes_before_on_leave(chat, log):
    """While it runs, the rooms of the client can still be read."""
    sio, wire = chat

    @sio.event
    def disconnect(sid, reason):
        log.append(("disconnect", sio.rooms(sid)[1:]))

    client = await wire.join()
    await joined(client)
    await client.lose()

    assert log[1:] == [("disconnect", ["chat|5"]), ("on_leave", 5, client.sid)]


async def test_on_leave_sees_the_session_and_the_payload_of_the_join(sio, wire):
    """They are what they were, although the client has gone."""
    seen = []

    class Remembering(Room):
        @classmethod
        def extract_room_identifier(cls, session, data):
            session["user"] = "ada"
            return data["id"]

        @classmethod
        def on_leave(cls, session, data):
            seen.append((session, data))

    sio.register_room(Remembering)
    client = await wire.join()
    await client.send('2["join_remembering",{"id":5}]')
    await client.receive()
    await client.lose()

    assert seen == [({"user": "ada"}, {"id": 5})]


async def test_a_failing_hook_is_logged_and_hurts_nobody(sio, wire, caplog):
    """``on_join`` and ``on_leave`` come after the fact."""

    class Failing(ChatRoom):
        key = "failing"

        @classmethod
        def on_join(cls):
            raise RuntimeError("broken join")

        @classmethod
        async def on_leave(cls):
            raise RuntimeError("broken leave")

    sio.register_room(Failing)
    client = await wire.join()
    await client.send('21["join_failing",{"id":5}]')
    assert [await client.receive(), await client.receive()][1] == '31[{"room":"failing|5"}]'
    await client.lose()

    assert "error in test_a_failing_hook" in caplog.text
    assert "broken join" in caplog.text
    assert "broken leave" in caplog.text


async def test_a_client_that_vanishes_while_it_is_entered_is_not(make, log, caplog):
    """Whether the manager finds it gone, or has put it in just before."""

    class Losing(fastsio.AsyncManager):
        async def enter_room(self, sid, namespace, room, eio_sid=None):
            if room == "chat|5":
                await client.lose()
            await super().enter_room(sid, namespace, room, eio_sid)
            if room == "chat|6":
                await client.lose()

    sio, wire = make(client_manager=Losing())
    sio.register_room(ChatRoom)
    for room_id in (5, 6):
        client = await wire.join()
        await client.send(f'21["join_chat",{{"id":{room_id}}}]')
        await turns()

    assert log == []
    assert sio.__fastsio__.room_keeper.table.is_empty
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_a_handler_may_take_its_client_out_again(chat, log):
    """Then the join has failed; nobody is told that it succeeded."""
    sio, wire = chat

    @sio.on("join_chat")
    async def own(sid, data):
        await ChatRoom(data["id"]).leave(sid)

    client = await wire.join()
    [answer] = await client.ask("join_chat", {"id": 5})

    assert (answer["error"]["type"], answer["error"]["msg"]) == ("forbidden", "You are not in this room any more.")
    assert log == []


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_plain_function_may_return_what_is_to_be_awaited(sio, wire, allowed):
    """A permission that has not been asked yet is none."""

    async def ask() -> bool:
        return allowed

    class Deferred(ChatRoom):
        @classmethod
        def can_join(cls):
            return ask()

    sio.register_room(Deferred)
    client = await wire.join()
    await client.send('21["join_deferred",{"id":5}]')
    await settled(lambda: any(frame.startswith("31") for frame in client.frames))

    assert (sio.rooms(client.sid)[1:] == ["deferred|5"]) is allowed


async def test_an_error_without_a_text_has_one(sio, wire):
    """The client reads a sentence in any case; errors of its own kind pass as they are."""

    class Silent(ChatRoom):
        @classmethod
        def extract_room_identifier(cls, data):
            raise ValueError if data["id"] == 5 else EventError("not_found", "No such chat.")

    sio.register_room(Silent)
    client = await wire.join()

    assert (await client.ask("join_silent", {"id": 5}))[0]["error"]["msg"] == "The room is not valid."
    assert (await client.ask("join_silent", {"id": 6}))[0]["error"]["type"] == "not_found"

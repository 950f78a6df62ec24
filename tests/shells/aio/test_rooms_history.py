"""Rooms with a history on asyncio: what a client that joins is sent, and when."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from fastsio import AsyncPubSubManager, BroadcastEvent, History, Room, broadcast
from tests.shells.aio.fake_engine import settled
from tests.shells.aio.rooms import ChatRoom, events


class Feed(ChatRoom):
    key = "feed"
    history = History(size=3)


@pytest.fixture
def feed(sio, wire, log):
    """A server with the room, and its wire."""
    sio.register_room(Feed)
    return sio, wire


async def join(client: Any, **data: Any) -> dict[str, Any]:
    """Ask to join, and return the acknowledgement, or the error in it."""
    await client.send(f'21["join_feed",{json.dumps({"id": 5, **data})}]')
    await settled(lambda: any(frame.startswith("31") for frame in client.frames))
    index = next(index for index, frame in enumerate(client.frames) if frame.startswith("31"))
    (answer,) = json.loads(client.frames.pop(index)[2:])
    return answer


def texts(read: list[Any]) -> list[Any]:
    """Return the first arguments of events, the names of others."""
    return [event[1] if event[0] == "news" else event[0] for event in read]


async def test_what_was_missed_comes_before_the_confirmation_and_each_event_once(feed):
    """The confirmation tells where the room stands, and live events have their offsets."""
    sio, wire = feed
    ann, ben = await wire.join(), await wire.join()
    first = await join(ann)
    await events(ann)
    for number in range(3):
        await sio.emit("news", number, to=Feed(5))
    seen = await events(ann)

    answer = await join(ben, since=seen[0][-1]["offsets"]["feed|5"])
    await sio.emit("news", 3, to=Feed(5))

    read = await events(ben)
    assert texts(read) == [1, 2, "joined", 3]
    offset = seen[2][-1]["offsets"]["feed|5"]
    assert read[2][1] == answer == {"room": "feed|5", "epoch": first["epoch"], "offset": offset, "complete": True}
    assert [event[2] for event in read[:2]] == [event[2] for event in seen[1:]]
    assert first["complete"]


async def test_a_client_is_told_when_events_are_missing(feed):
    """The oldest are dropped first."""
    sio, wire = feed
    ann = await wire.join()
    for number in range(5):
        await sio.emit("news", number, to=Feed(5))

    answer = await join(ann, since=None)

    assert texts(await events(ann)) == [2, 3, 4, "joined"]
    assert not answer["complete"]


async def test_without_since_nothing_is_sent(feed):
    """A page that loads its state elsewhere has it already."""
    sio, wire = feed
    ann = await wire.join()
    await sio.emit("news", 1, to=Feed(5))

    await join(ann)

    assert texts(await events(ann)) == ["joined"]


async def test_with_a_size_of_one_a_client_gets_the_newest_value(sio, wire, log):
    """Whatever way it enters."""

    class Price(ChatRoom):
        key = "price"
        history = History(size=1)

    sio.register_room(Price)
    ann, ben, eve = await wire.join(), await wire.join(), await wire.join()
    for number in (1, 2):
        await sio.emit("news", number, to=Price(5))

    await ann.send('2["join_price",{"id":5}]')
    await settled(lambda: len(ann.frames) > 1)
    await Price(5).enter(ben.sid)
    await sio.enter_room(eve.sid, Price(5))

    assert [texts(await events(client)) for client in (ann, ben, eve)] == [[2, "joined"], [2], [2]]


async def test_a_client_that_may_not_join_gets_nothing(feed, error_of):
    """Whatever it says that it has had."""
    sio, wire = feed
    ann = await wire.join()
    await sio.emit("news", 1, to=Feed(5))

    answer = await join(ann, since="", allowed=False)

    assert (answer["error"]["type"], await events(ann)) == ("forbidden", [])


async def test_a_since_that_is_no_text_is_refused(feed):
    """The error says where."""
    _, wire = feed
    ann = await wire.join()

    answer = await join(ann, since=5)

    assert (answer["error"]["type"], answer["error"]["detail"][0]["loc"]) == ("validation_error", ["args", 0, "since"])


async def test_models_do_not_see_what_concerns_the_history(sio, wire):
    """They may forbid what they do not know; of rooms without a history nothing is taken out."""

    class Which(BaseModel):
        model_config = ConfigDict(extra="forbid")
        id: int

    class Strict(Room):
        history = History()

        @classmethod
        def extract_room_identifier(cls, which: Which) -> int:
            return which.id

    class Plain(Strict):
        history = None

    sio.register_room(Strict, Plain)
    ann = await wire.join()

    await ann.send('21["join_strict",{"id":5,"since":"","epoch":null}]')
    await ann.send('22["join_plain",{"id":5,"since":""}]')
    await settled(lambda: len(ann.frames) == 3)

    assert json.loads(ann.frames[1][2:])[0]["complete"]
    assert json.loads(ann.frames[2][2:])[0]["error"]["detail"][0]["type"] == "extra_forbidden"


async def test_every_way_to_a_room_counts(feed):
    """To it by its object or name, to several rooms, by its own emit() and as a broadcast."""
    sio, wire = feed

    class News(BroadcastEvent):
        number: int

        def broadcast_on(self) -> Room:
            return Feed(5)

    ann = await wire.join()
    await sio.emit("news", 1, to="feed|5")
    await sio.emit("news", 2, room=[Feed(5), "tea"])
    await broadcast(News(number=3))
    assert await read(ann, "") == [1, 2, {"number": 3}]
    await Feed(5).emit("news", 4)
    await sio.emit("news", 5, to=Feed(5), skip_sid="nobody")
    assert await read(ann, "") == [{"number": 3}, 4, 5]


async def read(client: Any, since: str) -> list[Any]:
    """Join, leave, and return what came."""
    await join(client, since=since)
    await client.send('2["leave_feed",{"id":5}]')
    await settled(lambda: '2["left",{"room":"feed|5"}]' in client.frames)
    return texts([event for event in await events(client) if event[0] == "news"])


async def test_some_events_are_not_kept(sio, wire, log):
    """Those to everybody, those to be acknowledged, and what the room itself says."""

    class Office(ChatRoom):
        key = "feed"
        history = History()
        presence = True

    sio.register_room(Office)
    ann, ben = await wire.join(), await wire.join()
    await join(ann)
    await sio.emit("news", 1)
    await sio.emit("news", 2, to=Office(5), callback=print)
    await Office(5).kick(ann.sid)
    read_by_ann, ben.frames[:] = list(ann.frames), []

    await join(ben, since="")

    assert read_by_ann[-1].startswith('2["kicked"')
    assert not any("offsets" in frame for frame in read_by_ann)
    assert [event[0] for event in await events(ben)] == ["joined", "presence"]


async def test_an_event_to_several_rooms_says_nothing_of_rooms_that_the_client_is_not_in(feed):
    """A client gets it once, with the offsets in its own rooms."""
    sio, wire = feed
    ann, ben, eve = await wire.join(), await wire.join(), await wire.join()
    for client, room in ((ann, Feed(5)), (ann, Feed(6)), (ben, Feed(6)), (eve, "tea")):
        await sio.enter_room(client.sid, room)

    await sio.emit("news", 1, to=[Feed(5), Feed(6), "tea"])

    got = [(await events(client))[0][2:] for client in (ann, ben, eve)]
    assert [[sorted(each["offsets"]) for each in last] for last in got] == [[["feed|5", "feed|6"]], [["feed|6"]], []]


async def test_who_was_left_out_gets_it_neither_later(feed):
    """As long as it has the same sid."""
    sio, wire = feed
    ann, ben = await wire.join(), await wire.join()
    await sio.emit("news", 1, to=Feed(5), skip_sid=ann.sid)

    assert (await read(ann, ""), await read(ben, "")) == ([], [1])


async def test_a_member_that_asks_again_gets_what_was_before_it_and_nothing_twice(feed):
    """It has got everything else already."""
    sio, wire = feed
    ann = await wire.join()
    await sio.emit("news", 1, to=Feed(5))
    await join(ann)
    await sio.emit("news", 2, to=Feed(5))
    assert texts(await events(ann)) == ["joined", 2]

    answer = await join(ann, since="")

    assert texts(await events(ann)) == [1, "joined"]
    assert answer["offset"].endswith("-2")


async def test_a_client_that_is_in_the_room_by_name_gets_nothing_when_it_becomes_a_member(feed):
    """It is told where the room stands."""
    sio, wire = feed
    ann = await wire.join()
    await sio.enter_room(ann.sid, Feed(5))
    await sio.emit("news", 1, to=Feed(5))
    await events(ann)

    answer = await join(ann, since="")

    assert (texts(await events(ann)), answer["complete"]) == (["joined"], True)


async def test_what_is_sent_while_a_client_joins_comes_once_and_in_order(sio, wire, log):
    """Before it is in the room as what it has missed, afterwards as it is sent."""
    asked, answer = asyncio.Event(), asyncio.Event()

    class Slow(ChatRoom):
        key = "feed"
        history = History()

        @classmethod
        async def can_join(cls):
            asked.set()
            await answer.wait()
            await sio.emit("news", "while asked", to=cls(5))
            return True

    @sio.on("join_feed")
    async def join_feed(sid, data):
        await sio.emit("news", f"in the handler, which got {data}", to=Slow(5))

    sio.register_room(Slow)
    ann = await wire.join()
    await sio.emit("news", "before", to=Slow(5))
    await ann.send('2["join_feed",{"id":5,"since":""}]')
    await asked.wait()
    await sio.emit("news", "meanwhile", to=Slow(5))
    answer.set()
    await settled(lambda: any('"joined"' in frame for frame in ann.frames))

    got = await events(ann)
    assert texts(got) == ["before", "meanwhile", "while asked", "in the handler, which got {'id': 5}", "joined"]
    assert got[-1][1]["offset"] == got[-2][2]["offsets"]["feed|5"]


async def test_recovery_and_history_go_together(make, log):
    """The offset of recovery is the last argument, and a text; that of the room is before it."""
    sio, wire = make(connection_state_recovery=True)
    sio.register_room(Feed)
    ann = await wire.join()
    await join(ann)
    await events(ann)
    await sio.emit("news", 1, to=Feed(5))
    await sio.emit("news", 2, to=[Feed(5), "tea"])

    (_, first, at, offset), (_, second, then, later) = await events(ann)

    assert (first, second, list(at), list(then)) == (1, 2, ["offsets"], ["offsets"])
    assert (offset, later) != (at, then)
    assert [type(each) for each in (offset, later)] == [str, str]
    ben = await wire.join()
    await join(ben, since=at["offsets"]["feed|5"])
    assert (await events(ben))[0][:3] == ["news", 2, then]


class Bus(AsyncPubSubManager):
    """Takes what other servers say, and says nothing."""

    def initialize(self) -> None:
        """Listen to nothing."""

    async def _publish(self, data: dict[str, Any]) -> None:
        """Say nothing."""


async def test_a_history_that_is_lost_before_a_join_is_confirmed(make, log):
    """The confirmation says that the client may have missed something."""
    manager = Bus()
    sio, wire = make(client_manager=manager)
    sio.register_room(Feed)
    ann = await wire.join()
    await sio.emit("news", 1, to=Feed(5))

    @sio.event
    async def join_feed(sid: str, data: Any) -> None:
        manager._report_loss("it is away")

    answer = await join(ann, since="")

    assert (texts(await events(ann)), answer["complete"]) == ([1, "joined"], False)


async def test_events_of_other_servers_are_kept_until_the_bus_is_lost(make, log):
    """Also while the room has no member; after a loss nobody knows what is missing, so a new epoch begins."""
    manager = Bus()
    sio, wire = make(client_manager=manager)
    sio.register_room(Feed)
    ann = await wire.join()
    message = {"method": "emit", "event": "news", "data": [1], "binary": False, "host_id": "other"}
    await manager._take({**message, "namespace": "/", "room": "feed|5", "skip_sid": None, "callback": None})

    before = await join(ann, since="")
    assert texts(await events(ann)) == [1, "joined"]
    manager._report_loss("it is away")
    await ann.send('2["leave_feed",{"id":5}]')
    after = await join(ann, since=before["offset"])

    assert (after["complete"], after["epoch"] == before["epoch"]) == (False, False)

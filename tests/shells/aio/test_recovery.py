"""Connection state recovery on asyncio: what a lost client comes back to, and what it does not."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

import fastsio
from fastsio.base.server import reopen
from fastsio.engine.request import PROTOCOL_KEY
from fastsio.exceptions import ClientLeftError, SetupError
from fastsio.protocol.offset import read_offset, write_offset
from fastsio.state.recovery import Found
from tests.shells.aio.fake_engine import settled, turns
from tests.shells.aio.rooms import ChatRoom
from tests.shells.aio.seats import Seat, joined_with_offset
from tests.support.waiting import WAIT_S


async def test_a_lost_client_comes_back(recovering):
    """It has its sid, rooms and session data, and gets what it missed before the answer to CONNECT."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    sid, pid = seat.sid, seat.pid
    await sio.enter_room(sid, "tea")
    await sio.save_session(sid, {"user": "ann"})
    await sio.emit("news", 1, room="tea")
    assert await seat.event() == ["news", 1]
    await seat.client.lose()
    await sio.emit("news", 2, room="tea")
    await sio.emit("news", 3, to=sid)
    await sio.emit("news", 4, room="milk")

    missed = await seat.back()

    assert missed == [["news", 2], ["news", 3]]
    assert (seat.sid, seat.pid) == (sid, pid)
    assert sio.rooms(sid) == [sid, "tea"]
    assert await sio.get_session(sid) == {"user": "ann"}
    await sio.emit("news", 5, room="tea")
    assert await seat.event() == ["news", 5]


async def test_handlers_are_told_and_see_no_pid(recovering):
    """Connect and disconnect handlers run each time, with what the client has sent beside pid and offset."""
    sio, wire = recovering
    seen: list[Any] = []

    @sio.event
    async def connect(sid: fastsio.SocketID, auth: fastsio.Auth, recovered: fastsio.Recovered) -> None:
        seen.append((auth, bool(recovered), recovered.rooms, dict(recovered.session)))
        await sio.enter_room(sid, "tea")
        await sio.save_session(sid, {"user": "ann"})

    @sio.event
    async def disconnect(sid: fastsio.SocketID, reason: fastsio.Reason) -> None:
        seen.append((reason, sio.rooms(sid)))

    seat = await Seat(wire).connect(token=1)
    await seat.client.lose("ping timeout")
    await seat.back(token=2)

    assert seen == [
        ({"token": 1}, False, (), {}),
        ("ping timeout", [seat.sid, "tea"]),
        ({"token": 2}, True, ("tea",), {"user": "ann"}),
    ]


@pytest.mark.parametrize("reason", ["transport close", "transport error", "ping timeout", "client disconnect"])
async def test_the_end_of_a_connection_can_be_recovered(recovering, reason):
    """Also one that the client's Engine.IO has ended, while its namespace goes on."""
    _, wire = recovering
    seat = await Seat(wire).connect()
    sid = seat.sid
    await seat.client.lose(reason)

    await seat.back()

    assert seat.sid == sid


@pytest.mark.parametrize(
    "way", ["leaves", "server disconnects", "server ends", "breaks protocol", "disconnected later"]
)
async def test_the_end_of_a_client_cannot(recovering, way):
    """One that has left, that the server has sent away, or that broke the protocol, comes back as a new client."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    sid, pid = seat.sid, seat.pid
    match way:
        case "leaves":
            await seat.client.send("1")
            await seat.client.lose()
        case "server disconnects":
            await sio.disconnect(sid)
            await seat.client.lose()
        case "server ends":
            await seat.client.lose("server disconnect")
        case "breaks protocol":
            connection = sio._connections[seat.client.eio_sid]
            connection.session = type("Session", (), {"broke_protocol": True, "connection": None})()
            await seat.client.lose("transport error")
        case "disconnected later":
            await seat.client.lose()
            await sio.disconnect(sid)

    await seat.back()

    assert seat.sid != sid
    assert seat.pid != pid


async def test_a_client_that_is_lost_while_it_leaves(recovering):
    """It has left, so it cannot come back, though its connection is lost before its disconnect handler returns."""
    sio, wire = recovering
    may_end = asyncio.Event()
    sio.on("disconnect", lambda sid: may_end.wait())
    seat = await Seat(wire).connect()
    leaving = asyncio.create_task(seat.client.send("1"))
    await turns()
    await seat.client.lose()
    may_end.set()
    await leaving

    assert not sio.__fastsio__.recovery_state.has_sessions()


async def test_a_pid_works_once(recovering):
    """Of two that come back with one pid, the second takes over from the first; there is one client at any time."""
    sio, wire = recovering
    left: list[str] = []
    sio.on("disconnect", lambda sid, reason: left.append(reason))
    seat = await Seat(wire).connect()
    sid, pid = seat.sid, seat.pid
    await seat.client.lose()
    thief = Seat(wire)
    thief.pid = pid

    await thief.back()
    assert thief.sid == sid
    await seat.back()

    assert seat.sid == sid
    assert wire.closed[thief.client.eio_sid] == "transport close"
    assert [each for each, _ in sio.manager.get_participants("/", None)] == [sid]
    assert left == ["transport close", "transport close"]


async def test_two_come_back_at_the_same_time(recovering):
    """While one is being let in, another with the same pid waits for its end."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    sid = seat.sid
    await seat.client.lose()
    others = [Seat(wire) for _ in range(5)]
    for other in others:
        other.pid = seat.pid

    await asyncio.gather(*[other.back() for other in others])

    assert [each for each, _ in sio.manager.get_participants("/", None)].count(sid) == 1
    assert len({other.sid for other in others if other.client.eio_sid in wire.clients}) == len(wire.clients)


async def test_a_takeover_waits_for_the_disconnect_handler(recovering):
    """The connect handler of the new connection runs after the disconnect handler of the old one."""
    sio, wire = recovering
    may_end, seen = asyncio.Event(), []

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        seen.append("connect")

    @sio.event
    async def disconnect(sid: str) -> None:
        await may_end.wait()
        seen.append("disconnect")

    seat = await Seat(wire).connect()
    sid, old = seat.sid, seat.client
    coming = asyncio.ensure_future(seat.back())
    await settled(lambda: old.eio_sid in wire.closed)
    await turns()
    assert seen == ["connect"]
    may_end.set()
    await coming

    assert seen == ["connect", "disconnect", "connect"]
    assert seat.sid == sid


async def test_a_pid_is_of_one_namespace(recovering):
    """In another namespace it says nothing."""
    sio, wire = recovering
    sio.on("x", lambda sid: None, namespace="/other")
    seat = await Seat(wire).connect()
    client = await wire.open()

    await client.send(f'0/other,{{"pid":"{seat.pid}"}}')

    assert json.loads((await client.receive())[len("0/other,") :])["pid"] != seat.pid
    assert seat.client.eio_sid in wire.clients


async def test_what_is_lost_while_it_comes_back_is_not_lost(recovering):
    """A client that is lost again while its connect handler runs can come back again."""
    sio, wire = recovering
    running = asyncio.Event()

    @sio.event
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        if auth:
            running.set()
            await asyncio.Event().wait()

    seat = await Seat(wire).connect()
    sid = seat.sid
    await sio.enter_room(sid, "tea")
    await seat.client.lose()
    await sio.emit("news", 1, room="tea")
    client = await wire.open()
    await client.send(f'0{{"pid":"{seat.pid}","wait":1}}')
    await running.wait()
    await sio.emit("news", 2, room="tea")
    await client.lose()
    await sio.emit("news", 3, room="tea")

    assert await seat.back() == [["news", 1], ["news", 2], ["news", 3]]
    assert (seat.sid, sio.rooms(sid)) == (sid, [sid, "tea"])


async def test_events_that_come_while_it_is_let_in_follow(recovering):
    """What is sent while the connect handler runs comes after the answer to CONNECT, once."""
    sio, wire = recovering

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        await sio.emit("news", "welcome", to=sid)

    seat = await Seat(wire).connect()
    assert await seat.event() == ["news", "welcome"]
    await seat.client.lose()
    await sio.emit("news", 1)

    assert await seat.back() == [["news", 1]]
    assert await seat.event() == ["news", "welcome"]
    assert seat.client.frames == []


async def test_what_cannot_be_replayed_in_full_is_refused(make):
    """A client that has missed an event which is kept no longer is a new one."""
    sio, wire = make(connection_state_recovery={"max_packets": 2})
    seat, lucky = await Seat(wire).connect(), await Seat(wire).connect()
    sid, lucky_sid = seat.sid, lucky.sid
    await seat.client.lose()
    await sio.emit("news", 1)
    assert await lucky.event() == ["news", 1]
    await lucky.client.lose()
    for number in (2, 3):
        await sio.emit("news", number)

    assert await lucky.back() == [["news", 2], ["news", 3]]
    assert await seat.back() == []
    assert (lucky.sid, seat.sid == sid) == (lucky_sid, False)


async def test_sessions_are_forgotten_in_time(make, log):
    """After the time the pid is unknown, and nothing is left of the session."""
    sio, wire = make(connection_state_recovery={"max_disconnection_duration": 0.05})
    sio.register_room(ChatRoom)
    seat = await Seat(wire).connect()
    sid = seat.sid
    await joined_with_offset(seat)
    await seat.client.lose()

    await settled(lambda: ("on_leave", 5, sid) in log)
    await seat.back()

    assert seat.sid != sid


async def test_the_oldest_sessions_make_room(make):
    """Beyond the number of sessions the oldest is forgotten."""
    _, wire = make(connection_state_recovery={"max_sessions": 2})
    seats = [await Seat(wire).connect() for _ in range(3)]
    sids = [seat.sid for seat in seats]
    for seat in seats:
        await seat.client.lose()

    for seat in seats:
        await seat.back()

    assert [seat.sid == sid for seat, sid in zip(seats, sids, strict=True)] == [False, True, True]


async def test_a_hook_for_a_dropped_session_keeps_nobody_waiting(make):
    """The client that took its place has left, and comes back, while on_leave still runs."""
    sio, wire = make(connection_state_recovery={"max_sessions": 1})
    is_leaving, may_leave = asyncio.Event(), asyncio.Event()

    class Club(fastsio.Room):
        """A room whose on_leave takes its time."""

        @classmethod
        def extract_room_identifier(cls, session, data):
            return data["id"]

        @classmethod
        async def on_leave(cls, room):
            is_leaving.set()
            await may_leave.wait()

    sio.register_room(Club)
    member, other = await Seat(wire).connect(), await Seat(wire).connect()
    sid = other.sid
    await member.client.send('2["join_club",{"id":5}]')
    assert await member.event() == ["joined", {"room": "club|5"}]
    await member.client.lose()

    async with asyncio.timeout(WAIT_S):
        await other.client.lose()
        await is_leaving.wait()
        await other.back()
    assert other.sid == sid
    may_leave.set()


async def test_rooms_are_left_while_a_client_is_away(recovering):
    """Its events are not for it any more, and it is not in it when it comes back."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    for room in ("tea", "milk", "water"):
        await sio.enter_room(seat.sid, room)
    await seat.client.lose()
    await sio.leave_room(seat.sid, "tea")
    await sio.close_room("milk")
    for room in ("tea", "milk", "water"):
        await sio.emit("news", room, room=room)

    assert await seat.back() == [["news", "water"]]
    assert sio.rooms(seat.sid) == [seat.sid, "water"]


async def test_a_call_ends_with_the_connection(recovering):
    """Acknowledgements are not waited for across a loss, and their events are not sent again."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    asking = asyncio.ensure_future(sio.call("question", to=seat.sid))
    await seat.client.receive()
    await seat.client.lose()

    with pytest.raises(ClientLeftError):
        await asking
    assert await seat.back() == []


async def test_a_late_answer_is_not_taken_for_that_to_a_later_question(recovering):
    """A client that is back may still answer what it was asked before: the ids of questions are not used again."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    first = asyncio.ensure_future(sio.call("first", to=seat.sid))
    assert await seat.client.receive() == '21["first"]'
    await seat.client.lose()
    with pytest.raises(ClientLeftError):
        await first
    await seat.back()

    second = asyncio.ensure_future(sio.call("second", to=seat.sid))
    ack_id = (await seat.client.receive())[1:].removesuffix('["second"]')
    await seat.client.send('31["the answer to the first"]', f'3{ack_id}["the answer to the second"]')

    assert await second == "the answer to the second"


async def test_old_clients_get_no_offsets(recovering):
    """Clients of Engine.IO 3 see what they saw before, and the same event has an offset for others."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    old = await wire.open(**{PROTOCOL_KEY: 3})
    assert await old.receive() == "0"

    await sio.emit("news", 1)

    assert await old.receive() == '2["news",1]'
    assert await seat.event() == ["news", 1]


@pytest.mark.parametrize(("skips", "expected"), [(False, ["gate", "connect"]), (True, ["connect"])])
async def test_middleware_is_asked_unless_it_is_to_be_skipped(make, skips, expected):
    """By default the middleware of connect runs again; the handler always does."""
    sio, wire = make(connection_state_recovery={"skip_middlewares": skips})
    seen: list[str] = []

    class Gate(fastsio.BaseMiddleware):
        """Writes down that it was asked."""

        async def before_event(self, event: str, sid: str, data: Any, **context: Any) -> Any:
            seen.append("gate")
            return data

    @sio.event
    async def connect(sid: fastsio.SocketID, recovered: fastsio.Recovered) -> None:
        seen.append("connect")

    sio.add_middleware(Gate(), events=["connect"])
    seat = await Seat(wire).connect()
    assert seen == ["gate", "connect"]
    await seat.client.lose()
    seen.clear()
    await seat.back()

    assert seen == expected


async def test_it_does_not_go_with_always_connect(make):
    """The server says so when it is made."""
    with pytest.raises(SetupError, match="always_connect"):
        make(connection_state_recovery=True, always_connect=True)


async def test_nothing_is_kept_by_a_server_that_stops(recovering):
    """The process is about to end; a server that starts again keeps sessions again."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    sid = seat.sid
    await sio.shutdown()
    assert not sio.__fastsio__.recovery_state.has_sessions()

    wire.is_admitting = True
    wire.admit = lambda: None
    reopen(sio)
    await seat.back()
    assert seat.sid != sid
    sid = seat.sid
    await seat.client.lose()
    await seat.back()

    assert seat.sid == sid


async def test_what_was_kept_before_a_restart_ends_in_its_time(make, log):
    """A shutdown stops the timers; when the server starts again they run again."""
    sio, wire = make(connection_state_recovery={"max_disconnection_duration": 0.3})
    sio.register_room(ChatRoom)
    seat = await Seat(wire).connect()
    await joined_with_offset(seat)
    await seat.client.lose()
    recovery = sio.__fastsio__.recovery_state
    await sio.shutdown()
    assert recovery.has_sessions()
    assert len(recovery.log.kept)

    wire.admit = lambda: None
    reopen(sio)

    await settled(lambda: log == [("on_join", 5, seat.sid), ("on_leave", 5, seat.sid)])
    await settled(lambda: not recovery.has_sessions() and not len(recovery.log.kept))
    await sio.shutdown()


async def test_a_client_whose_session_cannot_be_kept_leaves_all_the_same(recovering, monkeypatch, caplog):
    """Nothing is left of it, and the error is logged."""
    sio, wire = recovering

    async def keep(_client):
        raise OSError("the store does not answer")

    monkeypatch.setattr(sio.__fastsio__.recovery, "keep", keep)
    seat = await Seat(wire).connect()
    await seat.client.lose()

    assert "the store does not answer" in caplog.text
    assert (sio.environ, dict(sio.manager.rooms)) == ({}, {})
    assert not sio.__fastsio__.connections


class Store:
    """Sessions that nodes share; it answers when the test lets it that it has none, at once if it has found one."""

    start = 0
    write, read = staticmethod(write_offset), staticmethod(read_offset)

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.found: Found | None = None
        self.kept: Any = None
        self.takes = False

    def store_soon(self, client: Any) -> None: ...

    async def keep(self, session: Any) -> bool:
        self.kept = session
        return self.takes or self.found is None

    async def claim(self, namespace: str, pid: str, offset: str | None) -> Found | None:
        if self.found is not None:
            return self.found
        self.asked.set()
        await self.may_answer.wait()
        return None


class SharingManager(fastsio.AsyncManager):
    """A manager whose nodes share sessions."""

    def share_sessions(self, _recovery: Any) -> Store:
        self.store = Store()
        return self.store


async def test_a_session_ends_if_its_client_goes_while_the_store_is_asked(make):
    """Nothing of it is left once the store has answered that it has none."""
    manager = SharingManager()
    sio, wire = make(client_manager=manager, connection_state_recovery=True)
    seat = await Seat(wire).connect()
    await seat.client.lose()

    coming = asyncio.create_task(seat.back())
    await manager.store.asked.wait()
    coming.cancel()
    await asyncio.wait([coming])
    await seat.client.lose()
    manager.store.may_answer.set()

    await settled(lambda: not sio.__fastsio__.recovery_state.has_sessions())


async def test_a_session_that_is_stored_once_more_is_kept_once(make):
    """Its client was lost again before it was let in; when the time is over nothing is left of it."""

    class Failing(SharingManager):
        """Its store takes everything, and the first client that comes back gets no sid."""

        has_failed = False

        async def pre_connect(self, eio_sid, namespace):
            if self.store.kept is not None and not self.has_failed:
                self.has_failed = True
                raise ZeroDivisionError
            return await super().pre_connect(eio_sid, namespace)

    manager = Failing()
    sio, wire = make(client_manager=manager, connection_state_recovery={"max_disconnection_duration": 0.05})
    manager.store.takes = True
    seat = await Seat(wire).connect()
    await seat.client.lose()
    manager.store.found = Found(manager.store.kept, 0)
    with pytest.raises(ZeroDivisionError):
        await seat.back()

    recovery = sio.__fastsio__.recovery_state
    await settled(lambda: not len(recovery._sessions))
    assert not recovery.has_sessions("/")


async def test_a_client_that_is_lost_while_it_is_let_in_leaves_all_the_same(make):
    """Its connect handler returns while its session is being stored, which takes its time; nothing is left of it."""
    storing, gate, stored, decided = asyncio.Event(), asyncio.Event(), asyncio.Event(), []

    class Slow(SharingManager):
        """Its store takes its time for a client that is lost while it comes back."""

        def share_sessions(self, recovery):
            store = super().share_sessions(recovery)
            keep = store.keep

            async def keep_slowly(session):
                if store.found is not None:
                    storing.set()
                    await stored.wait()
                return await keep(session)

            store.keep, store.takes = keep_slowly, True
            store.tell_return = store.forget = lambda *_: None
            return store

    manager = Slow()
    sio, wire = make(client_manager=manager, connection_state_recovery={"max_disconnection_duration": 0.05})

    @sio.event
    async def connect(sid: fastsio.SocketID, recovered: fastsio.Recovered) -> None:
        if recovered:
            with suppress(asyncio.CancelledError):
                await gate.wait()
            decided.append(sid)

    seat = await Seat(wire).connect()
    await seat.client.lose()
    manager.store.found = Found(manager.store.kept, 0)
    client = await wire.open()
    await client.send("0" + json.dumps({"pid": seat.pid}))
    losing = asyncio.create_task(client.lose())
    await asyncio.wait_for(storing.wait(), WAIT_S)
    gate.set()
    await settled(lambda: decided)
    await turns()
    stored.set()
    await asyncio.wait_for(losing, WAIT_S)

    await settled(lambda: not sio.__fastsio__.recovery_state.has_sessions("/"))
    assert (sio.environ, dict(sio.manager.rooms)) == ({}, {})
    assert not sio.__fastsio__.connections


async def test_a_session_that_cannot_be_stored_once_more_ends(make, log):
    """The client was lost again before it was let in; its rooms are left."""
    asked, may_go_on = asyncio.Event(), asyncio.Event()

    class Failing(SharingManager):
        """Its store finds the session and then takes none; the client waits for its sid."""

        async def pre_connect(self, eio_sid, namespace):
            if self.store.found is not None:
                asked.set()
                await may_go_on.wait()
            return await super().pre_connect(eio_sid, namespace)

    manager = Failing()
    sio, wire = make(client_manager=manager, connection_state_recovery=True)
    sio.register_room(ChatRoom)
    seat = await Seat(wire).connect()
    await joined_with_offset(seat)
    await seat.client.lose()
    manager.store.found = Found(manager.store.kept, 0)

    coming = asyncio.create_task(seat.back())
    await asked.wait()
    coming.cancel()
    await asyncio.wait([coming])
    await seat.client.lose()
    may_go_on.set()

    await settled(lambda: log == [("on_join", 5, seat.sid), ("on_leave", 5, seat.sid)])
    assert sio.__fastsio__.room_keeper.table.is_empty

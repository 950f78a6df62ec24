"""Connection state recovery on asyncio: hostile clients, bad luck, and handlers that do unusual things."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import fastsio
from fastsio.exceptions import ConnectionRefusedError
from tests.shells.aio.fake_engine import settled, turns
from tests.shells.aio.rooms import ChatRoom
from tests.shells.aio.seats import Seat, joined_with_offset

# What a client says


@pytest.mark.parametrize("offset", [5, True, ["~1~"], {"a": 1}, "", "x", "~1", "~-1~", "~99~", "~" + 900 * "9" + "~"])
async def test_an_offset_that_is_none_ends_the_session(recovering, offset):
    """A client that claims to have had what it cannot have had is a new one; nothing is sent to it twice."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    sid = seat.sid
    await sio.emit("news", 1, to=sid)
    await seat.event()
    await seat.client.lose()

    seat.offset = offset
    assert await seat.back() == []
    assert seat.sid != sid


@pytest.mark.parametrize("pid", [5, None, True, [], {}, "", "x", "x" * 5_000, "\ud800"])
async def test_a_pid_that_is_none_is_not_looked_at(recovering, pid):
    """Whatever stands there, the client is a new one, and nobody loses a connection."""
    _, wire = recovering
    other, seat = await Seat(wire).connect(), Seat(wire)
    seat.pid = pid

    await seat.back()

    assert other.client.eio_sid in wire.clients


async def test_a_session_is_kept_although_the_manager_of_the_application_fails(recovering, monkeypatch):
    """A client that comes back does not wait for the end of the old one, whose record is gone."""
    sio, wire = recovering

    async def failing(*_args, **_kwargs):
        raise RuntimeError("no database")

    seat = await Seat(wire).connect()
    sid = seat.sid
    with monkeypatch.context() as patch:
        patch.setattr(sio.manager, "disconnect", failing)
        await seat.client.lose()
    assert sio.__fastsio__.recovery_state._clients == {}

    await seat.back()
    assert seat.sid == sid


async def test_who_guesses_ends_nothing(recovering):
    """Attempts without the pid cost nobody a connection or a session, not even those that know the sid."""
    _, wire = recovering
    here, away = await Seat(wire).connect(), await Seat(wire).connect()
    sid, pid = away.sid, away.pid
    await away.client.lose()
    for guess in (here.sid, away.sid, here.client.eio_sid, here.pid.upper() + "0", *map(str, range(50))):
        thief = Seat(wire)
        thief.pid = guess
        await thief.back()
        assert thief.sid not in {here.sid, sid}

    await away.back()

    assert (away.sid, away.pid) == (sid, pid)
    assert here.client.eio_sid in wire.clients


async def test_one_namespace_of_several_comes_back(recovering):
    """A takeover ends the whole old connection; each of its clients comes back with a pid of its own."""
    sio, wire = recovering
    sio.on("x", lambda sid: None, namespace="/other")
    seat = await Seat(wire).connect()
    await seat.client.send("0/other,")
    first = json.loads((await seat.client.receive())[len("0/other,") :])
    sid = seat.sid

    await seat.back()
    await sio.emit("news", 1, namespace="/other")
    await seat.client.send("0/other," + json.dumps({"pid": first["pid"]}))

    assert seat.sid == sid
    assert await seat.client.receive() == '2/other,["news",1,"~1~"]'
    assert json.loads((await seat.client.receive())[len("0/other,") :]) == first


# What was missed


async def test_a_quiet_client_of_a_busy_server_comes_back(make):
    """Events to others that are kept no longer do not matter to a client that they were not for."""
    sio, wire = make(connection_state_recovery={"max_packets": 5})
    quiet, heard, busy = [await Seat(wire).connect() for _ in range(3)]
    sids = quiet.sid, heard.sid
    await sio.enter_room(heard.sid, "tea")
    await sio.emit("news", 0, room="tea")
    await heard.event()
    for number in range(20):
        await sio.emit("news", number, to=busy.sid)
    await quiet.client.lose()
    await heard.client.lose()
    await sio.emit("news", 1, room="tea")

    assert await quiet.back() == []
    assert await heard.back() == [["news", 1]]
    assert (quiet.sid, heard.sid) == sids


async def test_a_connect_handler_takes_the_client_out_of_a_room(recovering):
    """What the room was sent is not for the client any more, unless another of its rooms got it too."""
    sio, wire = recovering

    @sio.event
    async def connect(sid: fastsio.SocketID, recovered: fastsio.Recovered) -> None:
        if "tea" in recovered.rooms:
            await sio.emit("news", "while it is let in", room="tea")
            await sio.leave_room(sid, "tea")

    seat = await Seat(wire).connect()
    await sio.enter_room(seat.sid, "tea")
    await sio.enter_room(seat.sid, "milk")
    await seat.client.lose()
    await sio.emit("news", "secret", room="tea")
    await sio.emit("news", "both", room=["tea", "milk"])

    assert await seat.back() == [["news", "both"]]
    assert await seat.event() == ["news", "while it is let in"]
    assert sio.rooms(seat.sid) == [seat.sid, "milk"]


async def test_a_room_that_refuses_the_client_tells_it_nothing(make):
    """After the grace, the class of a room is asked before the client gets what the room was sent meanwhile."""
    sio, wire = make(connection_state_recovery={"presence_grace": 0.02})
    left, asked = asyncio.Event(), []

    class Club(fastsio.Room):
        """Lets in those that are on its list."""

        answer: Any = True

        @classmethod
        def extract_room_identifier(cls, session, data):
            return data["id"]

        @classmethod
        def can_join(cls, session, data):
            asked.append(data)
            if cls.answer is None:
                raise ZeroDivisionError
            return cls.answer

        @classmethod
        def on_leave(cls, room):
            left.set()

    sio.register_room(Club)
    for answer in (False, None):
        Club.answer = True
        seat = await Seat(wire).connect()
        await seat.client.send('21["join_club",{"id":5}]')
        assert await seat.event() == ["joined", {"room": "club|5"}]
        await seat.client.lose()
        await left.wait()
        left.clear()
        Club.answer = answer
        await sio.emit("news", "secret", room=Club(5))

        assert await seat.back() == []
        event, data = await seat.event()
        assert (event, data["room"]) == ("kicked", "club|5")
        assert sio.rooms(seat.sid) == [seat.sid]
    assert asked == [{"id": 5}] * 4


async def test_much_that_was_missed(recovering):
    """A client gets little before the answer to its CONNECT, and goes on from where it is lost again after that."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    sid = seat.sid
    await seat.client.lose()
    for number in range(2_500):
        await sio.emit("news", number)

    assert await seat.back() == [["news", number] for number in range(100)]
    assert [await seat.event() for _ in range(1_000)] == [["news", number] for number in range(100, 1_100)]
    await seat.client.lose()
    assert await seat.back() == [["news", number] for number in range(1_100, 1_200)]
    await sio.emit("news", 2_500)
    assert [await seat.event() for _ in range(1_301)] == [["news", number] for number in range(1_200, 2_501)]
    assert (seat.sid, seat.client.frames) == (sid, [])


@pytest.mark.parametrize("part", [1, 3])
async def test_a_client_does_not_take_what_it_missed(recovering, monkeypatch, part):
    """Its connection is closed, so that nothing later reaches it without that; it comes back as before."""
    sio, wire = recovering
    seat = await Seat(wire).connect()
    sid = seat.sid
    await seat.client.lose()
    for number in range(1_500):
        await sio.emit("news", number)
    post, posted = wire.post, []

    def refuse(eio_sid: str, packets: Any, waits: bool = False) -> bool:
        posted.append(eio_sid)
        return len(posted) != (part if part == 1 else part + 1) and post(eio_sid, packets, waits)

    monkeypatch.setattr(wire, "post", refuse)
    client = await wire.open()
    await client.send("0" + json.dumps({"pid": seat.pid}))
    await settled(lambda: wire.closed.get(client.eio_sid) == "transport error")
    await sio.emit("news", 1_500)
    monkeypatch.undo()

    events = [json.loads(frame[1:])[1] for frame in client.frames if frame.startswith("2")]
    assert events == list(range(0 if part == 1 else 1_100))
    assert (await seat.back())[0] == ["news", 0]
    assert seat.sid == sid


async def test_what_a_disconnect_handler_does_counts(recovering):
    """Rooms that it enters, what it saves and what it emits are there when the client is back, though it raised."""
    sio, wire = recovering

    @sio.event
    async def disconnect(sid: str) -> None:
        await sio.emit("bye", 1, to=sid)
        await sio.enter_room(sid, "late")
        await sio.emit("bye", 2, room="late")
        await sio.save_session(sid, {"user": "ann"})
        raise ValueError

    seat = await Seat(wire).connect()
    sid = seat.sid
    await seat.client.lose()
    await sio.emit("bye", 3, room="late")

    assert await seat.back() == [["bye", 1], ["bye", 2], ["bye", 3]]
    assert (sio.rooms(sid), await sio.get_session(sid)) == ([sid, "late"], {"user": "ann"})


# Who may not come back


@pytest.mark.parametrize("way", ["false", "refuses", "fails", "disconnects"])
async def test_a_connect_handler_ends_the_recovery(recovering, log, way):
    """However it refuses the client, nothing is left of the session, and no event was sent."""
    sio, wire = recovering
    sio.register_room(ChatRoom)

    @sio.event
    async def connect(sid: fastsio.SocketID, recovered: fastsio.Recovered) -> bool | None:
        match way if recovered else "":
            case "false":
                return False
            case "refuses":
                raise ConnectionRefusedError("no")
            case "fails":
                raise ZeroDivisionError
            case "disconnects":
                await sio.disconnect(sid)
        return None

    seat = await Seat(wire).connect()
    sid, pid = seat.sid, seat.pid
    await joined_with_offset(seat)
    await seat.client.lose()
    await sio.emit("news", 1)
    client = await wire.open()
    await client.send("0" + json.dumps({"pid": pid, "offset": seat.offset}))

    assert (await client.receive()).startswith("4")
    await settled(lambda: ("on_leave", 5, sid) in log)
    shared = sio.__fastsio__
    assert (len(shared.recovery_state._sessions), shared.recovery_state._clients, shared.recovery_state._ends) == (
        0,
        {},
        {},
    )
    assert (shared.room_keeper.table.is_empty, shared.room_keeper.table._away) == (True, set())
    await seat.back()
    assert (seat.sid == sid, seat.pid == pid) == (False, False)


@pytest.mark.parametrize("who", ["its own handler", "another"])
async def test_a_client_that_is_disconnected_while_it_leaves(recovering, who):
    """disconnect() ends the session that is about to be kept."""
    sio, wire = recovering
    begun, may_end = asyncio.Event(), asyncio.Event()

    @sio.event
    async def disconnect(sid: str) -> None:
        begun.set()
        if who == "its own handler":
            await sio.disconnect(sid)
        else:
            await may_end.wait()

    seat = await Seat(wire).connect()
    sid = seat.sid
    losing = asyncio.ensure_future(seat.client.lose())
    await begun.wait()
    if who == "another":
        await sio.disconnect(sid)
        may_end.set()
    await losing

    await seat.back()
    assert seat.sid != sid


async def test_a_client_that_is_disconnected_while_it_is_let_in(recovering):
    """disconnect() counts while the connect handler runs, though the client is lost again before that has decided."""
    sio, wire = recovering
    begun, may_end = asyncio.Event(), asyncio.Event()

    @sio.event
    async def connect(sid: fastsio.SocketID, recovered: fastsio.Recovered) -> None:
        if recovered:
            begun.set()
            await may_end.wait()

    seat = await Seat(wire).connect()
    sid = seat.sid
    await seat.client.lose()
    client = await wire.open()
    await client.send("0" + json.dumps({"pid": seat.pid}))
    await begun.wait()
    await sio.disconnect(sid)
    await client.lose()
    may_end.set()

    await seat.back()
    assert seat.sid != sid


async def test_a_client_that_is_disconnected_while_it_is_announced(make):
    """disconnect() counts between the claim of the session and its return, when a manager takes its time."""
    sio, wire = make(connection_state_recovery=True)
    asked, may_go_on = asyncio.Event(), asyncio.Event()
    seat = await Seat(wire).connect()
    sid, pid = seat.sid, seat.pid
    await sio.enter_room(sid, "tea")
    await seat.client.lose()
    pre_connect = sio.manager.pre_connect

    async def slow_pre_connect(eio_sid: str, namespace: str) -> str:
        asked.set()
        await may_go_on.wait()
        return await pre_connect(eio_sid, namespace)

    sio.manager.pre_connect = slow_pre_connect
    coming = asyncio.ensure_future(seat.back())
    await asked.wait()
    await sio.disconnect(sid)
    may_go_on.set()
    await coming

    assert seat.pid != pid
    assert sio.rooms(seat.sid) == [seat.sid]


async def test_a_client_that_tries_again_while_it_comes_back(make):
    """The second attempt waits for the first, and takes over from it: the client keeps its session."""
    sio, wire = make(connection_state_recovery=True)
    asked, may_go_on = asyncio.Event(), asyncio.Event()
    seat = await Seat(wire).connect()
    sid, pid = seat.sid, seat.pid
    await sio.enter_room(sid, "tea")
    await seat.client.lose()
    await sio.emit("news", 1, room="tea")
    pre_connect = sio.manager.pre_connect

    async def slow_pre_connect(eio_sid: str, namespace: str) -> str:
        asked.set()
        await may_go_on.wait()
        return await pre_connect(eio_sid, namespace)

    sio.manager.pre_connect = slow_pre_connect
    first, second = Seat(wire), Seat(wire)
    first.pid = second.pid = pid
    coming = asyncio.create_task(first.back())
    await asked.wait()
    again = asyncio.create_task(second.back())
    await turns()
    may_go_on.set()

    assert await coming == await again == [["news", 1]]
    assert (second.sid, second.pid) == (sid, pid)
    assert (first.client.eio_sid in wire.clients, second.client.eio_sid in wire.clients) == (False, True)
    assert [each for each, _ in sio.manager.get_participants("/", "tea")] == [sid]
    assert len(sio.__fastsio__.recovery._turns) == 0


@pytest.mark.parametrize("way", ["is lost", "fails", "is refused", "hangs"])
async def test_a_client_that_tries_again_after_an_attempt_that_failed(make, way):
    """It gets its session, unless the first attempt takes longer than takeover_timeout or was refused."""
    sio, wire = make(connection_state_recovery={"takeover_timeout": 0.05 if way == "hangs" else 5})
    asked, may_go_on = asyncio.Event(), asyncio.Event()
    seat = await Seat(wire).connect()
    sid, pid = seat.sid, seat.pid
    await seat.client.lose()
    pre_connect = sio.manager.pre_connect

    async def slow_pre_connect(eio_sid: str, namespace: str) -> str:
        if not asked.is_set():
            asked.set()
            await may_go_on.wait()
            if way == "fails":
                raise ZeroDivisionError
            if way == "is refused":
                await sio.disconnect(sid)
        return await pre_connect(eio_sid, namespace)

    sio.manager.pre_connect = slow_pre_connect
    first = await wire.open()
    coming = asyncio.create_task(first.send("0" + json.dumps({"pid": pid})))
    await asked.wait()
    again = asyncio.create_task(seat.back())
    await turns()
    if way == "hangs":
        await again
    elif way == "is lost":
        await first.lose()
    may_go_on.set()
    await asyncio.wait([coming, again])

    assert (seat.sid == sid) == (way in {"is lost", "fails"})
    assert coming.exception() is None or way == "fails"
    assert len(sio.__fastsio__.recovery._turns) == 0


async def test_a_client_that_cannot_be_announced(make, log, monkeypatch):
    """Its session is as it was, and its presence ends when it would have ended."""
    sio, wire = make(connection_state_recovery={"presence_grace": 0.05})
    sio.register_room(ChatRoom)
    seat = await Seat(wire).connect()
    sid = seat.sid
    await joined_with_offset(seat)
    await seat.client.lose()

    async def fail(eio_sid: str, namespace: str) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(sio.manager, "pre_connect", fail)
    client = await wire.open()
    with pytest.raises(ZeroDivisionError):
        await client.send("0" + json.dumps({"pid": seat.pid}))
    monkeypatch.undo()

    await settled(lambda: ("on_leave", 5, sid) in log)
    await seat.back()
    assert (seat.sid, sio.rooms(sid)) == (sid, [sid, "chat|5"])


async def test_a_disconnect_handler_that_hangs(make, caplog):
    """The client that is back is a new one after a while, and the old one cannot be got back."""
    sio, wire = make(connection_state_recovery={"takeover_timeout": 0.02})
    may_end = asyncio.Event()

    @sio.event
    async def disconnect(sid: str) -> None:
        await may_end.wait()

    seat = await Seat(wire).connect()
    sid, pid = seat.sid, seat.pid
    await seat.back()
    assert (seat.sid == sid, seat.pid == pid) == (False, False)
    assert "takeover_timeout" in caplog.text
    assert pid not in caplog.text
    may_end.set()
    await settled(lambda: not sio.manager.client_of(sid, "/"))

    thief = Seat(wire)
    thief.pid = pid
    await thief.back()
    assert thief.sid != sid
    assert sio.__fastsio__.recovery_state._ends == {}


async def test_the_newcomer_goes_while_it_waits(recovering):
    """The disconnect handler of the old connection ends as it would have, and the session is kept."""
    sio, wire = recovering
    may_end, has_ended = asyncio.Event(), asyncio.Event()

    @sio.event
    async def disconnect(sid: str) -> None:
        await may_end.wait()
        has_ended.set()

    seat = await Seat(wire).connect()
    sid = seat.sid
    coming = asyncio.ensure_future(seat.back())
    await turns()
    coming.cancel()
    await turns()
    may_end.set()
    await has_ended.wait()

    await seat.back()
    assert seat.sid == sid


async def test_the_values_of_the_old_connection_are_closed_first(recovering):
    """Dependencies of the connection are opened for the new one when those of the old one are closed."""
    sio, wire = recovering
    seen: list[str] = []

    async def seat_of_user() -> Any:
        seen.append("open")
        yield 1
        await turns(3)
        seen.append("closed")

    @sio.event
    async def connect(sid: fastsio.SocketID, place: int = fastsio.Depends(seat_of_user, scope="connection")) -> None:
        seen.append("connect")

    seat = await Seat(wire).connect()
    sid = seat.sid
    await seat.back()

    assert seat.sid == sid
    assert seen == ["open", "connect", "closed", "open", "connect"]


async def test_nothing_is_left_of_many_that_stay_away(make):
    """Of clients that do not come back, no table keeps anything but the last moments of their rooms, which are few."""
    sio, wire = make(
        connection_state_recovery={"max_disconnection_duration": 0.05, "max_sessions": 400, "max_bytes": 200_000}
    )
    for number in range(1_000):
        seat = await Seat(wire).connect()
        await sio.enter_room(seat.sid, f"room {number}")
        await seat.client.lose()
        await sio.emit("news", number, room=f"room {number}")

    recovery, table = sio.__fastsio__.recovery_state, sio.manager._table
    assert len(recovery._sessions) <= 400
    await settled(lambda: not len(recovery._sessions) and not len(recovery.log.kept))
    assert (recovery._clients, recovery._ends, recovery.log.kept._by_room, recovery.log.kept.size) == ({}, {}, {}, 0)
    assert (recovery._sessions._by_room, recovery._sessions._by_sid) == ({}, {})
    assert len(recovery.log.kept.dropped) <= 200
    assert (table._rooms, dict(table._clients.get("/", {})), sio._connections) == ({}, {}, {})

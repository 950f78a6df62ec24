"""A store of the application: clients come back to the server after the one that was shut down."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest

import fastsio
from fastsio.exceptions import SetupError
from tests.shells.aio.fake_engine import turns
from tests.shells.aio.rooms import ChatRoom
from tests.shells.aio.seats import Seat

if TYPE_CHECKING:
    from collections.abc import Iterator


class SqlStore:
    """What an application may write."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", check_same_thread=False)
        self.db.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, value BLOB, until REAL)")

    async def keep(self, key: str, value: bytes, seconds: float) -> None:
        self.db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (key, value, time.time() + seconds))

    async def load(self, key: str) -> bytes | None:
        row = self.db.execute("SELECT value FROM kept WHERE key = ? AND until > ?", (key, time.time())).fetchone()
        return None if row is None else row[0]

    async def take(self, key: str) -> bytes | None:
        query = "DELETE FROM kept WHERE key = ? RETURNING value, until"
        row = self.db.execute(query, (key,)).fetchone()
        return row[0] if row is not None and row[1] > time.time() else None

    def keys(self) -> list[str]:
        return sorted(key.partition(":")[0] for (key,) in self.db.execute("SELECT key FROM kept"))


@pytest.fixture
def store() -> Iterator[SqlStore]:
    """A store that outlives servers."""
    store = SqlStore()
    yield store
    store.db.close()


@pytest.fixture
def serve(make, store):
    """Make a server with the store, and its wire."""

    def serve(**options: Any) -> Any:
        return make(connection_state_recovery={"store": store, "takeover_timeout": 0.1, **options})

    return serve


async def test_clients_come_back_after_a_restart(serve, store):
    """With sid, rooms, session data and what they missed, those that were lost before as well; each pid once."""
    sio, wire = serve()
    seats = [await Seat(wire).connect() for _ in range(3)]
    for seat in seats:
        await sio.enter_room(seat.sid, "tea")
        await sio.save_session(seat.sid, {"sid": seat.sid, "b": b"\x01"})
    await sio.emit("news", 1, room="tea")
    assert [await seat.event() for seat in seats] == [["news", 1]] * 3
    known = [(seat.sid, seat.pid) for seat in seats]
    await seats[0].client.lose()
    await sio.emit("news", 2, room="tea")
    await sio.emit("news", 3, room="coffee")
    await sio.shutdown()
    assert store.keys() == ["log", *["session"] * 3]

    after, wire = serve()
    await after.emit("news", 4, room="tea")
    stranger = await Seat(wire).connect()
    await after.enter_room(stranger.sid, "tea")
    await after.emit("news", 5, room="tea")
    missed = []
    for seat in seats:
        seat.wire = wire
        missed.append(await seat.back())

    # The second and the third were sent the second event, and did not read it.
    assert missed == [[["news", 2], ["news", 4], ["news", 5]]] * 3
    assert [(seat.sid, seat.pid) for seat in seats] == known
    for sid, _ in known:
        assert sorted(after.rooms(sid)) == sorted([sid, "tea"])
        assert await after.get_session(sid) == {"sid": sid, "b": b"\x01"}
    await seats[0].client.lose()
    await seats[0].back()
    assert (seats[0].sid, seats[0].pid) == known[0]
    assert store.keys() == ["log"]
    await after.shutdown()


async def test_nothing_is_stored_before_the_shutdown(serve, store):
    """A server that is killed has stored nothing, not even of clients that were lost before: they are new ones."""
    sio, wire = serve()
    seats = [await Seat(wire).connect() for _ in range(2)]
    for seat in seats:
        await sio.save_session(seat.sid, {"user": 7})
    await seats[0].client.lose()
    await sio.emit("news", 1)
    assert store.keys() == []

    # Nothing more is heard of the first server.
    after, wire = serve()
    for seat in seats:
        seat.wire = wire
        assert await seat.back() == []
        assert await after.get_session(seat.sid) == {}
    await after.shutdown()
    assert store.keys() == ["log", "session", "session"]
    await sio.shutdown()


async def test_a_quiet_client_comes_back_after_every_restart(serve):
    """Its offset is from before all of them."""
    sio, wire = serve()
    seat = await Seat(wire).connect()
    await sio.emit("news", 1)
    await seat.event()
    sid = seat.sid
    for _ in range(3):
        await sio.shutdown()
        sio, seat.wire = serve()
        assert await seat.back() == []
        assert seat.sid == sid
        await seat.client.lose()
        assert await seat.back() == []
        assert seat.sid == sid
    await sio.emit("news", 2)
    assert await seat.event() == ["news", 2]
    await sio.shutdown()


async def test_what_was_missed_before_a_restart_is_not_skipped_later(serve):
    """A client that is lost before it has read that is a new one when it comes with its old offset."""
    sio, wire = serve()
    seat = await Seat(wire).connect()
    await sio.emit("news", 1)
    await seat.event()
    first, sid = seat.offset, seat.sid
    await seat.client.lose()
    await sio.emit("news", 2)
    await sio.shutdown()
    sio, seat.wire = serve()
    assert await seat.back() == [["news", 2]]
    await seat.client.lose()
    seat.offset = first
    assert await seat.back() == []
    assert seat.sid != sid
    await sio.shutdown()


async def test_a_member_joins_its_rooms_again(serve):
    """With the payload of its join, as on another node of a cluster."""
    sio, wire = serve()
    sio.register_room(ChatRoom)
    seat = await Seat(wire).connect()
    await seat.client.send('2["join_chat",{"id":5}]')
    await turns()
    assert ChatRoom(5).name in sio.rooms(seat.sid)
    await sio.shutdown()

    after, seat.wire = serve()
    after.register_room(ChatRoom)
    await seat.back()
    assert [member.sid for member in await ChatRoom(5).on(after).members()] == [seat.sid]
    await after.shutdown()


@pytest.mark.parametrize("lost", ["log", "session"])
async def test_what_is_not_in_the_store_any_more(serve, store, lost):
    """The client is a new one; it waits for the log of a server that may still be shutting down."""
    sio, wire = serve()
    seat = await Seat(wire).connect()
    await sio.save_session(seat.sid, {"user": 7})
    await sio.shutdown()
    store.db.execute("DELETE FROM kept WHERE key LIKE ?", (f"{lost}:%",))

    after, seat.wire = serve()
    await seat.back()

    assert await after.get_session(seat.sid) == {}
    await after.shutdown()


async def test_a_client_that_is_lost_again_while_the_store_is_asked(serve, store, monkeypatch):
    """The server stops to handle its packets some time after the loss; the session is stored once more."""
    sio, wire = serve()
    seat = await Seat(wire).connect()
    await sio.save_session(seat.sid, {"user": 7})
    await sio.shutdown()
    take, asked, may_answer = store.take, asyncio.Event(), asyncio.Event()

    async def take_slowly(key: str) -> bytes | None:
        value = await take(key)
        asked.set()
        await may_answer.wait()
        return value

    monkeypatch.setattr(store, "take", take_slowly)
    after, seat.wire = serve(takeover_timeout=5)
    coming = asyncio.create_task(seat.back())
    await asked.wait()
    coming.cancel()
    await asyncio.wait([coming])
    await seat.client.lose()
    may_answer.set()

    await seat.back()
    assert await after.get_session(seat.sid) == {"user": 7}
    await after.shutdown()


async def test_a_store_that_fails(serve, store, caplog):
    """Its errors are logged; clients are new ones."""
    sio, wire = serve()
    seat = await Seat(wire).connect()
    await sio.save_session(seat.sid, {"user": 7})
    store.db.close()
    await sio.shutdown()
    after, seat.wire = serve()
    await seat.back()

    assert await after.get_session(seat.sid) == {}
    assert "cannot be stored, and the client cannot come back: ProgrammingError" in caplog.text
    assert "the store of sessions cannot be asked" in caplog.text
    await after.shutdown()


@pytest.mark.virtual_time
async def test_a_store_that_hangs(serve, store, caplog, monkeypatch):
    """The shutdown ends in its time."""
    sio, wire = serve()
    seat = await Seat(wire).connect()
    await seat.client.lose()
    monkeypatch.setattr(store, "keep", lambda *_: asyncio.Event().wait())

    await sio.shutdown(timeout=0.05)

    assert "the store of recovery takes longer than the shutdown may" in caplog.text


@pytest.mark.virtual_time
async def test_a_store_that_hangs_with_one_session(serve, store, caplog, monkeypatch):
    """It costs the sessions that are not stored yet, and no other: those are stored with their events."""
    sio, wire = serve()
    lost, seat = await Seat(wire).connect(), await Seat(wire).connect()
    await sio.save_session(seat.sid, {"user": 7})
    keep = store.keep
    await lost.client.lose()

    async def hang(key: str, value: bytes, seconds: float) -> None:
        if lost.pid in key:
            await asyncio.Event().wait()
        await keep(key, value, seconds)

    monkeypatch.setattr(store, "keep", hang)
    await sio.shutdown(timeout=0.2)
    assert store.keys() == ["log", "session"]

    after, seat.wire = serve()
    await seat.back()
    assert await after.get_session(seat.sid) == {"user": 7}
    assert "the store of recovery takes longer than the shutdown may" in caplog.text
    await after.shutdown()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("redis", "store='redis' is not valid: it has no method keep"),
        (object(), "it has no method keep"),
        (SqlStore, "give an object, not the class SqlStore"),
    ],
)
def test_what_is_no_store(make, wrong, message):
    """The error names what is missing."""
    with pytest.raises(SetupError, match=message):
        make(connection_state_recovery=fastsio.ConnectionStateRecovery(store=wrong))


@pytest.mark.parametrize(
    ("manager", "message"),
    [
        ("AsyncRedisStreamsManager", "AsyncRedisStreamsManager keeps the sessions of clients itself"),
        ("AsyncRedisManager", "for one process, and AsyncRedisManager connects several"),
    ],
)
def test_a_store_beside_a_manager_of_several_processes(make, store, manager, message):
    """It has a store already, or nodes that do not have the same events."""
    manager = getattr(fastsio, manager)()
    with pytest.raises(SetupError, match=message):
        make(connection_state_recovery={"store": store}, client_manager=manager)


def test_a_store_for_asyncio_in_threads(store):
    """Nobody would await its methods."""
    with pytest.raises(SetupError, match=r"SqlStore.keep\(\) is a coroutine function"):
        fastsio.Server(async_mode="threading", connection_state_recovery={"store": store})

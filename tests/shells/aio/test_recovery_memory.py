"""What clients that are lost and never come back take in memory."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from fastsio import AsyncServer, SocketID
from fastsio.testing import TestClient
from tests.shells.aio.fake_engine import Wire, settled, turns
from tests.support.garbage import circles, what_there_is

DROPS = 10_000
MAX_SESSIONS = 100
#: Blocks of memory that a session may take: its rooms, its data, and its places in the tables.
SESSION_BLOCKS = 20
#: Far fewer blocks than there are drops: the caches of the interpreter.
SPARE_BLOCKS = 500


def make_server(**options: Any) -> AsyncServer:
    """Return a server whose clients have a room and session data."""
    sio = AsyncServer(async_mode="asgi", connection_state_recovery=options)

    @sio.event
    async def connect(sid: SocketID) -> None:
        await sio.enter_room(sid, "hall")
        await sio.save_session(sid, {"user": f"the user of {sid}"})

    return sio


def blocks() -> int:
    """Return how many blocks of memory are in use; tracemalloc would take ten times as long."""
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.virtual_time
async def test_ten_thousand_lost_clients_take_no_more_than_the_sessions_kept() -> None:
    """max_sessions bounds the memory before their time is over, and nothing is left after it."""
    sio = make_server(max_sessions=MAX_SESSIONS, max_disconnection_duration=0.5)
    recovery = sio.__fastsio__.recovery_state
    wire = Wire(sio)

    async def all_forgotten() -> None:
        await settled(lambda: not recovery.has_sessions())
        await turns()  # for the tasks that do what is left to do

    async def lose(count: int) -> None:
        for _ in range(count):
            client = await wire.join()
            await client.lose()
            wire.closed.clear()
            await turns(2)  # no client waits for anything, and the loop has to forget tasks that are done

    await lose(MAX_SESSIONS)
    await all_forgotten()
    before = blocks()

    most = 0
    for _ in range(10):
        await lose(DROPS // 10)
        assert recovery.has_sessions()
        most = max(most, blocks() - before)
    await all_forgotten()
    left = blocks() - before

    assert MAX_SESSIONS < most < MAX_SESSIONS * SESSION_BLOCKS + SPARE_BLOCKS
    assert left < SPARE_BLOCKS


@pytest.mark.virtual_time
async def test_lost_clients_leave_nothing_to_the_garbage_collector() -> None:
    """Neither the connection nor the session that has expired refers to itself in a circle."""
    before = what_there_is()
    sio = make_server(max_disconnection_duration=0.05)
    recovery = sio.__fastsio__.recovery_state

    async def lose() -> None:
        client = TestClient(sio)
        await client.connect()
        await client.drop()
        del client
        await settled(lambda: not recovery.has_sessions())

    await lose()

    with circles(before) as names:
        await lose()

    assert names == set()

"""What clients of a server for threads that are lost and never come back take in memory."""

from __future__ import annotations

import gc
import sys
from threading import Semaphore
from typing import Any

from fastsio import Room, Server, Session
from fastsio.state.recovery import QUIET_ROOM_BYTES
from fastsio.testing import SyncTestClient
from tests.support.waiting import WAIT_S

DROPS = 1_000
MAX_SESSIONS = 20
MAX_PACKETS = 20
#: What the log may take: a quarter of it is for quiet rooms. Each client is one, since it was told that it has joined.
MAX_BYTES = 4 * 20 * QUIET_ROOM_BYTES
#: Blocks of memory that a session may take: its room, its membership, its data, and its places in the tables.
SESSION_BLOCKS = 60
#: Fewer blocks than there are drops: the caches of the interpreter, and the threads that are about to end.
SPARE_BLOCKS = 900


def blocks() -> int:
    """Return how many blocks of memory are in use."""
    gc.collect()
    return sys.getallocatedblocks()


def test_lost_clients_take_no_more_than_the_sessions_kept() -> None:
    """max_sessions, max_packets and max_bytes bound the memory before their time is over, and few rooms are known after it."""
    sio = Server(
        async_mode="threading",
        async_handlers=False,
        connection_state_recovery={
            "max_sessions": MAX_SESSIONS,
            "max_packets": MAX_PACKETS,
            "max_bytes": MAX_BYTES,
            "max_disconnection_duration": 0.5,
        },
    )
    left = Semaphore(0)

    class Club(Room):
        """A room that everybody may join."""

        @classmethod
        def extract_room_identifier(cls, session: Session, data: Any) -> Any:
            return data["id"]

        @classmethod
        def on_leave(cls) -> None:
            left.release()

    sio.register_room(Club)

    def lose(count: int) -> None:
        for _ in range(count):
            client = SyncTestClient(sio).connect()
            client.call("join_club", {"id": 1})
            client.drop()

    def all_forgotten(count: int) -> None:
        for _ in range(count):
            assert left.acquire(timeout=WAIT_S)

    lose(MAX_SESSIONS)
    all_forgotten(MAX_SESSIONS)
    before = blocks()

    most = 0
    for turn in range(5):
        lose(DROPS // 5)
        # All but those that are kept; each of the others is forgotten in a thread of its own.
        all_forgotten(DROPS // 5 - (0 if turn else MAX_SESSIONS))
        most = max(most, blocks() - before)
    all_forgotten(MAX_SESSIONS)
    grown = blocks() - before

    assert MAX_SESSIONS < most < MAX_SESSIONS * SESSION_BLOCKS + SPARE_BLOCKS
    assert grown < SPARE_BLOCKS

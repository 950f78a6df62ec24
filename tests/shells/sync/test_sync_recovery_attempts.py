"""Connection state recovery in threads: clients that come back again before they are back."""

from __future__ import annotations

import json
import queue
import random
import threading
from typing import Any

import pytest

from tests.shells.sync.fake_engine import FakeClient, Wire, wired
from tests.support.waiting import WAIT_S

EVENTS = 1_500
CLIENTS = 3


class Restless:
    """A client that loses its connection at any time, and may come back before the server knows of that."""

    def __init__(self, wire: Wire, seed: int) -> None:
        self.wire, self._random = wire, random.Random(seed)
        self.pid: str | None = None
        self.offset: str | None = None
        self.seen: list[int] = []
        self.sessions: set[str] = set()
        self.connect()
        while not self.is_told:
            self.read(WAIT_S)

    def connect(self) -> None:
        """Open a connection, and ask for the session; what came before the answer counts once that is there."""
        self.is_told = False
        self._early: list[Any] = []
        self.client: FakeClient = self.wire.open()
        auth = {} if self.pid is None else {"pid": self.pid}
        if self.offset is not None:
            auth["offset"] = self.offset
        frame = f"0{json.dumps(auth)}" if auth else "0"
        self.coming = threading.Thread(target=self.client.send, args=(frame,), daemon=True)
        self.coming.start()

    def read(self, timeout_s: float = 0.001) -> bool:
        """Read a frame; False if there is none in time."""
        try:
            frame = self.client.frames.get(timeout=timeout_s)
        except queue.Empty:
            return False
        payload = json.loads(frame[1:])
        if frame.startswith("0"):
            self.pid, self.is_told = payload["pid"], True
            self.sessions.add(payload["sid"])
            for early in self._early:
                self._take(early)
        elif self.is_told:
            self._take(payload)
        else:
            self._early.append(payload)
        return True

    def _take(self, event: list[Any]) -> None:
        _, number, self.offset = event
        self.seen.append(number)

    def go_on(self, is_over: threading.Event) -> None:
        """Lose connections until all events were sent, then read what is left."""
        while not is_over.is_set():
            for _ in range(self._random.randrange(60)):
                if not self.read():
                    break
            if self.is_told or self._random.random() < 0.5:
                if self._random.random() < 0.5:
                    self.client.lose()
                self.connect()
        while not self.seen or self.seen[-1] != EVENTS - 1:
            # An attempt before may have come later to the server, and have taken over.
            if not self.read(0.1) and self.client.eio_sid not in self.wire.clients:
                self.connect()
        self.coming.join(WAIT_S)


@pytest.mark.parametrize("seed", range(4))
def test_attempts_that_overlap_lose_and_double_nothing(seed):
    """Each client keeps its sid, and sees every event once, in order, whatever may wait for it or fit into a batch."""
    sio, wire = wired(connection_state_recovery=True, max_held_packets=2 if seed % 2 else 1000)
    wire.high_water_packets, wire.max_buffer_bytes = (3, 10_000_000) if seed < 2 else (1_000, 10_000_000)
    clients = [Restless(wire, seed * CLIENTS + number) for number in range(CLIENTS)]
    is_over = threading.Event()

    def emit() -> None:
        for number in range(EVENTS):
            sio.emit("news", number)
        is_over.set()

    threads = [threading.Thread(target=client.go_on, args=(is_over,), daemon=True) for client in clients]
    for thread in (*threads, threading.Thread(target=emit, daemon=True)):
        thread.start()
    for thread in threads:
        thread.join(4 * WAIT_S)

    assert is_over.is_set()
    for client in clients:
        assert len(client.sessions) == 1
        assert client.seen == list(range(EVENTS))
    sio.shutdown()

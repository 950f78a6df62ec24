"""A store of the application with the server for threads, whose methods several threads call at once."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.shells.sync.fake_engine import Wire, wired


class DictStore:
    """What an application may write for one process."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def keep(self, key: str, value: bytes, seconds: float) -> None:
        assert 0 < seconds <= 120
        with self._lock:
            self.values[key] = value

    def load(self, key: str) -> bytes | None:
        return self.values.get(key)

    def take(self, key: str) -> bytes | None:
        with self._lock:
            return self.values.pop(key, None)


def connect(wire: Wire, auth: Any = None) -> tuple[Any, list[Any], dict[str, Any]]:
    """Connect; return the client, what came before the answer, and the answer."""
    client = wire.open()
    client.send("0" if auth is None else f"0{json.dumps(auth)}")
    missed = []
    while not (frame := client.receive()).startswith("0"):
        missed.append(json.loads(frame[1:])[:-1])
    return client, missed, json.loads(frame[1:])


def test_clients_come_back_after_a_restart():
    """All at once, each once, with what they missed."""
    store = DictStore()
    sio, wire = wired(connection_state_recovery={"store": store})
    known = [connect(wire)[2] for _ in range(20)]
    for each in known:
        sio.enter_room(each["sid"], "tea")
        sio.save_session(each["sid"], {"sid": each["sid"]})
    sio.emit("news", 1, room="tea")
    sio.shutdown()

    after, wire = wired(connection_state_recovery={"store": store})
    after.emit("news", 2)
    with ThreadPoolExecutor(20) as pool:
        back = list(pool.map(lambda each: connect(wire, {"pid": each["pid"]}), known))

    assert [answer for _, _, answer in back] == known
    assert [missed for _, missed, _ in back] == [[["news", 1], ["news", 2]]] * 20
    for each in known:
        assert after.get_session(each["sid"]) == {"sid": each["sid"]}
        assert "tea" in after.rooms(each["sid"])
    assert [key.partition(":")[0] for key in store.values] == ["log"]
    after.shutdown()

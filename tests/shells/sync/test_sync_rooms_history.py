"""Rooms with a history on threads: several threads emit while clients join."""

from __future__ import annotations

import json
import threading
from typing import Any

from fastsio import History, Room, SocketID
from tests.shells.sync.fake_engine import FakeClient, wired
from tests.support.waiting import WAIT_S

EMITTERS, EVENTS = 3, 60


class Feed(Room):
    history = History(size=EMITTERS * EVENTS + 1)

    @classmethod
    def extract_room_identifier(cls, data: dict[str, Any]) -> Any:
        return data["id"]

    @classmethod
    def on_join(cls, room: Room, sid: SocketID) -> None:
        """Do nothing."""


def read(client: FakeClient, last: str) -> tuple[list[Any], list[int]]:
    """Read until an event has come; return the values of all, and the numbers in their offsets."""
    values, numbers = [], []
    while not values or values[-1] != last:
        name, *arguments = json.loads(client.receive()[1:].lstrip("1"))
        if name == "news":
            values.append(arguments[0])
            numbers.append(int(arguments[1]["offsets"]["feed|5"].rpartition("-")[2]))
    return values, numbers


def test_each_client_gets_each_event_once_and_in_one_order() -> None:
    """Those from before it joined, and those that threads send meanwhile."""
    sio, wire = wired()
    sio.register_room(Feed)
    clients = [wire.join() for _ in range(6)]
    has_begun = threading.Barrier(EMITTERS + 1)

    def emit(name: int) -> None:
        has_begun.wait(WAIT_S)
        for number in range(EVENTS):
            sio.emit("news", f"{name}-{number}", to=Feed(5))

    threads = [threading.Thread(target=emit, args=(name,)) for name in range(EMITTERS)]
    for thread in threads:
        thread.start()
    has_begun.wait(WAIT_S)
    for client in clients:
        client.send('2["join_feed",{"id":5,"since":""}]')
    for thread in threads:
        thread.join(WAIT_S)
    sio.emit("news", "end", to=Feed(5))

    results = [read(client, "end") for client in clients]

    assert all(result == results[0] for result in results)
    values, numbers = results[0]
    assert numbers == list(range(1, EMITTERS * EVENTS + 2))
    assert len(set(values)) == len(values)


def test_a_client_comes_back_with_its_offset() -> None:
    """The confirmation tells where the room stands."""
    sio, wire = wired()
    sio.register_room(Feed)
    client = wire.join()
    client.send('2["join_feed",{"id":5}]')
    _, answer = json.loads(client.receive()[1:])
    client.lose()
    sio.emit("news", 1, to=Feed(5))
    again = wire.join()

    again.send(f'2["join_feed",{json.dumps({"id": 5, "since": answer["offset"]})}]')

    assert json.loads(again.receive()[1:])[:2] == ["news", 1]
    name, told = json.loads(again.receive()[1:])
    assert (name, told["complete"], told["offset"]) == ("joined", True, f"{answer['epoch']}-1")

"""Clients that come back to another process of their machine: their sessions move over the local bus."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import fastsio
from fastsio.aio.backends import local, local_sessions
from tests.integration.clients import Closed, eventually, open_websocket
from tests.integration.local_workers import Workers
from tests.integration.streams_lab import Lab, logger
from tests.support.servers import serve
from tests.support.waiting import WAIT_S


class LocalLab(Lab):
    """Servers with recovery in one directory."""

    async def node(self, recovery: Any = True, **options: Any) -> fastsio.AsyncServer:
        """Start a server, and connect a client, so that it listens; the options are those of its manager."""
        manager = fastsio.AsyncLocalManager(self.stream, **options)
        sio = fastsio.AsyncServer(
            async_mode="asgi", client_manager=manager, connection_state_recovery=recovery, logger=logger
        )

        @sio.event
        async def connect(sid: fastsio.SocketID, recovered: fastsio.Recovered) -> None:
            self.journal.note(("connect", sid, bool(recovered)))

        @sio.event
        async def disconnect(sid: fastsio.SocketID, reason: fastsio.Reason) -> None:
            self.journal.note(("disconnect", sid, reason))

        self.addresses[sio] = await self._stack.enter_async_context(serve(fastsio.ASGIApp(sio)))
        self._stack.push_async_callback(sio.shutdown)
        return sio

    async def lose(self, peer: Any) -> None:
        """Cut the connection of a client, and wait until its server has noticed."""
        await peer.client.vanish()
        await self.journal.until(("disconnect", peer.sid, "transport close"))


@pytest.fixture
async def lab(monkeypatch):
    """Servers in a directory of the test's own, whose path is short; none is killed, so all answer in the end."""
    for module in (local, local_sessions):
        monkeypatch.setattr(module, "ANSWER_S", WAIT_S)
    with TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            yield LocalLab(None, folder, stack)


async def test_a_client_comes_back_to_another_process(lab):
    """It has its sid, rooms and session data, and gets what it missed once, in order."""
    one, other = await lab.node(), await lab.node()
    peer, watcher = await lab.join(one), await lab.join(other)
    data = {"user": 7, b"k": (b"\x01", {2}), "at": datetime.now(UTC)}
    await one.enter_room(peer.sid, "tea")
    await one.save_session(peer.sid, data)
    await other.emit("news", 1, room="tea")
    assert await peer.event() == ["news", 1]

    await lab.lose(peer)
    await one.emit("news", 2, room="tea")
    await one.emit("news", (3, {"raw": [1, None, "ü"]}))
    await one.emit("news", 4, room="coffee")
    await other.emit("news", 5, to=peer.sid)
    await one.emit("news", 6, skip_sid=peer.sid)
    back = await lab.join(other, peer)

    assert (back.sid, back.pid) == (peer.sid, peer.pid)
    assert back.missed == [["news", 2], ["news", 3, {"raw": [1, None, "ü"]}], ["news", 5]]
    assert sorted(other.rooms(back.sid)) == sorted([back.sid, "tea"])
    assert await other.get_session(back.sid) == data
    assert [await watcher.event() for _ in range(2)] == [["news", 3, {"raw": [1, None, "ü"]}], ["news", 6]]
    await one.emit("news", 7, room="tea")
    assert await back.event() == ["news", 7]
    await eventually(lambda: not one.__fastsio__.recovery_state.has_sessions())


async def test_a_client_goes_from_process_to_process(lab):
    """Also one that has got only some of what it had missed: the offsets are those of the process that it was at last."""
    nodes = [await lab.node() for _ in range(3)]
    for each in nodes:
        await lab.join(each)
    peer = await lab.join(nodes[0])
    for number, each in enumerate([*nodes, nodes[0]]):
        await each.emit("news", number)
        assert await peer.event() == ["news", number]
        await lab.lose(peer)
        lab.journal.clear()
        for text in ("a", "b", "c"):
            await nodes[0].emit("missed", text)
        there = nodes[(number + 1) % 3]
        peer = await lab.join(there, peer)
        assert peer.missed == [["missed", text] for text in ("a", "b", "c")]
        await lab.lose(peer)
        lab.journal.clear()
        peer = await lab.join(there, peer)
        assert peer.missed == []


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("after", [0, 5])
async def test_a_client_that_gets_nothing_at_its_new_process(lab, before, after):
    """It has the offset of its old process still, which says nothing of the events of the new one."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)
    await lab.join(other)
    for number in range(4):
        await one.emit("news", number, to=peer.sid)
        await peer.event()
    await lab.lose(peer)
    lab.journal.clear()
    for number in range(before):
        await one.emit("before", number, to=peer.sid)
    back = await lab.join(other, peer)
    assert len(back.missed) == before

    back.offset = peer.offset  # its connection is lost before it has read anything
    await lab.lose(back)
    for number in range(after):
        await other.emit("after", number, to=peer.sid)
    again = await lab.join(other, back)

    assert again.pid == peer.pid
    assert again.missed == [*back.missed, *(["after", number] for number in range(after))]


async def test_a_pid_is_used_once(lab):
    """Of two that come with one pid at once, one gets it: or the second after the first has lost it."""
    one, two, three = await lab.node(), await lab.node(), await lab.node()
    peer = await lab.join(one)
    await lab.join(two)
    await lab.join(three)
    await lab.lose(peer)

    await asyncio.gather(lab.join(two, peer), lab.join(three, peer))

    assert [sio.manager.is_connected(peer.sid, "/") for sio in (one, two, three)].count(True) == 1
    again = await lab.join(one, peer)
    assert [sio.manager.is_connected(peer.sid, "/") for sio in (one, two, three)].count(True) == 1
    assert again.pid == peer.pid


async def test_a_client_whose_old_connection_lives(lab):
    """Its process ends the old connection first; there are never two with one sid."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)
    await one.emit("news", 1)
    await peer.event()
    await one.enter_room(peer.sid, "tea")

    back = await lab.join(other, peer)

    assert back.pid == peer.pid
    assert lab.journal[1:] == [("disconnect", peer.sid, "transport close"), ("connect", peer.sid, True)]
    assert sorted(other.rooms(back.sid)) == sorted([back.sid, "tea"])


async def test_a_client_that_is_lost_again_while_its_session_is_fetched(lab):
    """Its process takes its time to end the old connection; the session arrives after the new connection is lost."""
    one, other = await lab.node(), await lab.node()
    other.eio.handler_grace = 0.05
    is_ending, may_end = asyncio.Event(), asyncio.Event()

    @one.event
    async def disconnect(sid: fastsio.SocketID) -> None:
        is_ending.set()
        await may_end.wait()

    peer = await lab.join(one)
    await lab.join(other)
    async with open_websocket(lab.addresses[other]) as client:
        await client.send("40" + json.dumps({"pid": peer.pid}))
        await is_ending.wait()
        await client.vanish()
        await eventually(lambda: [each.is_lost for each in other.__fastsio__.connections.values()] == [False])
    may_end.set()

    assert (await lab.join(other, peer)).pid == peer.pid


async def test_an_unknown_pid_is_no_session(lab):
    """No process has it, so the client is a new one at once; one of absurd length is asked for nowhere."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)
    await lab.join(other)

    for pid in ("invented", "x" * 1000):
        peer.pid = pid
        async with asyncio.timeout(local_sessions.ANSWER_S / 2):
            assert (await lab.join(other, peer)).pid != pid


async def test_a_session_that_was_ended_is_gone(lab):
    """By a server that disconnects the client while it is away, whichever it is."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)
    await lab.join(other)
    await lab.lose(peer)
    await other.disconnect(peer.sid)
    await eventually(lambda: not one.__fastsio__.recovery_state.has_sessions())

    assert (await lab.join(other, peer)).pid != peer.pid


async def test_a_process_that_has_missed_messages(lab, caplog):
    """It cannot tell what its clients have missed: those that are away are new ones, and histories begin anew."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)
    await lab.join(other)
    await lab.lose(peer)

    one.manager._note_gap()

    assert "has missed messages" in caplog.text
    assert (await lab.join(other, peer)).pid != peer.pid


async def test_a_malformed_message_about_sessions_is_dropped(lab, caplog):
    """With the reason in the log; what comes after it arrives."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)
    await lab.join(other)

    await other.manager.tell({"method": "mirror", "name": "x", "epoch": 1, "number": 1, "start": 0})
    await other.emit("news", 1)

    assert await peer.event() == ["news", 1]
    assert "dropped: the numbers of messages must be integers" in caplog.text


async def test_data_that_cannot_travel(lab, caplog):
    """The client is a new one, and the log says why."""
    one, other = await lab.node(), await lab.node()
    peer = await lab.join(one)
    await one.save_session(peer.sid, {"lock": asyncio.Lock()})
    await lab.lose(peer)

    assert (await lab.join(other, peer)).pid != peer.pid
    assert "an object of type Lock cannot go to another node" in caplog.text


async def test_members_of_room_classes_are_members_again(lab):
    """It leaves the room at its old process and joins it at the new one, asked with the payload of its join."""
    calls = []

    class ChatRoom(fastsio.Room):
        @classmethod
        async def extract_room_identifier(cls, session: Any, data: Any) -> Any:
            return data["id"]

        @classmethod
        async def can_join(cls, session: Any, data: Any) -> bool:
            calls.append(("can_join", data))
            return True

        @classmethod
        async def on_leave(cls, session: Any) -> None:
            calls.append("on_leave")

    one, other = await lab.node(), await lab.node()
    for each in (one, other):
        each.register_room(ChatRoom)
    peer = await lab.join(one)
    await peer.client.send('42["join_chat",{"id":5,"secret":1}]')
    assert (await peer.event())[0] == "joined"
    await lab.lose(peer)
    await one.emit("news", 1, room="chat|5")

    back = await lab.join(other, peer)

    assert back.missed == [["news", 1]]
    payload = ("can_join", {"id": 5, "secret": 1})
    await eventually(lambda: sorted(map(str, calls)) == sorted(map(str, [payload, payload, "on_leave"])))
    assert [member.sid for member in await ChatRoom(5).on(other).members(cluster=True, timeout=WAIT_S)] == [peer.sid]


async def test_nothing_is_lost_or_sent_twice_while_events_come(lab):
    """Every process emits to the client's room without a pause while the client goes from one to the other."""
    nodes = [await lab.node() for _ in range(3)]
    for each in nodes:
        await lab.join(each)
    peer = await lab.join(nodes[0])
    await nodes[0].enter_room(peer.sid, "tea")
    ends = False

    async def emit_on(name: int) -> int:
        number = 0
        while not ends:
            await nodes[name].emit("n", (name, number), room="tea")
            number += 1
            await asyncio.sleep(0)
        return number

    emitting = [asyncio.create_task(emit_on(name)) for name in range(len(nodes))]
    got: list[list[Any]] = []
    for turn in range(12):
        got += [await peer.event() for _ in range(20)]
        old, sid = peer, peer.sid
        if turn % 2:
            await lab.lose(peer)
            lab.journal.clear()
        peer = await lab.join(nodes[(turn + 1) % 3], old)
        assert (peer.sid, peer.pid) == (sid, old.pid), turn
        got += peer.missed
        if turn % 2 == 0:  # what it has not read is in what it has missed
            await old.client.vanish()
    ends = True
    counts = [await each for each in emitting]
    async with asyncio.timeout(WAIT_S):
        while len(got) < sum(counts):
            got.append(await peer.event())

    for name, count in enumerate(counts):
        assert [number for _, emitter, number in got if emitter == name] == list(range(count))


@pytest.fixture
async def doomed_lab():
    """A worker that is a process, and servers of this one that share its directory."""
    async with Workers() as workers, AsyncExitStack() as stack:
        (doomed,) = await workers.start(1)
        yield LocalLab(None, str(workers.path), stack), doomed


def has_mirrored(sio: fastsio.AsyncServer, person: Any, room: str | None = None) -> bool:
    """Tell whether a server mirrors the session of a client of another process, in a room if one is named."""
    mirrors = sio.manager._sessions._mirrors
    mirror = mirrors.find("/", person.pid)
    return mirror is not None and (room is None or mirror.has("/", person.pid, room))


async def call(person: Any, *event: Any) -> Any:
    """Send an event, and wait for its acknowledgement; nothing else is on its way to the client."""
    await person.client.send(f"421{json.dumps(event)}")
    assert (await person.client.receive())[:3] == "431"


async def test_clients_of_a_worker_that_is_killed(doomed_lab):
    """They come back to others with their rooms, data and what they have missed; those that were away before too."""
    lab, doomed = doomed_lab
    one, two = await lab.node(), await lab.node()
    anna, ben, carl = await doomed.person(), await doomed.person(), await doomed.person()
    await call(anna, "enter", anna.sid, "tea")
    await one.emit("news", 1)
    assert [await each.event() for each in (anna, ben, carl)] == [["news", 1]] * 3
    await carl.client.vanish()
    await one.emit("news", 2, to=[ben.sid, carl.sid])
    assert await ben.event() == ["news", 2]
    await eventually(lambda: any(has_mirrored(each, anna, "tea") for each in (one, two)))
    await doomed.kill()
    await two.emit("news", 3, room="tea")
    await two.emit("news", 4)

    again = [await lab.join(one, anna), await lab.join(two, ben), await lab.join(one, carl)]

    assert [(each.sid, each.pid) for each in again] == [(each.sid, each.pid) for each in (anna, ben, carl)]
    assert [each.missed for each in again] == [
        [["news", 3], ["news", 4]],
        [["news", 4]],
        [["news", 2], ["news", 4]],
    ]
    assert sorted(one.rooms(anna.sid)) == sorted([anna.sid, "tea"])
    await two.emit("news", 5, room="tea")
    assert await again[0].event() == ["news", 5]
    await lab.lose(again[0])
    assert (await lab.join(two, again[0])).pid == anna.pid


async def test_a_worker_that_is_killed_under_load(doomed_lab):
    """Others emit without a pause while it is killed; its clients get each event once, in the order of its emitter."""
    lab, doomed = doomed_lab
    nodes = [await lab.node() for _ in range(2)]
    people = [await doomed.person() for _ in range(5)]
    for each in people:
        await call(each, "enter", each.sid, "tea")
    await eventually(lambda: all(any(has_mirrored(node, each, "tea") for node in nodes) for each in people))
    counts = [0, 0]

    async def emit(name: int) -> None:
        for _ in range(100):
            await nodes[name].emit("news", (name, counts[name]), room="tea")
            counts[name] += 1
            await asyncio.sleep(0)

    before = [asyncio.create_task(emit(name)) for name in range(2)]
    got: list[list[Any]] = [[await each.event() for _ in range(20)] for each in people]
    await doomed.kill()
    await asyncio.gather(*before)
    after = [asyncio.create_task(emit(name)) for name in range(2)]
    for each, events in zip(people, got, strict=True):
        with suppress(Closed):
            while True:
                events.append(await each.event())
    again = [await lab.join(nodes[number % 2], each) for number, each in enumerate(people)]
    await asyncio.gather(*after)
    for node in nodes:
        await node.emit("news", "end", room="tea")

    for old, peer, events in zip(people, again, got, strict=True):
        assert peer.pid == old.pid
        events.extend(peer.missed)
        while sum(event[1] == "end" for event in events) < 2:
            events.append(await peer.event())
        for name, count in enumerate(counts):
            assert [event[2] for event in events if event[1] == name] == list(range(count))


async def test_sessions_are_mirrored_elsewhere_when_the_mirror_ends(doomed_lab):
    """One process after the other ends, and the clients still come back."""
    lab, doomed = doomed_lab
    nodes = [await lab.node() for _ in range(2)]
    ben = await doomed.person()
    await nodes[0].emit("news", 1)
    assert await ben.event() == ["news", 1]
    await eventually(lambda: any(has_mirrored(each, ben) for each in nodes))
    first, second = sorted(nodes, key=lambda each: not has_mirrored(each, ben))
    await first.shutdown()
    await eventually(lambda: has_mirrored(second, ben))
    await doomed.kill()
    await second.emit("news", 2)

    back = await lab.join(second, ben)

    assert (back.pid, back.missed) == (ben.pid, [["news", 2]])


async def test_clients_of_a_process_that_shuts_down(lab):
    """They come back to another one, to what they had before."""
    one, other = await lab.node(), await lab.node()
    await lab.join(other)
    peer = await lab.join(one)
    await one.enter_room(peer.sid, "tea")
    await one.emit("news", 1, room="tea")
    assert await peer.event() == ["news", 1]
    await eventually(lambda: has_mirrored(other, peer, "tea"))

    await one.shutdown()
    await other.emit("news", 2, room="tea")
    back = await lab.join(other, peer)

    assert (back.pid, back.missed) == (peer.pid, [["news", 2]])
    assert sorted(other.rooms(back.sid)) == sorted([back.sid, "tea"])


async def test_a_client_that_has_left_before_does_not_come_back(doomed_lab):
    """Its session was over, and the mirror was told."""
    lab, doomed = doomed_lab
    one = await lab.node()
    ben, carl = await doomed.person(), await doomed.person()
    await eventually(lambda: has_mirrored(one, ben) and has_mirrored(one, carl))
    await ben.client.send("41")
    await eventually(lambda: not has_mirrored(one, ben))
    await one.disconnect(carl.sid)
    await eventually(lambda: not has_mirrored(one, carl))
    await doomed.kill()

    assert (await lab.join(one, ben)).pid != ben.pid
    assert (await lab.join(one, carl)).pid != carl.pid


async def test_a_worker_that_only_hangs_keeps_its_clients(doomed_lab, monkeypatch):
    """There are never two clients with one sid: one that goes elsewhere meanwhile is a new one."""
    monkeypatch.setattr(local_sessions, "ANSWER_S", 0.1)
    monkeypatch.setattr(local_sessions, "ENDING_LOOKS", 2)
    lab, doomed = doomed_lab
    one = await lab.node()
    ben = await doomed.person()
    await eventually(lambda: has_mirrored(one, ben))
    doomed.program.send_signal(signal.SIGSTOP)

    other = await lab.join(one, ben)
    doomed.program.send_signal(signal.SIGCONT)

    assert other.pid != ben.pid
    await one.emit("news", 1)
    assert await ben.event() == ["news", 1]

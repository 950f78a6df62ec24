"""Who is sent what, and what is kept for a client that does not read or answer."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from typing import Any

import pytest

from fastsio.aio.manager import AsyncManager
from fastsio.exceptions import TimeoutError as AckTimeoutError
from fastsio.state import Client, Connection, RoomTable
from tests.integration.clients import eventually, open_polling, open_websocket, owed_by
from tests.support.waiting import WAIT_S


@pytest.mark.parametrize(
    "nobody", [[], (), set(), frozenset(), {}, "", iter(())], ids=lambda value: type(value).__name__
)
async def test_an_empty_recipient_reaches_nobody(make_server, running, nobody):
    """emit(to=[]), to='' and their like reach nobody; None is everybody."""
    sio = make_server()
    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await sio.emit("leak", to=nobody)
        await sio.emit("leak", room=nobody)
        await sio.send("leak", to=nobody)
        await sio.emit("everybody", to=None)

        assert await client.receive() == '42["everybody"]'


async def test_recipients_and_exclusions_may_be_any_iterable(make_server, running):
    """`to` and `skip_sid` take lists, tuples, sets and generators; each client gets an event once."""
    sio = make_server()
    async with running(sio) as address, open_websocket(address) as one, open_websocket(address) as two:
        first, second = await one.join(), await two.join()
        for sid in (first, second):
            await sio.enter_room(sid, "a")
            await sio.enter_room(sid, "b")
        await sio.emit("rooms", to=(room for room in ("a", "b", first)))
        await sio.emit("second", skip_sid={first})
        await sio.emit("second-too", skip_sid=(first,))
        await sio.emit("first", to={"a", "b"}, skip_sid=[second])
        await sio.emit("end")

        assert [await one.receive() for _ in range(3)] == ['42["rooms"]', '42["first"]', '42["end"]']
        assert [await two.receive() for _ in range(4)] == [
            '42["rooms"]',
            '42["second"]',
            '42["second-too"]',
            '42["end"]',
        ]


async def test_unanswered_callbacks_are_bounded(make_server, running):
    """C-10: beyond max_pending_acks the oldest callback is dropped; the newest are still called."""
    sio = make_server(max_pending_acks=3)
    answers = []
    async with running(sio) as address, open_websocket(address) as client:
        sid = await client.join()
        for number in range(1, 6):
            await sio.emit("question", number, to=sid, callback=lambda _answer, number=number: answers.append(number))
        assert [await client.receive() for _ in range(5)][-1] == '425["question",5]'
        await client.send(*[f'43{ack_id}["yes"]' for ack_id in (1, 2, 3, 4, 5)])
        await eventually(lambda: len(answers) == 3)

        assert answers == [3, 4, 5]


async def test_a_call_that_timed_out_is_forgotten(make_server, running):
    """Nothing stays of a call() that timed out or was cancelled, and a late answer is ignored."""
    sio = make_server()
    async with running(sio) as address, open_websocket(address) as client:
        sid = await client.join()
        for _ in range(3):
            with pytest.raises(AckTimeoutError):
                await sio.call("question", to=sid, timeout=0.01)
        question = asyncio.create_task(sio.call("question", to=sid))
        await eventually(lambda: owed_by(sio, sid) == 1)
        question.cancel()
        await asyncio.wait([question])

        assert owed_by(sio, sid) == 0
        await client.send("431[1]", "434[1]")
        assert [await client.receive() for _ in range(4)][-1] == '424["question"]'
        assert await sio_answers(sio, client, sid)


async def sio_answers(sio, client, sid) -> bool:
    """Tell whether a call() to the client works."""
    question = asyncio.create_task(sio.call("still there?", to=sid, timeout=WAIT_S))
    frame = await client.receive()
    await client.send(f"43{frame[2 : frame.index('[')]}[true]")
    return await question


async def test_callbacks_end_with_their_client(make_server, running):
    """The callbacks of a client that left are freed."""
    sio = make_server()

    class Callback:
        def __call__(self, *arguments) -> None:
            """Answer nothing."""

    callback = Callback()
    freed = weakref.ref(callback)
    async with running(sio) as address, open_websocket(address) as client:
        sid = await client.join()
        await sio.emit("question", to=sid, callback=callback)
        await client.close()
        await eventually(lambda: not sio.environ)
        del callback
        gc.collect()

        assert freed() is None


async def test_a_call_to_a_client_that_leaves_ends_at_its_timeout(make_server, running):
    """call() to a client that is gone raises TimeoutError and leaves nothing."""
    sio = make_server()
    async with running(sio) as address, open_websocket(address) as client:
        sid = await client.join()
        await client.close()
        await eventually(lambda: not sio.environ)

        with pytest.raises(AckTimeoutError):
            await sio.call("question", to=sid, timeout=0.01)


class Counted(dict):
    """A dict that counts how often somebody reads from it or walks it."""

    touches = 0

    def __getitem__(self, key) -> Any:
        Counted.touches += 1
        return super().__getitem__(key)

    def __delitem__(self, key) -> None:
        Counted.touches += 1
        super().__delitem__(key)

    def __iter__(self) -> Any:
        for key in super().__iter__():
            Counted.touches += 1
            yield key

    def items(self):
        for item in super().items():
            Counted.touches += 1
            yield item

    def values(self):
        for value in super().values():
            Counted.touches += 1
            yield value

    def pop(self, *arguments):
        Counted.touches += 1
        return super().pop(*arguments)


def touches_of_a_leave(clients: int) -> int:
    """Count what one of *clients* clients, in three rooms, costs when it leaves."""
    table = RoomTable()
    for number in range(clients):
        table.add(Client(f"sid{number}", "/", Connection(f"eio{number}", {}, None, dict)))
        for room in ("everyone", f"team{number % 10}", f"own{number}"):
            table.enter("/", f"sid{number}", room)
    rooms = table._rooms
    rooms["/"] = Counted({room: Counted(members) for room, members in rooms["/"].items()})
    for client in table.members("/", None).values():
        client.rooms = Counted(client.rooms)
    table._clients["/"], table._by_eio_sid["/"] = Counted(table._clients["/"]), Counted(table._by_eio_sid["/"])
    Counted.touches = 0
    table.remove("/", f"sid{clients // 2}")
    return Counted.touches


def test_a_leave_touches_as_much_among_many_as_among_few():
    """A disconnect costs the rooms of that client: as many table touches among 20,000 clients as among 20."""
    assert touches_of_a_leave(20) == touches_of_a_leave(20_000) > 0


def seconds_to_empty(clients: int, leaving: int) -> float:
    """Measure how long *leaving* of *clients* clients take to leave, through the manager."""
    manager = AsyncManager()
    for number in range(clients):
        manager.basic_connect(f"sid{number}", f"eio{number}", "/")
        manager.basic_accept(f"sid{number}", "/")
        manager.basic_enter_room(f"sid{number}", "/", f"room{number}")
    begun = time.thread_time()  # of this thread alone: others take no part in it
    for number in range(leaving):
        manager.get_rooms(f"sid{number}", "/")
        manager.pre_disconnect(f"sid{number}", "/")
        manager.basic_disconnect(f"sid{number}", "/")
    return time.thread_time() - begun


def test_the_time_of_a_disconnect_does_not_grow_with_the_clients():
    """200 disconnects among 20,000 clients take about as long as among 200 (python-socketio: 100 times)."""
    few = min(seconds_to_empty(200, 200) for _ in range(3))
    many = min(seconds_to_empty(20_000, 200) for _ in range(3))

    assert many < few * 10


async def test_a_broadcast_creates_no_task_per_recipient(make_server, running):
    """C-11: a broadcast to many clients starts no task, and is encoded once."""
    sio = make_server()
    encoded = []

    class Packet(sio.packet_class):
        def encode(self):
            encoded.append(self.data)
            return super().encode()

    async with running(sio) as address, open_websocket(address) as one, open_websocket(address) as two:
        await one.join()
        await two.join()
        sio.packet_class = Packet
        tasks = len(asyncio.all_tasks())
        emission = sio.emit("news", 1)
        with pytest.raises(StopIteration):
            emission.send(None)

        assert len(asyncio.all_tasks()) == tasks
        assert encoded == [["news", 1]]
        assert await one.receive() == await two.receive() == '42["news",1]'


async def test_a_slow_client_is_closed(make_server, running, journal, caplog):
    """slow_client='close' ends the session of a client whose buffer is full, and says so once."""
    sio = make_server(max_buffer_packets=10)
    sio.eio.logger = sio.logger

    @sio.event
    async def disconnect(sid, reason):
        journal.note(reason)

    async with running(sio) as address, open_polling(address) as slow, open_websocket(address) as quick:
        sid = await slow.join()
        await quick.join()
        for number in range(20):
            await sio.emit("flood", number, to=sid, wait=False)
        await journal.until("transport error")

        assert caplog.text.count("too slow") == 1
        await eventually(lambda: sid not in sio.manager.rooms["/"][None])
        await sio.emit("news")
        assert await quick.receive() == '42["news"]'


async def test_a_slow_client_loses_new_packets(make_server, running, caplog):
    """slow_client='drop' drops what a full buffer does not take; the client stays and catches up."""
    sio = make_server(max_buffer_packets=10, slow_client="drop")
    sio.eio.logger = sio.logger
    async with running(sio) as address, open_polling(address) as slow:
        sid = await slow.join()
        for number in range(20):
            await sio.emit("flood", number, to=sid, wait=False)

        assert [await slow.receive() for _ in range(10)] == [f'42["flood",{number}]' for number in range(10)]
        await sio.emit("after", to=sid)
        assert await slow.receive() == '42["after"]'
        assert caplog.text.count("too slow") == 1


async def test_a_buffer_is_bounded_by_bytes_too(make_server, running, journal):
    """max_buffer_bytes bounds what waits for a client, however few packets it is in."""
    sio = make_server(max_buffer_bytes=10_000)

    @sio.event
    async def disconnect(sid, reason):
        journal.note(reason)

    async with running(sio) as address, open_polling(address) as slow:
        sid = await slow.join()
        for _ in range(5):
            await sio.emit("flood", "x" * 4000, to=sid, wait=False)

        await journal.until("transport error")


async def test_binary_events_to_one_client_are_never_torn(make_server, running):
    """Frames of events emitted at the same time are not interleaved."""
    sio = make_server()
    async with running(sio) as address, open_websocket(address) as client:
        await client.join()
        await asyncio.gather(*[sio.emit("blob", [bytes([n]), bytes([n + 1])]) for n in range(0, 40, 2)])

        for number in range(0, 40, 2):
            assert (await client.receive()).startswith('452-["blob",[')
            assert await client.receive() == bytes([number])
            assert await client.receive() == bytes([number + 1])

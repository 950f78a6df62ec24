"""Who waits for a client that is behind, and who does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import fastsio
from tests.shells.aio.fake_engine import settled, turns
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.shells.aio.fake_engine import FakeClient, Wire


class Feed(fastsio.Room):
    @staticmethod
    def extract_room_identifier(data: Any) -> Any:
        return data


class Posted(fastsio.BroadcastEvent):
    def broadcast_on(self) -> Feed:
        return Feed(1)


async def behind(wire: Wire) -> FakeClient:
    """Connect a client that is behind from then on."""
    client = await wire.join()
    wire.congested.add(client.eio_sid)
    return client


async def waits(wire: Wire, *calls: Coroutine[Any, Any, Any]) -> list[bool]:
    """Tell of each call whether it waits; all of them return when clients have caught up."""
    tasks = [asyncio.create_task(call) for call in calls]
    await turns()
    waited = [not task.done() for task in tasks]
    wire.congested.clear()
    wire.reads.set()
    await asyncio.wait_for(asyncio.gather(*tasks), WAIT_S)
    return waited


async def test_what_is_sent_to_a_client_that_is_behind_waits(sio, wire):
    """Whichever method sends it, and whether to the client alone or to a room; the packet is sent before."""
    sio.register_namespace(fastsio.AsyncNamespace("/"))
    sio.register_room(Feed)
    namespace = sio.namespace_handlers["/"]
    client = await behind(wire)
    await sio.enter_room(client.sid, Feed(1))

    waited = await waits(
        wire,
        sio.emit("a", to=client.sid),
        sio.emit("b"),
        sio.emit("c", callback=lambda: None),
        sio.send("d", room=client.sid),
        namespace.emit("e"),
        namespace.send("f"),
        Feed(1).emit("g"),
        fastsio.broadcast(Posted()),
    )

    assert waited == [True] * 8
    assert len(client.frames) == 8


async def test_nothing_waits_that_was_told_not_to(sio, wire):
    """``wait=False`` sends and returns."""
    sio.register_namespace(fastsio.AsyncNamespace("/"))
    sio.register_room(Feed)
    namespace = sio.namespace_handlers["/"]
    client = await behind(wire)
    await sio.enter_room(client.sid, Feed(1))

    waited = await waits(
        wire,
        sio.emit("a", to=client.sid, wait=False),
        sio.emit("b", wait=False),
        sio.emit("c", callback=lambda: None, wait=False),
        sio.send("d", room=client.sid, wait=False),
        namespace.emit("e", wait=False),
        namespace.send("f", wait=False),
        Feed(1).emit("g", wait=False),
        fastsio.broadcast(Posted(), wait=False),
    )

    assert waited == [False] * 8
    assert len(client.frames) == 8


async def test_nobody_waits_for_a_client_they_do_not_send_to(sio, wire):
    """One client that is behind is no concern of the others."""
    await behind(wire)
    other = await wire.join()

    assert await waits(wire, sio.emit("a", to=other.sid), sio.emit("b", to="nobody")) == [False, False]


async def test_a_call_waits_for_its_answer_alone(sio, wire):
    """The timeout of ``call()`` begins when it is called."""
    client = await behind(wire)

    call = asyncio.create_task(sio.call("ask", to=client.sid, timeout=WAIT_S))
    assert await client.receive() == '21["ask"]'
    await client.send('31["answer"]')

    assert await asyncio.wait_for(call, WAIT_S) == "answer"


async def test_a_handler_that_waits_keeps_nothing_of_its_client_waiting(sio, wire):
    """Its acknowledgements and other events are taken meanwhile."""
    answers: list[Any] = []

    @sio.event
    async def flood(sid):
        await sio.emit("ask", to=sid, callback=answers.append)

    sio.on("note", lambda _sid, note: answers.append(note))
    client = await behind(wire)
    await client.send('2["flood"]')
    assert await client.receive() == '21["ask"]'

    await client.send('31["answer"]', '2["note","noted"]')
    await settled(lambda: len(answers) == 2)

    assert answers == ["answer", "noted"]
    wire.congested.clear()
    wire.reads.set()


async def test_an_emit_that_an_application_overrides_may_lack_the_option(wire):
    """Servers and namespaces call it with python-socketio's arguments."""
    seen = []

    class Server(fastsio.AsyncServer):
        async def emit(self, event, data=None, to=None, room=None, skip_sid=None, namespace=None, callback=None,
                       ignore_queue=False):  # fmt: skip
            seen.append((event, data))

    sio = Server(async_mode="asgi")
    sio.register_namespace(fastsio.AsyncNamespace("/"))

    await sio.send("a")
    await sio.namespace_handlers["/"].emit("b")

    assert seen == [("message", "a"), ("b", None)]


async def test_a_client_that_is_behind_does_not_delay_that_others_lose_their_permission(sio, wire):
    """Whoever is thrown out of a room is told, and not waited for."""

    class Guarded(fastsio.Room):
        allowed = True

        @staticmethod
        def extract_room_identifier(data: Any) -> Any:
            return data["id"]

        @classmethod
        async def can_join(cls) -> bool:
            return cls.allowed

    sio.register_room(Guarded)
    clients = [await wire.join() for _ in range(3)]
    for client in clients:
        await Guarded(1).enter(client.sid)
        wire.congested.add(client.eio_sid)
    Guarded.allowed = False

    kicked = await asyncio.wait_for(Guarded(1).recheck(), WAIT_S)

    assert kicked == [client.sid for client in clients]
    await asyncio.wait_for(Guarded(2).kick(clients[0].sid, "no"), WAIT_S)

"""Order, flow and the closing handshake of one WebSocket."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from fastsio.engine.frame_reader import LinkLost
from fastsio.engine.frames import close_frame
from fastsio.engine.packet import MessagePacket, join_frames
from fastsio.exceptions import PacketError
from fastsio.integrations.fast import websocket as websocket_module
from fastsio.integrations.fast.websocket import MAX_QUEUED_BYTES
from tests.shells.fast.transport import Listening, make_wire
from tests.support.waiting import WAIT_S


def frame(text: str) -> bytes:
    """Return the frame of a short message."""
    return bytes([0x81, len(text) + 1]) + b"4" + text.encode()


def never(_: object) -> bool:
    """Be called by nobody."""
    raise AssertionError


async def turn() -> None:
    """Let the loop do what was asked of it."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_what_is_queued_in_one_turn_is_one_write():
    """Packets wait for the end of the turn, and leave together and in order."""
    wire, transport, _ = make_wire()
    assert wire.write(join_frames([MessagePacket("a"), MessagePacket("b")]))
    assert wire.write(join_frames([MessagePacket("c")]))
    assert transport.writes == []
    await turn()

    assert transport.writes == [frame("a") + frame("b") + frame("c")]


async def test_the_handshake_is_answered_together_with_the_first_packet():
    """A client is greeted in one segment."""
    wire, transport, _ = make_wire()
    wire.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    wire.write(join_frames([MessagePacket("a")]))
    await turn()

    assert transport.writes == [b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + frame("a")]


async def test_a_broadcast_is_written_at_once_and_more_of_its_turn_together():
    """In order, also with what is meant for this client alone."""
    wire, transport, _ = make_wire()
    assert wire.write_at_once(b"one")
    assert transport.writes == [b"one"]
    wire.write_at_once(b"two")
    wire.write(join_frames([MessagePacket("a")]))
    wire.write_at_once(b"three")
    assert transport.writes == [b"one"]
    await turn()
    wire.write(join_frames([MessagePacket("b")]))
    wire.write_at_once(b"four")
    await turn()
    wire.write_at_once(b"five")

    assert transport.writes == [b"one", b"two" + frame("a") + b"three", frame("b") + b"four", b"five"]


async def test_no_broadcast_is_written_to_a_peer_that_lags_or_has_left():
    """One that lags has what waits for it elsewhere; one that has left needs nothing."""
    wire, transport, _ = make_wire()
    wire.pause_writing()
    assert not wire.write_at_once(b"one")
    wire.resume_writing()
    wire.close(1000)
    written = list(transport.writes)

    assert wire.write_at_once(b"two")
    assert transport.writes == written


async def test_the_frame_of_a_broadcast_is_built_once():
    """Every client gets the same bytes object."""
    packet = MessagePacket("news")

    assert packet.frame is packet.frame
    assert MessagePacket(b"\x00\x01").frame == b"\x82\x02\x00\x01"


async def test_much_is_written_before_the_turn_is_over():
    """What is more than a transport would buffer does not pile up in front of it."""
    wire, transport, _ = make_wire()
    wire.write(join_frames([MessagePacket("x" * MAX_QUEUED_BYTES)]))

    assert len(transport.writes) == 1


async def test_nothing_is_taken_while_the_peer_lags():
    """The engine keeps what a slow peer does not read, and its send waits until the peer has caught up."""
    wire, transport, _ = make_wire()
    wire.pause_writing()
    assert not wire.write(join_frames([MessagePacket("a")]))
    sending = asyncio.create_task(wire.send({"type": "websocket.send", "text": "4b"}))
    await turn()
    assert transport.writes == []
    wire.resume_writing()
    await asyncio.wait_for(sending, WAIT_S)

    assert transport.writes == [frame("b")]


async def test_a_send_comes_after_what_is_queued():
    """Both ways to write keep the order of the calls."""
    wire, transport, _ = make_wire()
    wire.write(join_frames([MessagePacket("a")]))
    await wire.send({"type": "websocket.send", "bytes": b"b"})

    assert b"".join(transport.writes) == frame("a") + b"\x82\x01b"


async def test_messages_wait_in_order_and_hold_back_the_peer():
    """What arrives while nobody waits is kept, and the transport is not read until it was taken."""
    wire, transport, _ = make_wire()
    wire.deliver("a")
    wire.deliver(b"b")
    assert not transport.is_reading_
    received = [await wire.receive(), await wire.receive()]
    waiting = asyncio.create_task(wire.receive())
    await turn()

    assert received == [{"type": "websocket.receive", "text": "a"}, {"type": "websocket.receive", "bytes": b"b"}]
    assert transport.is_reading_
    wire.deliver("c")
    assert (await asyncio.wait_for(waiting, WAIT_S))["text"] == "c"


async def test_what_is_taken_at_once_does_not_wait():
    """A frame is offered when it arrives, unless one waits before it; then the peer is not read."""
    wire, transport, _ = make_wire()
    offered = []

    def handle_frame(data):
        offered.append(data)
        return data != "no"

    wire.listen(Listening(handle_frame, never))
    for data in ("a", "no", "b"):
        wire.deliver(data)

    assert offered == ["a", "no"]
    assert list(wire.frames) == ["no", "b"]
    assert not transport.is_reading_
    wire.resume()
    assert transport.is_reading_


@pytest.mark.parametrize("end", ["lost", "fail", "peer_closes", "hang_up"])
async def test_whoever_listens_learns_of_the_end_once(end):
    """However a WebSocket ends, before it was listened to or after."""
    arguments = {"lost": (), "fail": (1002,), "peer_closes": (close_frame(1000),), "hang_up": (1012,)}[end]
    for is_late in (False, True):
        wire, _, _ = make_wire()
        errors: list[Exception] = []
        if not is_late:
            wire.listen(Listening(never, errors.append))
        getattr(wire, end)(*arguments)
        if is_late:
            wire.listen(Listening(never, errors.append))
        wire.deliver("too late")
        wire.lost()

        assert [type(error) for error in errors] == [LinkLost]


@pytest.mark.parametrize("end", ["lost", "fail", "peer_closes", "hang_up"])
async def test_whoever_waits_learns_of_the_end(end):
    """However a WebSocket ends, messages before the end are read, then LinkLost is raised, again and again."""
    wire, _, _ = make_wire()
    wire.deliver("last")
    arguments = {"lost": (), "fail": (1002,), "peer_closes": (close_frame(1000),), "hang_up": (1012,)}[end]
    getattr(wire, end)(*arguments)
    wire.deliver("too late")
    assert (await wire.receive())["text"] == "last"

    for _ in range(2):
        with pytest.raises(LinkLost):
            await wire.receive()
    with pytest.raises(LinkLost):
        await wire.send({"type": "websocket.send", "text": "x"})
    wire.lost()


async def test_a_message_over_the_limit_is_the_engines_to_judge():
    """The reader gets the limit; what is written last is the code that the engine closes with."""
    wire, transport, _ = make_wire(limit=10)
    wire.fail(1009)
    with pytest.raises(PacketError) as error:
        await wire.receive()
    await wire.send({"type": "websocket.close", "code": 1009})

    assert error.value.limit == 10
    assert transport.writes == [close_frame(1009)]
    wire.lost()


async def test_a_refused_peer_is_hung_up_on_when_it_has_read_why():
    """The rest of a refused message is dropped until the answer to the close frame is seen, or time is up."""
    wire, transport, owner = make_wire()
    wire.fail(1002)
    deaf = transport.protocol
    deaf.data_received(b"x" * 100)
    assert not transport.closed
    deaf.data_received(b"x" * 100 + b"\x88\x82maskcc")

    assert transport.closed
    deaf.connection_lost(None)
    assert owner.notes == ["lost"]


async def test_a_goodbye_does_not_come_before_its_reason():
    """A peer that says goodbye before it was told why is told nevertheless."""
    wire, transport, _ = make_wire()
    wire.fail(1009)
    transport.protocol.data_received(b"\x88\x82maskcc")
    assert not transport.closed
    wire.close(1009)
    await turn()

    assert transport.writes == [close_frame(1009)]
    assert transport.closed
    wire.lost()


async def test_a_refused_peer_that_goes_on_is_hung_up_on(monkeypatch):
    """A peer that sends for ever is not listened to for ever."""
    monkeypatch.setattr(websocket_module, "LINGER_S", 0.01)
    monkeypatch.setattr(websocket_module, "CLOSE_GRACE_S", 0.01)
    wire, transport, _ = make_wire()
    wire.fail(1002)
    async with asyncio.timeout(WAIT_S):
        while not transport.aborted:  # noqa: ASYNC110 - a transport has no event for this
            await asyncio.sleep(0.005)

    assert transport.writes == [close_frame(1002)]
    wire.lost()


async def test_a_peer_that_does_not_answer_a_close_is_cut_off(monkeypatch):
    """The closing handshake takes its time and no more."""
    monkeypatch.setattr(websocket_module, "CLOSE_GRACE_S", 0.01)
    wire, transport, _ = make_wire()
    wire.write(join_frames([MessagePacket("bye")]))
    wire.close(1000)
    assert transport.writes == [frame("bye"), close_frame(1000)]
    assert not transport.closed
    async with asyncio.timeout(WAIT_S):
        while not transport.aborted:  # noqa: ASYNC110 - a transport has no event for this
            await asyncio.sleep(0.005)
    wire.lost()


async def test_the_answer_to_a_close_ends_the_connection():
    """Once both have said goodbye, the connection is closed, and nothing is said twice."""
    wire, transport, _ = make_wire()
    wire.close(1000)
    wire.close(1001)
    wire.peer_closes(close_frame(1000))

    assert transport.closed
    assert transport.writes == [close_frame(1000)]
    wire.lost()


async def test_pings_of_a_peer_that_lags_are_not_answered():
    """A peer that reads nothing cannot have the server keep pongs for it."""
    wire, transport, _ = make_wire()
    wire.pause_writing()
    wire.write_raw(b"\x8a\x00")

    assert transport.writes == []


async def test_an_event_without_a_place_is_refused():
    """A second accept is the application's mistake, and is told so."""
    wire, _, _ = make_wire()

    with pytest.raises(RuntimeError, match=r"websocket\.accept"):
        await wire.send({"type": "websocket.accept"})


def test_a_loop_that_is_over_is_not_kept():
    """Nor is what waited for the end of its last turn."""

    async def leave_something() -> list[weakref.ref[object]]:
        wire, transport, _ = make_wire()
        wire.write(b"never written")
        return [weakref.ref(transport), weakref.ref(asyncio.get_running_loop())]

    left = asyncio.run(leave_something())
    gc.collect()

    assert [each() for each in left] == [None, None]

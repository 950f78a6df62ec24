"""What one connection can ask of the fast transport in a turn of the loop, and what its buffer keeps."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from fastsio.engine.frame_reader import POLICY_VIOLATION, TooManyFrames, closing_code
from fastsio.engine.frames import close_frame
from fastsio.integrations.fast import framing
from fastsio.integrations.fast.framing import FAIR_SHARE, MAX_KEPT_BYTES, MAX_READ_BYTES, Framing, open_framing
from tests.shells.fast.transport import FakeTransport, Listening, make_wire

LIMIT = 1_000_000
LARGE = b"4" + b"x" * 900_000


def frame(payload: bytes = b"", *, opcode: Opcode = Opcode.TEXT, fin: bool = True) -> bytes:
    """Build a frame as a client does, by another library."""
    return bytes(Frame(opcode, payload, fin).serialize(mask=True))


class Talker:
    """A connection that is read by picows; what it says is kept, and why it ended."""

    def __init__(self, *, max_rate: int = 1_000_000) -> None:
        self.wire, self.transport, self.owner = make_wire(LIMIT)
        self.heard: list[str | bytes] = []
        self.errors: list[Exception] = []
        self.wire.listen(Listening(self._hear, self.errors.append))
        self.transport.protocol = open_framing(self.wire, max_bytes=LIMIT, max_rate=max_rate)

    def _hear(self, data: str | bytes) -> bool:
        self.heard.append(data)
        return True

    @property
    def room(self) -> int:
        """How much the transport may read now."""
        return len(self.transport.protocol.get_buffer(-1))

    @property
    def buffer_bytes(self) -> int:
        """How much picows's own buffer has room for."""
        return len(framing.GET_BUFFER(self.transport.protocol, -1))


PING = frame(opcode=Opcode.PING)
MESSAGE = frame(b"42[1]")
FLOODS = {
    "pings": PING,
    "pongs": frame(opcode=Opcode.PONG),
    "empty fragments": frame(opcode=Opcode.CONT, fin=False),
    "short fragments": frame(b"x", opcode=Opcode.CONT, fin=False),
}


async def test_of_many_pings_the_last_is_answered():
    """One answer for the pings of a turn of the loop, and one for those of the next."""
    talker = Talker()
    talker.transport.arrive(b"".join(frame(b"%d" % number, opcode=Opcode.PING) for number in range(30)))
    assert talker.transport.writes == []
    await asyncio.sleep(0)
    talker.transport.arrive(frame(b"next", opcode=Opcode.PING))
    await asyncio.sleep(0)

    assert talker.transport.writes == [b"\x8a\x0229", b"\x8a\x04next"]


async def test_a_ping_before_a_goodbye_needs_no_answer():
    """Nothing is written after the close frame."""
    talker = Talker()
    talker.transport.arrive(PING + frame((1000).to_bytes(2), opcode=Opcode.CLOSE))
    await asyncio.sleep(0)

    assert talker.transport.writes == [close_frame(1000)]
    talker.wire.lost()


async def test_messages_to_a_closing_connection_leave_the_others_their_turn():
    """While it is open, those who take its messages see to that."""
    talker = Talker()
    talker.transport.arrive(MESSAGE * FAIR_SHARE)
    assert talker.transport.is_reading_
    assert len(talker.heard) == FAIR_SHARE
    talker.wire.close(1000)
    talker.transport.arrive(MESSAGE)
    assert not talker.transport.is_reading_
    await asyncio.sleep(0)

    assert talker.transport.is_reading_
    talker.wire.lost()


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_frames_without_a_message_leave_the_others_their_turn(flood):
    """After a share of them the connection is not read until the loop has come round."""
    talker = Talker()
    talker.transport.arrive(frame(b"4", fin=False) + flood * (FAIR_SHARE - 2))
    assert talker.transport.is_reading_
    talker.transport.arrive(flood)
    assert not talker.transport.is_reading_
    await asyncio.sleep(0)

    assert talker.transport.is_reading_


@pytest.mark.parametrize("flood", [MESSAGE, PING], ids=["messages", "pings"])
async def test_a_connection_that_is_closing_leaves_the_others_their_turn(flood):
    """What a client goes on sending instead of an answer to the close frame is dropped a little at a time."""
    talker = Talker()
    talker.wire.close(1000)
    talker.transport.arrive(flood * FAIR_SHARE)
    assert not talker.transport.is_reading_
    await asyncio.sleep(0)

    assert talker.transport.is_reading_
    assert talker.heard == []
    talker.wire.lost()


async def test_what_waits_for_the_engine_holds_a_flood_back():
    """The end of the turn does not resume what a waiting message has paused."""
    talker = Talker()
    talker.wire.listen(Listening(lambda _data: False, talker.errors.append))
    talker.transport.arrive(frame(b"4", fin=False) + PING * FAIR_SHARE)
    talker.transport.arrive(frame(b"x", opcode=Opcode.CONT))
    await asyncio.sleep(0)
    assert not talker.transport.is_reading_
    talker.wire.resume()

    assert talker.transport.is_reading_


@pytest.mark.parametrize("loops", [5, 50])
async def test_a_read_takes_little_however_much_arrives(loops):
    """The buffer does not grow with what a client sends, only with a frame that does not fit."""
    talker = Talker()
    for _ in range(loops):
        room = talker.room
        assert room <= MAX_READ_BYTES
        talker.transport.arrive(frame(b"3") * (room // len(frame(b"3"))))

    assert talker.buffer_bytes <= 2 * MAX_READ_BYTES


@pytest.mark.parametrize("kind", ["pings", "pongs", "empty fragments"])
async def test_an_absurd_rate_is_hung_up_on(kind):
    """The engine learns of it as of any limit, and closes with 1008; short fragments are a message's."""
    talker = Talker(max_rate=10)
    talker.transport.arrive(frame(b"4", fin=False) + FLOODS["short fragments"] * 20 + FLOODS[kind] * 10)
    assert talker.errors == []
    talker.transport.arrive(FLOODS[kind] * 3)
    (error,) = talker.errors
    assert isinstance(error, TooManyFrames)
    talker.wire.close(closing_code(error))

    assert talker.transport.writes[-1] == close_frame(POLICY_VIOLATION)
    talker.wire.lost()


async def test_a_large_buffer_is_given_back_with_its_message():
    """What a long message needed is free as soon as it was read, and the connection goes on."""
    talker = Talker()
    talker.transport.arrive(frame(LARGE))
    assert talker.buffer_bytes > len(LARGE)
    await asyncio.sleep(0)
    assert talker.buffer_bytes <= MAX_KEPT_BYTES
    talker.transport.arrive(frame(b"4next"))

    assert [len(data) for data in talker.heard] == [len(LARGE), 5]


async def test_a_large_buffer_is_kept_while_a_frame_is_under_way():
    """What follows a long message is not lost with the buffer."""
    talker = Talker()
    next_frame = frame(b"4" + b"n" * 100)
    talker.transport.arrive(frame(LARGE) + next_frame[:50])
    await asyncio.sleep(0)
    assert talker.buffer_bytes > len(LARGE)
    talker.transport.arrive(next_frame[50:])
    await asyncio.sleep(0)

    assert talker.buffer_bytes <= MAX_KEPT_BYTES
    assert [len(data) for data in talker.heard] == [len(LARGE), 101]


async def test_the_buffer_of_a_connection_that_is_closing_is_left():
    """Its end is near, and who reads it is decided."""
    talker = Talker()
    talker.transport.arrive(frame(LARGE))
    talker.wire.close(1000)
    protocol = talker.transport.protocol
    await asyncio.sleep(0)

    assert talker.transport.protocol is protocol
    talker.wire.lost()


#: A message, in bytes; the boundaries are those at which a buffer grows and is given back.
SIZES = st.one_of(st.integers(0, 300), st.integers(1_500, 9_000), st.integers(25_000, 130_000))
#: What arrives at a time, and whether the loop comes round after it.
PIECES = st.tuples(st.integers(700, 40_000), st.booleans())


@settings(deadline=None, max_examples=50)
@given(st.lists(SIZES, max_size=5), st.lists(PIECES, min_size=1, max_size=6))
def test_no_buffer_is_given_back_with_something_in_it(sizes, pieces):
    """Messages of all sizes, in pieces of all sizes and with turns of the loop between any two, arrive whole."""
    stream = b"".join(frame(b"x" * size) + (PING if size % 2 else b"") for size in sizes)

    async def talk() -> list[int]:
        talker = Talker()
        rest = stream
        for size, is_last_of_turn in itertools.cycle(pieces):
            talker.transport.arrive(rest[:size])
            rest = rest[size:]
            if is_last_of_turn:
                await asyncio.sleep(0)
            if not rest:
                return [len(heard) for heard in talker.heard]
        raise AssertionError

    assert asyncio.run(talk()) == sizes


async def test_the_buffer_of_large_messages_is_not_bought_by_small_ones():
    """A connection of ordinary messages keeps its first protocol."""
    talker = Talker()
    protocol: Any = talker.transport.protocol
    for _ in range(100):
        talker.transport.arrive(frame(b"4" + b"x" * 10_000))
        await asyncio.sleep(0)

    assert talker.transport.protocol is protocol
    assert isinstance(protocol, Framing)
    assert isinstance(talker.transport, FakeTransport)

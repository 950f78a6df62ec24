"""Clients that say little are read without picows; whatever else arrives is left to it, untouched."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import CloseCode as Code
from websockets.frames import Frame, Opcode

from fastsio.engine.frames import close_frame
from fastsio.integrations.fast import framing
from fastsio.integrations.fast.light_frames import MAX_FIRST_BYTES, ShortTextFraming, read_short_text
from tests.shells.fast.transport import Listening, make_wire


def frame(payload: bytes, *, opcode: Opcode = Opcode.TEXT, fin: bool = True, masked: bool = True) -> bytes:
    """Build a frame as a client does, by another library."""
    return bytes(Frame(opcode, payload, fin).serialize(mask=masked))


ABC = frame(b"abc")


class Quiet:
    """A connection that was accepted a moment ago; what it hears is kept."""

    def __init__(self, limit: int = 1000) -> None:
        self.wire, self.transport, self.owner = make_wire(limit)
        self.heard: list[str | bytes] = []
        self.wire.listen(Listening(self._hear, lambda _error: None))
        self.transport.protocol = ShortTextFraming(self.wire, self.transport, framing, max_bytes=limit, max_rate=100)

    def _hear(self, data: str | bytes) -> bool:
        self.heard.append(data)
        return True

    def say(self, *segments: bytes) -> None:
        for segment in segments:
            self.transport.arrive(segment)

    @property
    def is_quiet(self) -> bool:
        return isinstance(self.transport.protocol, ShortTextFraming)


@given(st.text(max_size=200), st.integers(0, 125))
def test_a_short_text_is_read_as_others_read_it(text, longest):
    """Whatever the mask; one over the limit is not read."""
    payload = text.encode()
    expected = text if 0 < len(payload) <= longest else None

    assert read_short_text(frame(payload), longest) == expected


@given(st.binary(max_size=140))
def test_what_is_read_is_one_whole_frame(data):
    """Arbitrary bytes are read only if another library builds the same bytes from what was read."""
    text = read_short_text(data, MAX_FIRST_BYTES)
    if text is not None:
        mask, payload = data[2:6], text.encode()
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))

        assert data == bytes([0x81, 0x80 | len(payload)]) + mask + masked


async def test_the_first_message_and_heartbeats_need_no_picows():
    """However many heartbeats there are."""
    quiet = Quiet()
    quiet.say(frame(b'40{"token":1}'), *[frame(b"3")] * 20)

    assert quiet.is_quiet
    assert quiet.heard == ['40{"token":1}', *["3"] * 20]


async def test_a_client_with_more_to_say_is_read_by_picows():
    """From its second message on, in order, and for good."""
    quiet = Quiet()
    quiet.say(frame(b"40"), frame(b"42[1]"), frame(b"3"), frame("42é".encode()))

    assert not quiet.is_quiet
    assert quiet.heard == ["40", "42[1]", "3", "42é"]


@pytest.mark.parametrize(
    ("segments", "heard"),
    [
        ([frame(b"a") + frame(b"b")], ["a", "b"]),
        ([ABC[:1], ABC[1:]], ["abc"]),
        ([ABC[:7], ABC[7:]], ["abc"]),
        ([frame(b"ab", fin=False), frame(b"c", opcode=Opcode.CONT)], ["abc"]),
        ([frame(b"\x00", opcode=Opcode.BINARY)], [b"\x00"]),
        ([frame(b"x" * 126)], ["x" * 126]),
        ([frame(b"")], [""]),
    ],
    ids=["two at once", "half a head", "half a text", "fragments", "binary", "long", "empty"],
)
async def test_what_is_not_one_short_text_is_read_by_picows(segments, heard):
    """Nothing is lost or read twice."""
    quiet = Quiet()
    quiet.say(*segments)

    assert not quiet.is_quiet
    assert quiet.heard == heard


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (frame(b"\xff"), close_frame(Code.INVALID_DATA)),
        (frame(b"a", masked=False), close_frame(Code.PROTOCOL_ERROR)),
        (b"\xc1" + frame(b"a")[1:], close_frame(Code.PROTOCOL_ERROR)),
        (b"\x83" + frame(b"a")[1:], close_frame(Code.PROTOCOL_ERROR)),
        (frame(b"p", opcode=Opcode.PING), b"\x8a\x01p"),
        (frame(b"\x03\xe8", opcode=Opcode.CLOSE), close_frame(Code.NORMAL_CLOSURE)),
    ],
    ids=["no UTF-8", "not masked", "reserved bit", "unknown opcode", "ping", "close"],
)
async def test_what_is_wrong_is_judged_by_picows(data, written):
    """The client is told the same as ever."""
    quiet = Quiet()
    quiet.say(data)
    await asyncio.sleep(0)

    assert quiet.heard == []
    assert quiet.transport.writes == [written]
    quiet.wire.lost()


async def test_a_limit_below_a_short_text_holds():
    """The limit of the server is kept by whoever reads."""
    quiet = Quiet(limit=2)
    quiet.say(frame(b"abc"))
    await quiet.wire.send({"type": "websocket.close", "code": Code.MESSAGE_TOO_BIG})

    assert quiet.heard == []
    assert quiet.transport.writes == [close_frame(Code.MESSAGE_TOO_BIG)]
    quiet.wire.lost()


async def test_flow_and_loss_are_the_wires():
    """A peer that lags gets nothing more until it has caught up; its loss is noted once."""
    quiet = Quiet()
    protocol = quiet.transport.protocol
    protocol.pause_writing()
    assert not quiet.wire.write(b"x")
    protocol.resume_writing()
    assert quiet.wire.write(b"x")
    protocol.connection_lost(None)

    assert quiet.owner.notes == ["lost"]

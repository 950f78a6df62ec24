"""The frames that a server writes."""

from __future__ import annotations

import pytest

from fastsio.engine.frames import BINARY, CLOSE, PONG, TEXT, close_frame, frame
from fastsio.engine.packet import ControlPacket, Eio3BinaryPacket, MessagePacket


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, b"\x00"),
        (125, b"\x7d"),
        (126, b"\x7e\x00\x7e"),
        (65_535, b"\x7e\xff\xff"),
        (65_536, b"\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
@pytest.mark.parametrize("kind", [TEXT, BINARY, CLOSE, PONG])
def test_the_length_takes_as_many_bytes_as_it_needs(kind, length, head):
    """Up to 125 in one byte, then in 16 bits, then in 64; nothing is masked."""
    payload = b"x" * length

    assert frame(kind, payload) == bytes([kind]) + head + payload


def test_a_close_frame_has_a_code_and_may_have_a_reason():
    """What does not fit into a control frame is cut off, between two characters."""
    assert close_frame(1000) == b"\x88\x02\x03\xe8"
    assert close_frame(1001, "bye") == b"\x88\x05\x03\xe9bye"
    assert close_frame(1001, "é" * 100) == b"\x88\x7c\x03\xe9" + "é".encode() * 61


def test_a_packet_has_one_frame():
    """Text with the type in front, bytes as they are, and both built once."""
    for packet, built in [
        (MessagePacket("é"), b"\x81\x034\xc3\xa9"),
        (MessagePacket(b"\x00"), b"\x82\x01\x00"),
        (ControlPacket(2), b"\x81\x012"),
        (Eio3BinaryPacket(b"\x00"), b"\x82\x02\x04\x00"),
    ]:
        assert packet.frame == built
        assert packet.frame is packet.frame


def test_text_that_is_no_unicode_does_not_end_the_connection():
    """Half of a surrogate pair is replaced."""
    assert MessagePacket("\ud800").frame == b"\x81\x024?"

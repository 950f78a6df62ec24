"""Outgoing packets."""

from __future__ import annotations

import pytest
from engineio.packet import CLOSE as THEIR_CLOSE
from engineio.packet import MESSAGE as THEIR_MESSAGE
from engineio.packet import PING as THEIR_PING
from engineio.packet import Packet as TheirPacket

from fastsio.engine.packet import (
    MESSAGE,
    NOOP_PACKET,
    PING,
    ControlPacket,
    MessagePacket,
    closing_frame,
    frames_of,
    join_frames,
    message_of,
    packet_of,
    pong_frame,
)
from fastsio.protocol import Packet


def test_text_has_its_type_in_front():
    """On every transport."""
    packet = MessagePacket("hi")

    assert (packet.wire, packet.polling, packet.binary, packet.size) == ("4hi", "4hi", False, 3)
    assert packet.encode() == packet.encode(b64=True) == "4hi"


def test_binary_is_base64_where_there_is_only_text():
    """And as it is on a WebSocket."""
    packet = MessagePacket(b"\x01\x02")

    assert (packet.wire, packet.polling, packet.binary, packet.size) == (b"\x01\x02", "bAQI=", True, 2)
    assert (packet.encode(), packet.encode(b64=True)) == (b"\x01\x02", "bAQI=")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_like_data_is_copied(kind):
    """The caller may use its buffer again."""
    buffer = bytearray(b"abc")
    data = kind(buffer)

    packet = MessagePacket(data)
    if kind is not bytes:
        buffer[0] = 0

    assert packet.wire == b"abc"


def test_sizes_are_those_of_utf_8():
    """Half of a surrogate pair, which has none, counts as what replaces it; a size is measured once."""
    assert MessagePacket("ü").size == 3
    assert MessagePacket("\ud800").size == 2
    packet = MessagePacket("😀")
    assert [packet.size, packet.size] == [5, 5]


def test_frames_are_built_once():
    """Text and binary, as a server writes them: without a mask."""
    text, binary = MessagePacket("hi"), MessagePacket(b"\x01")

    assert (text.frame, binary.frame) == (b"\x81\x034hi", b"\x82\x01\x01")
    assert text.frame is text.frame


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        ("hi", "4hi"),
        (b"\x01", b"\x01"),
        (bytearray(b"\x01"), b"\x01"),
        (memoryview(b"\x01"), b"\x01"),
        (None, "4"),
        ({"a": [1, 2]}, '4{"a":[1,2]}'),
        ([], "4[]"),
        (0, "40"),
    ],
)
def test_messages_are_made_of_what_send_takes(data, wire):
    """Text and bytes as they are, the rest as JSON."""
    assert message_of(data).wire == wire


@pytest.mark.parametrize(
    ("theirs", "kind", "wire"),
    [
        (TheirPacket(THEIR_MESSAGE, "hi"), MESSAGE, "4hi"),
        (TheirPacket(THEIR_MESSAGE, b"\x01"), MESSAGE, b"\x01"),
        (TheirPacket(THEIR_MESSAGE, {"a": 1}), MESSAGE, '4{"a":1}'),
        (TheirPacket(THEIR_PING, "probe"), PING, "2probe"),
        (TheirPacket(THEIR_CLOSE), 1, "1"),
    ],
)
def test_packets_of_python_engineio_are_taken(theirs, kind, wire):
    """By what they encode to."""
    packet = packet_of(theirs)

    assert (packet.packet_type, packet.wire) == (kind, wire)


def test_packets_of_ours_are_taken_as_they_are():
    """Messages and the transport's own."""
    message = MessagePacket("hi")

    assert packet_of(message) is message
    assert packet_of(NOOP_PACKET) is NOOP_PACKET
    assert ControlPacket(PING, "probe").wire == "2probe"
    assert NOOP_PACKET.size == 1


def test_binary_for_engine_io_3_has_its_type_in_front():
    """In a frame of bytes, in one of text, and in a payload; each form is made once, text has one only."""
    packet, text = MessagePacket(b"\x01\x02"), MessagePacket("hi")

    old = packet.eio3
    assert packet.eio3 is old.eio3 is old
    assert (old.wire, old.size, old.binary, old.polling) == (b"\x04\x01\x02", 3, True, "b4AQI=")
    assert old.text.text is old.text is old.text
    assert (old.text.wire, old.text.size, old.text.binary) == ("b4AQI=", 6, False)
    assert text.eio3 is text.text is text
    assert (packet.text.wire, packet.text.binary) == ("bAQI=", False)


def test_frames_of_several_packets_are_joined():
    """That of a single one is shared."""
    text, binary = MessagePacket("a"), MessagePacket(b"\x00")

    assert join_frames([text, binary]) == text.frame + binary.frame == b"\x81\x024a\x82\x01\x00"
    assert join_frames([text]) is text.frame


def test_frames_of_websocket_itself_are_sent_like_packets():
    """They look the same to all clients."""
    close, pong = closing_frame(1000), pong_frame(b"hi")

    assert join_frames([close, pong]) == b"\x88\x02\x03\xe8\x8a\x02hi"
    assert close.eio3 is close.text is close
    assert (close.size, pong.size) == (2, 2)


def test_a_packet_of_socket_io_becomes_messages():
    """Its text, and its attachments after that."""
    text, attached = frames_of(Packet(data=["a"])), frames_of(Packet(data=["a", b"b"]))

    assert [message.wire for message in text] == ['42["a"]']
    assert [message.wire for message in attached] == ['451-["a",{"_placeholder":true,"num":0}]', b"b"]


def test_what_no_packet_can_have_is_a_type_error():
    """It says what the value is."""
    with pytest.raises(TypeError, match="object"):
        frames_of(Packet(data=["a", object()]))

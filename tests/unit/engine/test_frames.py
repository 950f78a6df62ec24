"""The frames that a server writes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastsio.engine.frames import BINARY, CLOSE, PONG, TEXT, MaskCheck, close_frame, frame
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


LENGTHS = st.sampled_from([0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000])


def client_frame(length: int, *, is_masked: bool) -> bytes:
    """Build a frame, whose payload looks like heads without a mask."""
    bit = 0x80 if is_masked else 0
    if length < 126:
        head = bytes([0x81, bit | length])
    elif length < 1 << 16:
        head = bytes([0x81, bit | 126]) + length.to_bytes(2)
    else:
        head = bytes([0x81, bit | 127]) + length.to_bytes(8)
    return head + (b"\0\0\0\0" if is_masked else b"") + b"\x01" * length


@settings(deadline=None)
@given(st.lists(LENGTHS, max_size=5), LENGTHS, st.lists(st.integers(1, 80_000), max_size=10))
def test_the_first_frame_without_a_mask_is_found(good, bad, cuts):
    """In whatever pieces it comes, and what is in front of it counts."""
    before = b"".join(client_frame(length, is_masked=True) for length in good)
    stream = before + client_frame(bad, is_masked=False)
    check = MaskCheck()
    passed = 0

    for cut in [*cuts, len(stream)]:
        piece = stream[passed : passed + cut]
        found = check.feed(piece)
        if found is not None:
            # One byte of the head may have come with the piece before.
            assert passed + found in (len(before), len(before) + 1)
            return
        passed += len(piece)
        assert passed <= len(before) + 1

    raise AssertionError("not found")


@settings(deadline=None)
@given(st.lists(LENGTHS, max_size=3), st.integers(1, 5000))
def test_masked_frames_pass(lengths, size):
    """Byte by byte or in larger pieces."""
    stream = b"".join(client_frame(length, is_masked=True) for length in lengths)
    check = MaskCheck()

    assert {check.feed(stream[start : start + size]) for start in range(0, len(stream), size)} <= {None}

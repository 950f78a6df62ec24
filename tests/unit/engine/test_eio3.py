"""Packets and payloads of Engine.IO 3."""

from __future__ import annotations

import pytest

from fastsio.engine import eio3
from fastsio.engine.http import eio3_payload
from fastsio.engine.packet import NOOP_PACKET, OPEN, ControlPacket, MessagePacket
from fastsio.exceptions import PacketError


def packets(*data):
    """Messages in the form of an Engine.IO 3 client."""
    return [MessagePacket(item).eio3 for item in data]


def test_text_packets_are_the_same_in_both_revisions():
    """Only binary has a form of its own, made once."""
    text, binary = MessagePacket("hello"), MessagePacket(b"\x01\x02")

    assert text.eio3 is text
    assert NOOP_PACKET.eio3 is NOOP_PACKET
    assert (binary.eio3.wire, binary.eio3.polling, binary.eio3.size) == (b"\x04\x01\x02", "b4AQI=", 3)
    assert binary.eio3 is binary.eio3
    assert binary.eio3.polling is binary.eio3.polling
    assert binary.eio3.eio3 is binary.eio3
    assert (binary.wire, binary.polling) == (b"\x01\x02", "bAQI=")


def test_lengths_are_in_utf_16_units():
    """What is beyond 16 bits counts twice, as in JavaScript."""
    assert eio3.encode_text(packets("hi", "ü", "😀", b"\xff")) == "3:4hi2:4ü3:4😀6:b4/w=="
    assert list(eio3.decode_payload("3:4hi2:4ü3:4😀6:b4/w==".encode(), is_binary=False)) == [
        "4hi",
        "4ü",
        "4😀",
        b"\xff",
    ]


def test_payloads_of_bytes_say_the_kind_and_the_length():
    """0 for text or 1 for binary, the digits of the length in bytes, 255."""
    payload = eio3.encode_bytes(packets("ü" * 5, b"\xff"))

    assert payload == b"\x00\x01\x01\xff4" + b"\xc3\xbc" * 5 + b"\x01\x02\xff\x04\xff"
    assert list(eio3.decode_payload(payload, is_binary=True)) == ["4üüüüü", b"\xff"]


def test_text_in_payloads_of_bytes_may_be_base64():
    """A client that has no binary frames may still write its payloads as bytes."""
    assert list(eio3.decode_payload(b"\x00\x06\xffb4/w==", is_binary=True)) == [b"\xff"]


@pytest.mark.parametrize(
    ("data", "base64", "kind", "body"),
    [
        (["hi"], False, "text/plain; charset=UTF-8", b"3:4hi"),
        (["ü"], False, "application/octet-stream", b"\x00\x03\xff4\xc3\xbc"),
        ([b"\xff"], False, "application/octet-stream", b"\x01\x02\xff\x04\xff"),
        (["ü", b"\xff"], True, "text/plain; charset=UTF-8", "2:4ü6:b4/w==".encode()),
        (["\ud800"], True, "text/plain; charset=UTF-8", b"2:4?"),
    ],
)
def test_answers_to_polls_are_text_where_that_is_enough(data, base64, kind, body):
    """Bytes go to clients that read them, and only for what text cannot carry to all of them."""
    response = eio3_payload(packets(*data), base64=base64, headers=[("Set-Cookie", "io=1")])

    assert response["response"] == body
    assert response["headers"] == [("Set-Cookie", "io=1"), ("Content-Type", kind)]


def test_answers_to_script_tags_are_text():
    """A JSONP client evaluates a call with the payload as text."""
    response = eio3_payload([ControlPacket(OPEN, "{}"), *packets("ü\u2028", b"\xff")], base64=True, jsonp_index=3)

    assert response["response"] == b'___eio[3]("3:0{}3:4\\u00fc\\u20286:b4/w==");'
    assert response["headers"] == [("Content-Type", "text/javascript; charset=UTF-8")]


@pytest.mark.parametrize(
    ("form", "decoded"),
    [
        (b"d=3%3A4hi", ["4hi"]),
        (b"d=4%3A4h+i&x=1", ["4h i"]),
        (rb"d=2%3A4%5Cn", ["4\n"]),
        (rb"d=3%3A4%5C%5Cn", ["4\\n"]),
        (b"d=2:4%C3%BC", ["4ü"]),
    ],
)
def test_forms_of_script_tags_have_escaped_newlines(form, decoded):
    """A newline is a backslash and n; a backslash before an n is doubled."""
    assert list(eio3.decode_payload(form, is_binary=False)) == decoded


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"hello", "valid length"),
        (b":4", "valid length"),
        (b"4", "valid length"),
        (b"-1:4", "valid length"),
        (b"1e0:4", "valid length"),
        ("\u0661:4".encode(), "valid length"),
        (b"11111111111111111:4", "valid length"),
        (b"9:4hi", "shorter"),
        (b"3:4hi2", "valid length"),
        (b"0:", "empty packet"),
        (b"1:9", "unknown type"),
        (b"1:3", "unknown type"),
        (b"6:b2/w==", "unknown type"),
        (b"4:b4/w", "not base64"),
        ("2:4😀".encode(), "within a character"),
        ("3:4😀:4".encode(), "valid length"),
        ("9:4😀".encode(), "shorter"),
        (b"2:4\xff", "not UTF-8"),
    ],
)
def test_malformed_text_is_refused(body, message):
    """A body that does not follow the grammar is an error."""
    with pytest.raises(PacketError, match=message):
        list(eio3.decode_payload(body, is_binary=False))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"3:4hi", "valid length"),
        (b"\x00", "valid length"),
        (b"\x00\xff4", "valid length"),
        (b"\x00\x0a\xff4", "valid length"),
        (b"\x02\x01\xff4", "valid length"),
        (b"\x00" + b"\x01" * 400, "valid length"),
        (b"\x00\x09\xff4", "shorter"),
        (b"\x00\x00\xff", "empty packet"),
        (b"\x01\x00\xff", "empty packet"),
        (b"\x01\x01\xff\x02", "binary packet of unknown type"),
        (b"\x00\x02\xff4\xff", "not UTF-8"),
    ],
)
def test_malformed_bytes_are_refused(body, message):
    """The same for a body of bytes."""
    with pytest.raises(PacketError, match=message):
        list(eio3.decode_payload(body, is_binary=True))


def test_an_empty_body_has_no_packets():
    """Nothing was posted, nothing is wrong."""
    assert list(eio3.decode_payload(b"", is_binary=False)) == []
    assert list(eio3.decode_payload(b"", is_binary=True)) == []

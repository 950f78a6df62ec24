from __future__ import annotations

import pytest

from fastsio.exceptions import PacketError
from fastsio.protocol.limits import Limits
from fastsio.protocol.packet import read_header
from fastsio.protocol.packet_type import PacketType

EVENT, ACK, CONNECT, BINARY_EVENT = PacketType.EVENT, PacketType.ACK, PacketType.CONNECT, PacketType.BINARY_EVENT


@pytest.mark.parametrize(
    ("text", "packet_type", "count", "namespace", "ack_id", "payload"),
    [
        ("0", CONNECT, 0, None, None, ""),
        ('0{"a":1}', CONNECT, 0, None, None, '{"a":1}'),
        ("0/a", CONNECT, 0, "/a", None, ""),
        ("0/a,", CONNECT, 0, "/a", None, ""),
        ('0/a?x=1&y=2,{"a":1}', CONNECT, 0, "/a", None, '{"a":1}'),
        ("0/a?x", CONNECT, 0, "/a", None, ""),
        ("05", CONNECT, 0, None, None, "5"),
        ('2["a"]', EVENT, 0, None, None, '["a"]'),
        ('2 ["a"]', EVENT, 0, None, None, ' ["a"]'),
        ('20["a"]', EVENT, 0, None, 0, '["a"]'),
        ('2/,7["a"]', EVENT, 0, "/", 7, '["a"]'),
        ('2/a/b,12["a"]', EVENT, 0, "/a/b", 12, '["a"]'),
        ('21e3["a"]', EVENT, 0, None, None, '1e3["a"]'),
        ("2²[]", EVENT, 0, None, None, "²[]"),
        ("2\u0661[]", EVENT, 0, None, None, "\u0661[]"),
        ("39007199254740991[]", ACK, 0, None, 9007199254740991, "[]"),
        ("312", ACK, 0, None, 12, ""),
        ("3", ACK, 0, None, None, ""),
        ('52-["a"]', BINARY_EVENT, 2, None, None, '["a"]'),
        ('510-/a,3["a"]', BINARY_EVENT, 10, "/a", 3, '["a"]'),
    ],
)
def test_headers_are_read_as_the_grammar_has_them(text, packet_type, count, namespace, ack_id, payload):
    """What does not belong to the header is left to the payload."""
    *head, end = read_header(text, Limits())

    assert head == [packet_type, count, namespace, ack_id]
    assert text[end:] == payload


@pytest.mark.parametrize("text", ["", "7", "9[]", "x", "\u0662[]", " 2[]"])
def test_an_unknown_type_is_refused(text):
    """Only the seven ASCII digits are types."""
    with pytest.raises(PacketError, match="unknown packet type"):
        read_header(text, Limits())


@pytest.mark.parametrize("text", ['5["a"]', '5-["a"]', '5x-["a"]', '5²-["a"]', "5", '51234567890-["a"]', '51["a-"]'])
def test_a_binary_packet_needs_a_count(text):
    """A count that never ends is not searched for."""
    with pytest.raises(PacketError, match="without a valid attachment count"):
        read_header(text, Limits())


def test_a_binary_packet_without_attachments_is_refused():
    """Source: socket.io-parser 4.2.7."""
    with pytest.raises(PacketError, match="without attachments"):
        read_header('50-["a"]', Limits())


def test_more_attachments_than_allowed_are_refused_by_the_header():
    """Before any of them has arrived."""
    with pytest.raises(PacketError) as caught:
        read_header('53-["a"]', Limits(max_attachments=2))

    assert (caught.value.limit, caught.value.value) == (2, 3)


@pytest.mark.parametrize("text", ["0/aaaa,", "0/aaaa", "0/aaaa?q"])
def test_a_namespace_that_is_too_long_is_refused(text):
    """The query string does not count."""
    read_header("0/aaa?query", Limits(max_namespace_length=4))
    with pytest.raises(PacketError, match="too long"):
        read_header(text, Limits(max_namespace_length=4))


@pytest.mark.parametrize("text", ["39007199254740992[]", "3" + "1" * 17 + "[]", "3" + "1" * 5000])
def test_an_ack_id_that_is_too_large_is_refused(text):
    """However many digits it has."""
    with pytest.raises(PacketError, match="too large"):
        read_header(text, Limits())

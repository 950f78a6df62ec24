"""Polling payloads as a client reads and writes them."""

from __future__ import annotations

from collections import deque

import pytest

from fastsio.engine.client_payload import MAX_POSTED, next_post, split_poll
from fastsio.engine.packet import MessagePacket
from fastsio.exceptions import PacketError


def test_the_answer_to_a_poll_is_split_into_packets():
    """Text keeps its type, binary is decoded; an empty answer has none."""
    assert split_poll("4ü\x1ebAQI=\x1e2".encode()) == ["4ü", b"\x01\x02", "2"]
    assert split_poll(b"4a\x1e") == ["4a", ""]
    assert split_poll(b"") == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"4\xff", "the answer to a poll is not UTF-8"), (b"4a\x1ebAQ=", "a binary packet is not base64")],
)
def test_a_malformed_answer_is_an_error(body, reason):
    """Of the server."""
    with pytest.raises(PacketError, match=reason):
        split_poll(body)


def test_a_post_carries_what_waits():
    """In order, and leaves nothing behind."""
    waiting = deque(MessagePacket(data) for data in ("a", b"\x01", "ü"))

    assert next_post(waiting, 1000) == "4a\x1ebAQ==\x1e4ü"
    assert not waiting


def test_a_post_has_as_many_packets_as_servers_take():
    """The rest is for the next one."""
    waiting = deque(MessagePacket("a") for _ in range(MAX_POSTED + 1))

    assert next_post(waiting, 1000).count("4a") == MAX_POSTED
    assert next_post(waiting, 1000) == "4a"


def test_a_post_stays_within_the_size_unless_one_packet_is_larger():
    """Bytes of UTF-8 are counted."""
    waiting = deque(MessagePacket(text) for text in ("x" * 20, "üü", "a"))

    assert next_post(waiting, 10) == "4" + "x" * 20
    assert next_post(waiting, 8) == "4üü"
    assert next_post(waiting, 8) == "4a"

"""Polling payloads."""

from __future__ import annotations

import json
from collections import deque

import pytest

from fastsio.engine.packet import NOOP_PACKET, MessagePacket
from fastsio.engine.payload import (
    MAX_POSTED,
    decode_base64,
    decode_payload,
    encode_payload,
    next_post,
    packets_per_poll,
    reads_close,
    split_poll,
)
from fastsio.exceptions import PacketError


def test_packets_are_joined_in_order():
    """By the record separator; binary is base64."""
    packets = [MessagePacket("hello"), MessagePacket(b"\x01\x02\x03\x04"), NOOP_PACKET]

    assert encode_payload(packets) == b"4hello\x1ebAQIDBA==\x1e6"
    assert encode_payload([]) == b""


def test_script_payloads_are_calls_of_a_function():
    """With the text as a string of JavaScript."""
    body = encode_payload([MessagePacket('a"b\u2028ü')], jsonp_index=12).decode()

    assert body.startswith("___eio[12](")
    assert body.endswith(");")
    assert json.loads(body[len("___eio[12](") : -2]) == '4a"b\u2028ü'


def test_text_that_has_no_utf_8_harms_only_itself():
    """Half of a surrogate pair becomes a question mark."""
    assert encode_payload([MessagePacket("\ud800"), MessagePacket("x")]) == b"4?\x1e4x"


@pytest.mark.parametrize(
    ("body", "packets"),
    [
        ("4hello", ["4hello"]),
        ("4ü\x1ebAQI=\x1e3\x1e1", ["4ü", b"\x01\x02", "3", "1"]),
        ("b", [b""]),
        ("d=4hello%1E4a+b", ["4hello", "4a b"]),
    ],
)
def test_bodies_are_split(body, packets):
    """Text keeps its type; a script client posts a form."""
    assert list(decode_payload(body.encode())) == packets


def test_packets_are_read_one_at_a_time():
    """However many there are; what is wrong is found when it is reached."""
    packets = decode_payload(b"4a\x1e4b\x1ex")

    assert [next(packets), next(packets)] == ["4a", "4b"]
    with pytest.raises(PacketError, match="unknown type"):
        next(packets)


@pytest.mark.parametrize(
    ("user_agent", "is_careful"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", False),
        ("node-XMLHttpRequest", False),
        ("okhttp/3.12.12", False),
        ("Python/3.11 aiohttp/3.9.1", True),
        ("python-requests/2.31.0", True),
        ("", True),
    ],
)
def test_polls_of_clients_that_are_not_known_are_answered_with_what_all_of_them_read(user_agent, is_careful):
    """python-engineio's clients lose all of a poll's packets if there are more than 16."""
    assert (packets_per_poll(user_agent) == 16) is is_careful


@pytest.mark.parametrize(
    ("user_agent", "comes_back"),
    [("Mozilla/5.0 (X11)", True), ("node-XMLHttpRequest", True), ("Python/3.11 aiohttp/3.9.1", False), ("", False)],
)
def test_which_clients_connect_again_after_a_close_packet(user_agent, comes_back):
    """Python clients take it for the wish of the server that they stay away."""
    assert reads_close(user_agent) is comes_back


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xff", "not UTF-8"),
        (b"", "an empty packet"),
        (b"4a\x1e", "an empty packet"),
        (b"d=", "an empty packet"),
        (b"2probe", "unknown type"),
        (b"x", "unknown type"),
        (b"b?", "not base64"),
        ("bü".encode(), "not base64"),
        (b"bAQ", "not base64"),
    ],
)
def test_what_no_client_posts_is_refused(body, words):
    """Handshakes, pings and what is no packet at all."""
    with pytest.raises(PacketError, match=words):
        list(decode_payload(body))


def test_base64_is_read_strictly():
    """Nothing is skipped."""
    assert decode_base64("AQI=") == b"\x01\x02"
    with pytest.raises(PacketError, match="not base64"):
        decode_base64("AQ I=")


# As a client reads and writes them.


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
    assert next_post(waiting, 7) == "4üü"
    assert next_post(waiting, 7) == "4a"


def test_a_post_counts_base64_of_short_binary_packets_in_full():
    """One byte is five characters."""
    waiting = deque(MessagePacket(data) for data in ("a", b"\x01", b"\x02"))

    assert next_post(waiting, 9) == "4a\x1ebAQ=="
    assert next_post(waiting, 9) == "bAg=="

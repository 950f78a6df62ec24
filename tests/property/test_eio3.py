"""Payloads of Engine.IO 3, with whatever Hypothesis thinks of."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from fastsio.engine import eio3
from fastsio.engine.packet import MessagePacket
from fastsio.exceptions import PacketError

messages = st.lists(st.text() | st.binary(), max_size=8)


def _decoded(data):
    return ["4" + item if isinstance(item, str) else item for item in data]


@given(messages)
def test_payloads_of_text_survive_the_way(data):
    """Text and binary arrive as they were sent."""
    payload = eio3.encode_text([MessagePacket(item).eio3 for item in data])

    assert list(eio3.decode_payload(payload.encode(), is_binary=False)) == _decoded(data)


@given(messages)
def test_payloads_of_bytes_survive_the_way(data):
    """Text and binary arrive as they were sent."""
    payload = eio3.encode_bytes([MessagePacket(item).eio3 for item in data])

    assert list(eio3.decode_payload(payload, is_binary=True)) == _decoded(data)


@given(st.text(), st.integers(0, 3))
def test_lengths_are_those_of_javascript(text, astral):
    """A length counts what JavaScript's ``length`` does."""
    text += "😀" * astral

    length = eio3.encode_text([MessagePacket(text).eio3]).partition(":")[0]

    assert int(length) == len(("4" + text).encode("utf-16-le")) // 2


@given(st.binary(max_size=60) | st.text("0123456789:b4=d\\n%😀\x00", max_size=60).map(str.encode), st.booleans())
def test_hostile_bodies_are_packets_or_an_error(body, is_binary):
    """Whatever is posted decodes, or raises the one error that closes the connection."""
    with contextlib.suppress(PacketError):
        assert len(list(eio3.decode_payload(body, is_binary=is_binary))) <= len(body)

"""Events and acknowledgements read and written without packets."""

from __future__ import annotations

import json

import pytest

from fastsio.exceptions import PacketError
from fastsio.msgpack_packet import MsgPackPacket
from fastsio.protocol import BinaryInPayload, Limits, Packet, PacketType, ack_writer, connect_writer, event_reader

LIMITS = Limits(max_ack_id=999_999, max_json_depth=3, max_event_length=5)


class Custom(Packet):
    """A class with a way of its own to read, and to write."""

    def encode(self):
        return "custom"

    def decode(self, encoded_packet, **_options):
        return 0


class Tagged(Packet):
    """A class with a JSON module of its own."""

    json = json


def read(text: str):
    """Read with small limits."""
    reader = event_reader(Packet, LIMITS)
    assert reader is not None
    return reader(text)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ('2["e"]', (["e"], None)),
        ('20["e",1]', (["e", 1], 0)),
        ('2007["e",{"a":[1]}]', (["e", {"a": [1]}], 7)),
        ('2999999["ü","ü"]', (["ü", "ü"], 999_999)),
        ('2["e",["' + "x" * 50 + '"]]', (["e", ["x" * 50]], None)),
    ],
)
def test_events_of_the_root_namespace_are_read(text, event):
    """Name, arguments and id, up to each limit."""
    assert read(text) == event


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        '0{"a":[]}',
        '3["e"]',
        '2/ns,["e"]',
        '51-["e",{"_placeholder":true,"num":0}]',
        '21000000["e"]',
        '2+1["e"]',
        '21_0["e"]',
        '2٣["e"]',
        '2²["e"]',
        '2 1["e"]',
        "2[]",
        "2[1]",
        '2[["e"]]',
        '2["connect"]',
        '2["longer"]',
    ],
)
def test_everything_else_is_left_to_the_decoder(text):
    """Other packets, other namespaces, what passes a limit, and most mistakes, which the decoder then names."""
    assert read(text) is None


@pytest.mark.parametrize("text", ['2["e"', '2["e"]x', '2["e",[[[]]]]' + " " * 10])
def test_a_payload_that_is_not_json_or_too_deep_is_named_as_the_decoder_names_it(text):
    """So that it is read once."""
    with pytest.raises(PacketError) as here:
        read(text)
    with pytest.raises(PacketError) as there:
        Packet.parse(text, LIMITS)

    assert here.value.args == there.value.args


def test_a_payload_that_is_not_json_is_read_once():
    """By the application's JSON module, or by the default."""
    asked: list[str] = []

    class Refusing:
        def loads(self, text):
            asked.append(text)
            return json.loads(text)

    class Own(Packet):
        json = Refusing()

    reader = event_reader(Own, LIMITS)
    assert reader is not None
    with pytest.raises(PacketError, match="the payload is not JSON"):
        reader('2["e",')
    assert asked == ['["e",']


@pytest.mark.parametrize("packet_class", [Custom, MsgPackPacket])
def test_classes_with_a_way_of_their_own_have_no_quick_one(packet_class):
    """They are asked for every packet."""
    assert event_reader(packet_class, LIMITS) is None
    assert ack_writer(packet_class) is None
    assert connect_writer(packet_class) is None


def test_acknowledgements_are_written_as_packets_are():
    """With the JSON module of the class."""
    for packet_class in (Packet, Tagged):
        write = ack_writer(packet_class)
        assert write is not None
        assert write(12, []) == "312[]"
        assert write(0, ["ü", {"a": None}]) == packet_class(3, ["ü", {"a": None}], id=0).encode()


def test_binary_is_no_text():
    """It is left to the packet, and so are mistakes."""
    write = ack_writer(Packet)
    assert write is not None
    with pytest.raises(BinaryInPayload):
        write(1, [b"bytes"])
    with pytest.raises(TypeError):
        write(1, [object()])


def test_the_answer_to_connect_is_written_as_the_packet_is():
    """With any module for JSON."""
    for packet_class in (Packet, Tagged):
        write = connect_writer(packet_class)
        packet = packet_class(PacketType.CONNECT, {"sid": "ab\u00e7"})

        assert write is not None
        assert write({"sid": "ab\u00e7"}) == packet.encode()

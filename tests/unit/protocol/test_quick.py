"""Events and acknowledgements read and written without packets."""

from __future__ import annotations

import json

import pytest

from fastsio.exceptions import PacketError
from fastsio.msgpack_packet import MsgPackPacket
from fastsio.protocol import (
    BinaryInPayload,
    Decoder,
    Limits,
    Packet,
    PacketType,
    ack_writer,
    binary_ack_writer,
    binary_event_reader,
    connect_writer,
    event_reader,
)

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


PLACEHOLDER = '{"_placeholder":true,"num":0}'


def slow_outcome(text: str):
    """Return what the decoder makes of a text, and of the attachment after it."""
    decoder = Decoder(Packet, LIMITS)
    assert decoder.feed(text) is None
    packet = decoder.feed(b"attachment")
    assert packet is not None
    return packet.packet_type, packet.namespace, packet.id, packet.data, packet.attachments, decoder.packet_bytes


@pytest.mark.parametrize("start", ['51-["e",', '51-0["e",', '51-007["ü",', '51-999999["e e",', '51-1["",'])
def test_an_event_of_one_attachment_is_read_as_the_decoder_reads_it(start):
    """The packet that waits for the attachment, and the one that it completes."""
    text = f"{start}{PLACEHOLDER}]"
    reader = binary_event_reader(Packet, LIMITS)
    assert reader is not None
    packet = reader(text)
    assert packet is not None
    decoder = Decoder(Packet, LIMITS)

    decoder.expect(packet, len(text.encode()))
    assert decoder.pending
    assert decoder.feed(b"attachment") is packet

    found = packet.packet_type, packet.namespace, packet.id, packet.data, packet.attachments, decoder.packet_bytes
    assert found == slow_outcome(text)


@pytest.mark.parametrize(
    "text",
    [
        f'51-1000000["e",{PLACEHOLDER}]',
        f'51-["longer",{PLACEHOLDER}]',
        f'51-["connect",{PLACEHOLDER}]',
        f'51-/ns,["e",{PLACEHOLDER}]',
        f'51-["e\\n",{PLACEHOLDER}]',
        f'51-["e\n",{PLACEHOLDER}]',
        f'51-["e",{PLACEHOLDER},1]',
        f'51-["e",1,{PLACEHOLDER}]',
        f'51-["e",{PLACEHOLDER}] ',
        f'51-["e", {PLACEHOLDER}]',
        f'51-٣["e",{PLACEHOLDER}]',
        f'52-["e",{PLACEHOLDER}]',
        f'61-1["e",{PLACEHOLDER}]',
        '51-["e",{"_placeholder":true,"num":1}]',
        '51-["e",{"num":0,"_placeholder":true}]',
        '2["e"]',
        "",
    ],
)
def test_any_other_event_with_attachments_is_left_to_the_decoder(text):
    """Also one that a limit refuses: the decoder says why."""
    reader = binary_event_reader(Packet, LIMITS)
    assert reader is not None
    assert reader(text) is None


@pytest.mark.parametrize(
    ("packet_class", "limits"),
    [(Custom, LIMITS), (Tagged, LIMITS), (Packet, Limits(max_attachments=0)), (Packet, Limits(max_json_depth=1))],
)
def test_attachments_are_read_by_the_decoder_where_classes_or_limits_differ(packet_class, limits):
    """A class may read in a way of its own, and limits may allow no such event."""
    assert binary_event_reader(packet_class, limits) is None


@pytest.mark.parametrize("ack_id", [0, 7, 999_999])
def test_an_acknowledgement_of_one_attachment_is_written_as_the_packet_writes_it(ack_id):
    """Text and attachment; a class of the application's is left alone."""
    write = binary_ack_writer(Packet)
    assert write is not None
    assert [write(ack_id), b"data"] == Packet(PacketType.ACK, [b"data"], id=ack_id).encode()
    assert binary_ack_writer(Custom) is None
    assert binary_ack_writer(Tagged) is None

from __future__ import annotations

import pytest

from fastsio.exceptions import PacketError
from fastsio.protocol.decoder import Decoder, ServerDecoder
from fastsio.protocol.limits import Limits
from fastsio.protocol.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, DISCONNECT, EVENT, Packet

HOLE = '{"_placeholder":true,"num":0}'
TWO_HOLES = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


@pytest.mark.parametrize(
    ("frame", "packet_type", "namespace", "ack_id", "data"),
    [
        ("0", CONNECT, None, None, None),
        ('0{"token":"x"}', CONNECT, None, None, {"token": "x"}),
        ("0/a", CONNECT, "/a", None, None),
        ("0/a?x=1,{}", CONNECT, "/a", None, {}),
        ("1", DISCONNECT, None, None, None),
        ("1/a,", DISCONNECT, "/a", None, None),
        ('2["a"]', EVENT, None, None, ["a"]),
        ('2[""]', EVENT, None, None, [""]),
        ("2[1,2]", EVENT, None, None, [1, 2]),
        ("2[1.5]", EVENT, None, None, [1.5]),
        (f'2["a",{HOLE}]', EVENT, None, None, ["a", {"_placeholder": True, "num": 0}]),
        ('2/a,7["a",null]', EVENT, "/a", 7, ["a", None]),
        ("30[]", ACK, None, 0, []),
        ("3/a,1[1]", ACK, "/a", 1, [1]),
    ],
)
def test_packets_without_attachments_are_complete_at_once(frame, packet_type, namespace, ack_id, data):
    """Numbers as event names stay numbers, and dicts that look like placeholders are dicts."""
    decoder = Decoder()

    packet = decoder.feed(frame)

    assert (packet.packet_type, packet.namespace, packet.id, packet.data) == (packet_type, namespace, ack_id, data)
    assert not decoder.pending


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "7",
        "x",
        "0[]",
        '0["a"]',
        "01",
        "0null",
        "1{}",
        "1null",
        "1/a,[]",
        "2",
        "2/a",
        "2[]",
        "2[{}]",
        "2[null]",
        "2[true]",
        '2{"a":1}',
        '2"a"',
        "2null",
        "2[NaN]",
        '2abc["a"]',
        '21e3["a"]',
        '2["a"]x',
        '2-["a"]',
        "3[]",
        "31",
        "31{}",
        "31null",
        "4",
        '4{"message":"x"}',
        '5["a"]',
        '50-["a"]',
        '511-["a"]',
        '51234567890-["a"]',
        "51-[]",
        "51-[" + HOLE + "]",
        '51-{"a":1}',
        "61-[1]",
        "61-1{}",
        '2["*"]',
        '51-["*",' + HOLE + "]",
        *(f'2["{name}","x"]' for name in ("connect", "connect_error", "disconnect", "disconnecting")),
        *(f'51-["{name}",{HOLE}]' for name in ("newListener", "removeListener", "disconnect")),
        b"",
        b'2["a"]',
    ],
)
def test_what_breaks_the_protocol_is_refused_and_forgotten(frame):
    """The decoder is as new afterwards. Source: socket.io-parser 4.2.7."""
    decoder = Decoder()

    with pytest.raises(PacketError):
        decoder.feed(frame)

    assert not decoder.pending
    assert decoder.feed('2["a"]').data == ["a"]


def test_attachments_complete_their_packet():
    """None until the last one."""
    decoder = Decoder()

    assert decoder.feed(f'52-/a,3["a",{TWO_HOLES}]') is None
    assert decoder.pending
    assert decoder.pending_packet.namespace == "/a"
    assert decoder.feed(b"0") is None
    packet = decoder.feed(b"")

    assert (packet.packet_type, packet.namespace, packet.id) == (BINARY_EVENT, "/a", 3)
    assert packet.data == ["a", b"0", b""]
    assert not decoder.pending
    assert decoder.pending_packet is None


def test_an_acknowledgement_may_have_attachments():
    """Whether the event had or not."""
    decoder = Decoder()
    decoder.feed(f"61-4[{HOLE}]")

    packet = decoder.feed(b"x")

    assert (packet.packet_type, packet.id, packet.data) == (BINARY_ACK, 4, [b"x"])


@pytest.mark.parametrize("frame", ['2["b"]', "", "1", f'51-["a",{HOLE}]'])
def test_text_while_attachments_are_missing_is_refused(frame):
    """Nothing may stand between a packet and its attachments."""
    decoder = Decoder()
    decoder.feed(f'52-["a",{TWO_HOLES}]')
    decoder.feed(b"0")

    with pytest.raises(PacketError, match="text while attachments are missing"):
        decoder.feed(frame)

    assert not decoder.pending
    assert decoder.feed('2["b"]').data == ["b"]


@pytest.mark.parametrize(
    "payload",
    [
        '["a"]',
        '["a",{"_placeholder":true,"num":-1}]',
        '["a",{"_placeholder":true,"num":1}]',
        '["a",{"_placeholder":1,"num":0}]',
    ],
)
def test_wrong_placeholders_are_refused_and_forgotten(payload):
    """A connection is never deaf and open."""
    decoder = Decoder()
    decoder.feed("51-" + payload)

    with pytest.raises(PacketError):
        decoder.feed(b"x")

    assert not decoder.pending
    assert decoder.feed('2["b"]').data == ["b"]


def test_attachments_are_bounded_together():
    """The one that passes the bound is not kept."""
    decoder = Decoder(Packet, Limits(max_binary_bytes=5))
    decoder.feed(f'52-["a",{TWO_HOLES}]')
    decoder.feed(b"123")

    with pytest.raises(PacketError) as caught:
        decoder.feed(b"456")

    assert (caught.value.limit, caught.value.value) == (5, 6)
    assert not decoder.pending


def test_the_bound_of_attachments_is_for_each_packet():
    """The next packet starts from nothing."""
    decoder = Decoder(Packet, Limits(max_binary_bytes=5))

    for _ in range(2):
        decoder.feed(f'51-["a",{HOLE}]')
        assert decoder.feed(b"12345").data == ["a", b"12345"]


@pytest.mark.parametrize(
    ("limits", "allowed", "refused"),
    [
        (Limits(max_event_length=3), '2["abc"]', '2["abcd"]'),
        (Limits(max_namespace_length=3), '2/ab,["a"]', '2/abc,["a"]'),
        (Limits(max_ack_id=9), '29["a"]', '210["a"]'),
        (Limits(max_json_depth=2), '2["a",[]]', '2["a",[[]]]'),
        (Limits(max_attachments=1), '51-["a"]', '52-["a"]'),
        (Limits(max_attachments=0), '2["a"]', '51-["a"]'),
    ],
)
def test_the_limits_given_are_the_limits_enforced(limits, allowed, refused):
    """Each up to and including itself."""
    Decoder(Packet, limits).feed(allowed)

    with pytest.raises(PacketError):
        Decoder(Packet, limits).feed(refused)


def test_reset_forgets_the_packet_that_waits():
    """When its client has left."""
    decoder = Decoder()
    decoder.feed(f'51-["a",{HOLE}]')

    decoder.reset()

    assert not decoder.pending
    with pytest.raises(PacketError, match="binary without a packet"):
        decoder.feed(b"x")


def test_a_decoder_has_no_dict():
    """There is one for every idle connection."""
    assert not hasattr(Decoder(), "__dict__")


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        ("0", None),
        ('0{"sid":"x"}', {"sid": "x"}),
        ('0{"pid":"x"}', {"pid": "x"}),
        ('4{"message":"no"}', {"message": "no"}),
        ('4"no"', "no"),
        ("4", None),
        ("1", None),
        ('1{"message":"no"}', {"message": "no"}),
        ('2["a"]', ["a"]),
        ('2["*"]', ["*"]),
    ],
)
def test_a_server_may_say_what_clients_may_not(frame, data):
    """It accepts, refuses and gives reasons."""
    packet = ServerDecoder().feed(frame)

    assert packet.data == data


@pytest.mark.parametrize("frame", ['0"text"', "0[1]", '0{"sid":7}', '2["connect"]', "2[]", "3[]", "9"])
def test_a_server_has_to_follow_the_protocol_too(frame):
    """A sid is text; events and acknowledgements look as those of a client."""
    with pytest.raises(PacketError):
        ServerDecoder().feed(frame)


@pytest.mark.parametrize(
    ("frames", "size"),
    [
        (['2["a"]'], 6),
        (['2["é"]'], 7),
        (['51-["a",{"_placeholder":true,"num":0}]', b"123"], 41),
        (['52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', b"123", b"45"], 73),
    ],
    ids=["text", "two bytes a character", "one attachment", "two attachments"],
)
def test_the_size_of_a_packet_is_that_of_its_frames(frames, size):
    """In bytes, attachments included; each packet has its own."""
    decoder = Decoder()
    for _ in range(2):
        *first, last = frames
        assert [decoder.feed(frame) for frame in first] == [None] * len(first)
        assert decoder.feed(last) is not None

        assert decoder.packet_bytes == size

from __future__ import annotations

import json
import math

import msgpack
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastsio.exceptions import PacketError
from fastsio.protocol.decoder import Decoder
from fastsio.protocol.jsoncodec import AdaptedCodec, OrjsonCodec, StdlibCodec
from fastsio.protocol.limits import Limits, check_value_depth, text_depth
from fastsio.protocol.msgpack import MsgPackPacket
from fastsio.protocol.packet import ACK, BINARY_EVENT, CONNECT, EVENT, Packet
from fastsio.protocol.packet_type import FORBIDDEN_EVENTS
from fastsio.protocol.plain import contains_binary, deconstruct, reconstruct
from fastsio.protocol.quick import event_reader

STDLIB, ORJSON = StdlibCodec(), OrjsonCodec(orjson)
WIDE = Limits(max_attachments=1000)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
#: Text with what breaks encoders: surrogates that stand alone.
wild_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[]))


def _trees(leaves):
    return st.recursive(
        leaves,
        lambda children: st.lists(children, max_size=5) | st.dictionaries(st.text(max_size=5), children, max_size=5),
        max_leaves=20,
    )


def _without_placeholders(value):
    if isinstance(value, dict):
        return "_placeholder" not in value and all(_without_placeholders(item) for item in value.values())
    return not isinstance(value, list) or all(_without_placeholders(item) for item in value)


payloads = _trees(scalars)
binary_payloads = _trees(scalars | st.binary(max_size=20)).filter(_without_placeholders)
names = st.text(min_size=1, max_size=256).filter(lambda name: name not in FORBIDDEN_EVENTS) | st.integers(0, 2**53)
namespaces = st.none() | st.text(st.characters(codec="utf-8", exclude_characters=",?"), max_size=20).map(
    lambda name: "/" + name
)
ack_ids = st.none() | st.integers(0, 2**53 - 1)


def _frames_of(packet):
    encoded = packet.encode()
    return encoded if isinstance(encoded, list) else [encoded]


def _feed_all(decoder, frames):
    *head, last = frames
    assert [decoder.feed(frame) for frame in head] == [None] * len(head)
    return decoder.feed(last)


@given(names, st.lists(payloads, max_size=3), namespaces, ack_ids)
def test_an_event_survives_the_way(name, arguments, namespace, ack_id):
    """Name, arguments, namespace and id arrive as they were sent."""
    packet = _feed_all(Decoder(), _frames_of(Packet(EVENT, [name, *arguments], namespace, ack_id)))

    assert packet.packet_type == EVENT
    assert packet.data == [name, *arguments]
    assert (packet.namespace or "/", packet.id) == (namespace or "/", ack_id)


@given(names, st.lists(binary_payloads, max_size=3), namespaces, ack_ids)
def test_an_event_with_attachments_survives_the_way(name, arguments, namespace, ack_id):
    """The attachments return to their places, whether there are any or not."""
    frames = _frames_of(Packet(EVENT, [name, *arguments], namespace, ack_id))

    packet = _feed_all(Decoder(Packet, WIDE), frames)

    assert packet.packet_type == (EVENT if len(frames) == 1 else BINARY_EVENT)
    assert packet.data == [name, *arguments]
    assert (packet.namespace or "/", packet.id) == (namespace or "/", ack_id)


@given(st.lists(binary_payloads, max_size=3), namespaces, st.integers(0, 2**53 - 1))
def test_an_acknowledgement_survives_the_way(arguments, namespace, ack_id):
    """Also an empty one."""
    packet = _feed_all(Decoder(Packet, WIDE), _frames_of(Packet(ACK, arguments, namespace, ack_id)))

    assert (packet.data, packet.id) == (arguments, ack_id)


@given(st.none() | st.dictionaries(st.text(), payloads), namespaces)
def test_a_connect_survives_the_way(auth, namespace):
    """Any object may be the auth payload."""
    packet = _feed_all(Decoder(), _frames_of(Packet(CONNECT, auth, namespace)))

    assert (packet.data, packet.namespace or "/") == (auth, namespace or "/")


@given(names, st.lists(_trees(scalars | st.binary(max_size=20)), max_size=3), namespaces, ack_ids)
def test_a_messagepack_event_survives_the_way(name, arguments, namespace, ack_id):
    """In one frame, placeholders or not."""
    packet = Decoder(MsgPackPacket).feed(MsgPackPacket(EVENT, [name, *arguments], namespace, ack_id).encode())

    assert packet.data == [name, *arguments]
    assert (packet.namespace, packet.id) == (namespace or "/", ack_id)


@given(binary_payloads)
def test_reconstructing_undoes_deconstructing(payload):
    """The wire form is JSON, and nothing is lost."""
    tree, attachments = deconstruct(payload)

    assert not contains_binary(tree)
    assert bool(attachments) == contains_binary(payload)
    assert reconstruct(json.loads(json.dumps(tree)), attachments) == payload


#: Pieces hostile frames are made of, so that they get further than random text would.
pieces = st.sampled_from(
    [
        *'0123456789-/,?[]{}" \\:',
        '["a"',
        '["disconnect"',
        '{"_placeholder":true,"num":',
        "}",
        ",",
        "null",
        "NaN",
        "1e999",
        "/chat,",
        "51-",
        "511-",
        "2[",
        "²",
        "\u0661",
        "\ud800",
        "[" * 70,
        "]" * 70,
        "9" * 20,
    ]
) | st.text(max_size=3)
texts = st.lists(pieces, max_size=12).map("".join)
hostile_frames = st.lists(texts | st.binary(max_size=10), min_size=1, max_size=6)


def _feed_hostile(decoder, frames):
    for frame in frames:
        try:
            packet = decoder.feed(frame)
        except PacketError:
            assert not decoder.pending
        else:
            assert (packet is None) == decoder.pending


@example(['51-["a",{"_placeholder":true,"num":-1}]', b"x"])
@example(['51-["a",{"_placeholder":true,"num":false}]', b"x"])
@example(["2" + "[" * 100_000])
@example(['2["' + '\\"' * 1000])
@given(hostile_frames)
def test_hostile_frames_raise_packet_error_or_nothing(frames):
    """And leave the decoder as good as new."""
    decoder = Decoder(Packet, Limits(max_binary_bytes=15))

    _feed_hostile(decoder, frames)

    decoder.reset()
    assert decoder.feed('2["a"]').data == ["a"]


class _StdlibPacket(Packet):
    json = STDLIB


class _ModulePacket(Packet):
    json = json


@given(hostile_frames)
def test_hostile_frames_are_no_danger_to_other_codecs(frames):
    """The standard library and a module of the application's."""
    _feed_hostile(Decoder(_StdlibPacket), frames)
    _feed_hostile(Decoder(_ModulePacket), frames)


wire_keys = st.sampled_from(["type", "nsp", "data", "id"]) | st.text(max_size=3)
wire_values = _trees(scalars | st.binary(max_size=5)) | st.integers(-2, 8) | st.just(["a"]) | st.just("/")
wire_maps = st.dictionaries(wire_keys, wire_values, max_size=6) | st.fixed_dictionaries(
    {"type": wire_values, "nsp": wire_values, "data": wire_values, "id": wire_values}
)


@given(st.lists(wire_maps.map(msgpack.packb) | st.binary() | texts, min_size=1, max_size=4))
def test_hostile_messagepack_raises_packet_error_or_nothing(frames):
    """Maps with anything in them, and bytes that are no MessagePack."""
    _feed_hostile(Decoder(MsgPackPacket), frames)


@given(_trees(wild_scalars))
def test_the_codecs_write_the_same_value(payload):
    """NaN, big integers and lone surrogates included."""
    assert json.loads(ORJSON.dumps(payload)) == json.loads(STDLIB.dumps(payload))


@given(_trees(wild_scalars))
def test_what_a_codec_writes_can_be_sent(payload):
    """As UTF-8, and without what is no JSON."""
    for codec in (STDLIB, ORJSON):
        text = codec.dumps(payload)

        assert text.encode()
        codec.loads(text)


json_pieces = st.sampled_from(
    [*'[]{}:,"\\0123456789.-+eE tfn', "true", "null", "\\u", "\\ud800", "d83d", "1e400", '"a"']
)


@given(st.lists(json_pieces, max_size=20).map("".join) | payloads.map(json.dumps) | st.text())
def test_the_codecs_read_the_same_or_refuse_together(text):
    """A handler cannot tell which one is installed."""
    results = []
    for codec in (STDLIB, ORJSON):
        try:
            results.append(repr(codec.loads(text)))
        except ValueError:
            results.append("refused")

    assert results[0] == results[1]


@given(binary_payloads | _trees(wild_scalars))
def test_an_applications_module_finds_binary_as_the_default_does(payload):
    """By walking, instead of by meeting it."""
    outcomes = []
    for codec in (AdaptedCodec(json), ORJSON):
        try:
            codec.dumps(payload)
            outcomes.append("text")
        except TypeError as error:
            outcomes.append(type(error).__name__)

    assert outcomes[0] == outcomes[1] == ("BinaryInPayload" if contains_binary(payload) else "text")


def _naive_depth(value):
    if isinstance(value, dict):
        return 1 + max(map(_naive_depth, value.values()), default=0)
    return 1 + max(map(_naive_depth, value), default=0) if isinstance(value, list) else 0


@given(payloads)
def test_depth_is_measured_as_a_recursive_reader_would(payload):
    """In text and in values."""
    depth = _naive_depth(payload)

    assert text_depth(json.dumps(payload)) == depth
    check_value_depth(payload, depth)


@given(payloads.filter(lambda payload: isinstance(payload, (dict, list))))
def test_one_level_less_than_a_payload_has_refuses_it(payload):
    """The error tells both numbers."""
    depth = _naive_depth(payload)

    with pytest.raises(PacketError) as caught:
        check_value_depth(payload, depth - 1)

    assert (caught.value.limit, caught.value.value) == (depth - 1, depth)


@given(st.floats())
def test_a_number_is_sent_as_it_is_or_as_null(number):
    """Never as something a strict reader refuses."""
    sent = json.loads(ORJSON.dumps([number]))[0]

    assert sent == number if math.isfinite(number) else sent is None


def outcome_of(read):
    """Return what reading gives, or what it says is wrong."""
    try:
        return read(), None
    except PacketError as error:
        return None, error.args


@given(
    text=st.text('2[]{}"e,:017\\u٣ ', max_size=40)
    | st.builds(
        lambda head, data: head + ORJSON.dumps(data),
        st.sampled_from(["2", "20", "2017", "21234567", "2/a,"]),
        st.lists(payloads, max_size=3),
    )
)
def test_what_is_read_quickly_is_what_the_decoder_reads(text):
    """The quick way never takes what the decoder refuses, refuses nothing that it takes, and reads the same."""
    limits = Limits(max_json_depth=3, max_event_length=4, max_ack_id=1_000_000)
    event, fault = outcome_of(lambda: event_reader(Packet, limits)(text))
    packet, fault_of_decoder = outcome_of(lambda: Decoder(Packet, limits).feed(text))
    if fault is not None:
        assert fault == fault_of_decoder
    if event is None:
        return

    assert (packet.packet_type, packet.namespace, packet.data, packet.id) == (EVENT, None, *event)

from __future__ import annotations

import datetime as dt

import msgpack
import pytest
from pydantic import BaseModel

import fastsio.msgpack_packet
from fastsio.exceptions import PacketError
from fastsio.protocol.decoder import Decoder
from fastsio.protocol.limits import Limits
from fastsio.protocol.msgpack import MsgPackPacket
from fastsio.protocol.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, DISCONNECT, EVENT


class _User(BaseModel):
    name: str
    born: dt.date
    picture: bytes | None = None


@pytest.mark.parametrize(
    ("arguments", "wire"),
    [
        ((CONNECT, {"sid": "1"}, "/a"), {"type": 0, "nsp": "/a", "data": {"sid": "1"}}),
        ((CONNECT,), {"type": 0, "nsp": "/"}),
        ((DISCONNECT, None, "/a"), {"type": 1, "nsp": "/a"}),
        ((EVENT, ["a", b"x"], "/b", 7), {"type": 2, "nsp": "/b", "data": ["a", b"x"], "id": 7}),
        ((ACK, [], None, 0), {"type": 3, "nsp": "/", "data": [], "id": 0}),
        ((BINARY_EVENT, ["a"], ""), {"type": 2, "nsp": "/", "data": ["a"]}),
        ((BINARY_ACK, (b"x", bytearray(b"y")), None, 1), {"type": 3, "nsp": "/", "data": [b"x", b"y"], "id": 1}),
        (
            (EVENT, ["a", _User(name="x", born=dt.date(2000, 1, 2)), {1}]),
            {"type": 2, "nsp": "/", "data": ["a", {"name": "x", "born": "2000-01-02", "picture": None}, [1]]},
        ),
        (
            (EVENT, ["a", _User(name="x", born=dt.date(2000, 1, 2), picture=b"p")]),
            {"type": 2, "nsp": "/", "data": ["a", {"name": "x", "born": "2000-01-02", "picture": b"p"}]},
        ),
    ],
)
def test_a_packet_is_one_map(arguments, wire):
    """Without data when there is none, without binary types, with binary in its place."""
    assert msgpack.unpackb(MsgPackPacket(*arguments).encode()) == wire


def test_a_packet_survives_the_way():
    """Through a decoder, as from a client."""
    packet = Decoder(MsgPackPacket).feed(MsgPackPacket(EVENT, ["a", b"x"], "/b?q", 7).encode())

    assert (packet.packet_type, packet.data, packet.namespace, packet.id) == (EVENT, ["a", b"x"], "/b", 7)
    assert (packet.attachment_count, packet.attachments) == (0, [])


def test_the_constructor_decodes():
    """As in python-socketio."""
    packet = MsgPackPacket(encoded_packet=MsgPackPacket(ACK, [1], "/b", 7).encode())

    assert (packet.packet_type, packet.data, packet.namespace, packet.id) == (ACK, [1], "/b", 7)


def test_nil_is_no_payload():
    """python-socketio sends it with DISCONNECT and with CONNECT."""
    for packet_type in (CONNECT, DISCONNECT):
        packet = Decoder(MsgPackPacket).feed(msgpack.packb({"type": packet_type, "nsp": "/", "data": None}))

        assert packet.data is None


@pytest.mark.parametrize(
    "wire",
    [
        [1],
        2,
        {},
        {"nsp": "/", "data": ["a"]},
        {"type": 2, "data": ["a"]},
        {"type": "2", "nsp": "/", "data": ["a"]},
        {"type": True, "nsp": "/", "data": ["a"]},
        {"type": 5, "nsp": "/", "data": ["a"]},
        {"type": 6, "nsp": "/", "data": ["a"], "id": 1},
        {"type": -1, "nsp": "/"},
        {"type": 2, "nsp": None, "data": ["a"]},
        {"type": 2, "nsp": 1, "data": ["a"]},
        {"type": 0, "nsp": "*"},
        {"type": 2, "nsp": "/", "data": ["*"]},
        {"type": 2, "nsp": "/", "data": [None]},
        {"type": 2, "nsp": "/", "data": [True]},
        {"type": 2, "nsp": "/", "data": [["a"]]},
        {"type": 2, "nsp": "/", "data": [float("nan")]},
        {"type": 2, "nsp": "/", "data": [float("inf")]},
        {"type": 2, "nsp": "/" + "a" * 256, "data": ["a"]},
        {"type": 2, "nsp": "/", "data": ["a"], "id": -1},
        {"type": 2, "nsp": "/", "data": ["a"], "id": True},
        {"type": 2, "nsp": "/", "data": ["a"], "id": 1.0},
        {"type": 2, "nsp": "/", "data": ["a"], "id": 2**53},
        {"type": 2, "nsp": "/", "data": []},
        {"type": 2, "nsp": "/", "data": [b"a"]},
        {"type": 2, "nsp": "/", "data": ["connect"]},
        {"type": 2, "nsp": "/", "data": {"a": 1}},
        {"type": 2, "nsp": "/"},
        {"type": 3, "nsp": "/", "data": []},
        {"type": 3, "nsp": "/", "id": 1},
        {"type": 1, "nsp": "/", "data": {}},
        {"type": 0, "nsp": "/", "data": []},
        {"type": 4, "nsp": "/", "data": {"message": "x"}},
    ],
)
def test_what_is_no_packet_is_refused(wire):
    """The same rules as for text."""
    with pytest.raises(PacketError):
        Decoder(MsgPackPacket).feed(msgpack.packb(wire))


@pytest.mark.parametrize(
    "frame", [b"", b"\xc1", b"\x82\xa4type", msgpack.packb(1) * 2, msgpack.packb({1: 2}), "2", '2["a"]']
)
def test_what_is_not_messagepack_is_refused(frame):
    """Text is never a packet of this form."""
    with pytest.raises(PacketError):
        Decoder(MsgPackPacket).feed(frame)


def test_nesting_is_bounded():
    """As in text."""
    frame = MsgPackPacket(EVENT, ["a", [[]]]).encode()

    Decoder(MsgPackPacket, Limits(max_json_depth=3)).feed(frame)
    with pytest.raises(PacketError, match="nested too deeply"):
        Decoder(MsgPackPacket, Limits(max_json_depth=2)).feed(frame)


def test_extension_types_are_kept_as_such():
    """Unless the application says what they are."""
    frame = MsgPackPacket(EVENT, ["a", msgpack.ExtType(5, b"x")]).encode()

    assert Decoder(MsgPackPacket).feed(frame).data == ["a", msgpack.ExtType(5, b"x")]


def test_configure_converts_both_ways():
    """What the application's conversion refuses is converted as without it."""

    def dumps_default(value):
        if isinstance(value, complex):
            return msgpack.ExtType(1, str(value).encode())
        raise TypeError

    custom = MsgPackPacket.configure(dumps_default=dumps_default, ext_hook=lambda _code, data: complex(data.decode()))
    frame = custom(EVENT, ["a", 1 + 2j, {3}]).encode()

    assert issubclass(custom, MsgPackPacket)
    assert Decoder(custom).feed(frame).data == ["a", 1 + 2j, [3]]


def test_configure_without_arguments_changes_nothing():
    """None is the default for both."""
    frame = MsgPackPacket(EVENT, ["a", msgpack.ExtType(5, b"x")]).encode()

    for custom in (MsgPackPacket.configure(), MsgPackPacket.configure(None, None)):
        assert Decoder(custom).feed(frame).data == ["a", msgpack.ExtType(5, b"x")]


def test_an_extension_the_application_cannot_read_is_refused():
    """The peer's bytes made its conversion raise."""
    custom = MsgPackPacket.configure(ext_hook=lambda _code, data: data.decode())

    with pytest.raises(PacketError, match="not MessagePack"):
        Decoder(custom).feed(MsgPackPacket(EVENT, ["a", msgpack.ExtType(5, b"\xff")]).encode())


def test_what_has_no_form_is_a_type_error():
    """As with JSON."""
    with pytest.raises(TypeError):
        MsgPackPacket(EVENT, ["a", object()]).encode()


def test_a_lone_surrogate_is_a_value_error():
    """MessagePack has no escapes; python-socketio raises the same."""
    with pytest.raises(UnicodeEncodeError):
        MsgPackPacket(EVENT, ["a", "\ud800"]).encode()


def test_the_facade_is_the_module_applications_import():
    """socketio.msgpack_packet by its new name."""
    assert fastsio.msgpack_packet.MsgPackPacket is MsgPackPacket
    assert MsgPackPacket.uses_binary_events is False


def test_undefined_of_javascript_is_none():
    """socket.io-msgpack-parser sends CONNECT without auth like this."""
    packet = MsgPackPacket(encoded_packet=bytes.fromhex("83a47479706500a36e7370a12fa464617461d40000"))

    assert packet.packet_type == 0
    assert packet.data is None


def test_undefined_of_javascript_is_none_for_who_reads_other_types():
    """An application that has extension types of its own need not know JavaScript's."""

    def read(code, data):
        if code == 7:
            return data
        raise ValueError(code)

    own = MsgPackPacket.configure(ext_hook=read)
    frame = msgpack.packb({"type": 0, "nsp": "/", "data": msgpack.ExtType(0, b"\x00")})

    assert own(encoded_packet=frame).data is None


def test_functions_of_a_subclass_are_no_methods():
    """They are called as python-socketio calls them, with the value alone."""

    class Own(MsgPackPacket):
        dumps_default = str
        ext_hook = None

    Own.dumps_default = lambda value: f"<{value}>"
    frame = Own(data=["a", complex(1, 2), msgpack.ExtType(3, b"x")]).encode()

    assert Own(encoded_packet=frame).data == ["a", "<(1+2j)>", msgpack.ExtType(3, b"x")]

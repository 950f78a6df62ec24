from __future__ import annotations

import json
import math

import pytest
from pydantic import BaseModel

import fastsio.packet
from fastsio.exceptions import PacketError
from fastsio.protocol.limits import Limits
from fastsio.protocol.packet import (
    ACK,
    BINARY_ACK,
    BINARY_EVENT,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    Packet,
    packet_names,
)

HOLE = '{"_placeholder":true,"num":0}'


class _Upload(BaseModel):
    content: bytes


def _fields(packet):
    return packet.packet_type, packet.data, packet.namespace, packet.id, packet.attachment_count


@pytest.mark.parametrize(
    ("arguments", "encoded"),
    [
        ((), "2"),
        ((CONNECT,), "0"),
        ((CONNECT, None, "/a"), "0/a,"),
        ((CONNECT, {"sid": "1"}, "/a"), '0/a,{"sid":"1"}'),
        ((CONNECT, {}), "0{}"),
        ((DISCONNECT, None, "/a"), "1/a,"),
        ((EVENT, ["a"]), '2["a"]'),
        ((EVENT, ["a"], "/"), '2["a"]'),
        ((EVENT, ["a"], "/", 5), '25["a"]'),
        ((EVENT, ["a"], "/b", 0), '2/b,0["a"]'),
        ((EVENT, ["é\u2028"]), '2["é\u2028"]'),
        ((EVENT, ["a", math.nan]), '2["a",null]'),
        ((ACK, [], None, 0), "30[]"),
        ((CONNECT_ERROR, {"message": "x"}, "/q"), '4/q,{"message":"x"}'),
        ((CONNECT_ERROR, "text"), '4"text"'),
        ((BINARY_EVENT, ["a"]), '2["a"]'),
        ((EVENT, ["a"], None, None, True), '2["a"]'),
        ((EVENT, ["a"], None, None, False), '2["a"]'),
    ],
)
def test_packets_without_binary_are_one_text(arguments, encoded):
    """As in python-socketio; a binary packet without attachments, which JavaScript refuses, is a plain one."""
    assert Packet(*arguments).encode() == encoded


@pytest.mark.parametrize(
    ("arguments", "encoded", "packet_type"),
    [
        ((EVENT, ["a", b"x"]), [f'51-["a",{HOLE}]', b"x"], BINARY_EVENT),
        ((EVENT, ["a", b"x"], "/b", 7), [f'51-/b,7["a",{HOLE}]', b"x"], BINARY_EVENT),
        ((EVENT, ["a", b"x"], None, None, True), [f'51-["a",{HOLE}]', b"x"], BINARY_EVENT),
        ((BINARY_EVENT, ("a", (bytearray(b"x"),))), [f'51-["a",[{HOLE}]]', b"x"], BINARY_EVENT),
        ((ACK, [memoryview(b"")], "/b", 7), [f"61-/b,7[{HOLE}]", b""], BINARY_ACK),
        ((BINARY_ACK, [_Upload(content=b"x")], None, 7), [f'61-7[{{"content":{HOLE}}}]', b"x"], BINARY_ACK),
    ],
)
def test_packets_with_binary_are_a_text_and_its_attachments(arguments, encoded, packet_type):
    """The type becomes the binary one while encoding."""
    packet = Packet(*arguments)

    assert packet.encode() == encoded
    assert packet.packet_type is packet_type


def test_a_packet_can_be_encoded_again():
    """Encoding does not change the payload."""
    packet = Packet(EVENT, ["a", b"x"], "/b", 7)

    assert packet.encode() == packet.encode()


@pytest.mark.parametrize("packet_type", [CONNECT, DISCONNECT, CONNECT_ERROR])
def test_binary_where_the_protocol_has_none_is_refused(packet_type):
    """Only events and acknowledgements have attachments."""
    with pytest.raises(ValueError, match="does not support binary"):
        Packet(packet_type, {"a": b"x"}).encode()


def test_binary_false_refuses_binary():
    """The caller said that there is none."""
    with pytest.raises(TypeError, match="bytes is not JSON serializable"):
        Packet(EVENT, ["a", b"x"], binary=False).encode()


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        ("0", (CONNECT, None, None, None, 0)),
        ('0/a,{"x":1}', (CONNECT, {"x": 1}, "/a", None, 0)),
        ("1/a", (DISCONNECT, None, "/a", None, 0)),
        ("2", (EVENT, None, None, None, 0)),
        ('2["a"]', (EVENT, ["a"], None, None, 0)),
        ('2 ["a"]', (EVENT, ["a"], None, None, 0)),
        ('2{"a":[1]}', (EVENT, {"a": [1]}, None, None, 0)),
        ('20["a"]', (EVENT, ["a"], None, 0, 0)),
        ('2/a?x=1,3["b"]', (EVENT, ["b"], "/a", 3, 0)),
        ("33[]", (ACK, [], None, 3, 0)),
        ('4"abc"', (CONNECT_ERROR, "abc", None, None, 0)),
        (f'51-/b,4["a",{HOLE}]', (BINARY_EVENT, ["a", {"_placeholder": True, "num": 0}], "/b", 4, 1)),
        ("62-4[1]", (BINARY_ACK, [1], None, 4, 2)),
    ],
)
def test_texts_are_decoded(encoded, expected):
    """As in python-socketio, by the constructor and by decode()."""
    packet = Packet()

    assert packet.decode(encoded) == expected[-1]
    assert _fields(packet) == _fields(Packet(encoded_packet=encoded)) == expected


@pytest.mark.parametrize(
    "encoded",
    [
        "9",
        "x",
        '2["a"]x',
        "2[NaN]",
        "2abc[1]",
        '2 1["a"]',
        "21e3[1]",
        "0null",
        "2null",
        '5["a"]',
        '50-["a"]',
        "2[",
        "0foo,{}",
    ],
)
def test_texts_that_break_the_grammar_are_refused(encoded):
    """PacketError is a ValueError, which is what python-socketio raises."""
    assert issubclass(PacketError, ValueError)
    with pytest.raises(PacketError):
        Packet(encoded_packet=encoded)


def test_nesting_is_bounded_before_parsing():
    """For plain events of the root namespace as for the others."""
    for head in ("2", "2/a,1"):
        assert Packet(encoded_packet=head + "[" * 64 + "]" * 64).data
        with pytest.raises(PacketError, match="nested too deeply"):
            Packet(encoded_packet=head + "[" * 65 + "]" * 65)


def test_decode_takes_limits():
    """Without them the defaults hold."""
    with pytest.raises(PacketError, match="nested too deeply"):
        Packet().decode("2[[[]]]", limits=Limits(max_json_depth=2))


def test_attachments_complete_a_packet():
    """The last one puts all of them in their places."""
    packet = Packet(encoded_packet='52-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]')

    assert packet.add_attachment(b"0") is False
    assert packet.add_attachment(b"1") is True
    assert packet.data == ["a", b"1", b"0"]
    assert packet.attachments == [b"0", b"1"]


@pytest.mark.parametrize("encoded", ['2["a"]', f'51-["a",{HOLE}]'])
def test_an_attachment_too_many_is_refused(encoded):
    """Whether the packet had none or has them all."""
    packet = Packet(encoded_packet=encoded)
    if packet.attachment_count:
        packet.add_attachment(b"x")

    with pytest.raises(ValueError, match="Unexpected binary attachment"):
        packet.add_attachment(b"y")


def test_a_packet_object_can_be_used_again():
    """Nothing is left of what it decoded before."""
    packet = Packet(EVENT, ["a"], "/a", 1, binary=True)
    packet.decode(f'51-/b,2["a",{HOLE}]')
    packet.add_attachment(b"x")

    packet.decode('2["b"]')

    assert _fields(packet) == (EVENT, ["b"], None, None, 0)
    assert packet.attachments == []


def test_the_class_methods_of_python_socketio():
    """They work on the class and on an instance."""
    for target in (Packet, Packet()):
        assert target.data_is_binary(["a", {"b": b"x"}])
        assert target.deconstruct_binary(["a", b"x"]) == (["a", {"_placeholder": True, "num": 0}], [b"x"])
        assert target.reconstruct_binary(["a", {"_placeholder": True, "num": 0}], [b"x"]) == ["a", b"x"]


def test_parse_takes_text_only():
    """Binary is never the start of a packet."""
    assert _fields(Packet.parse('2["a"]', Limits())) == (EVENT, ["a"], None, None, 0)
    with pytest.raises(PacketError, match="binary without a packet"):
        Packet.parse(b'2["a"]', Limits())


class _Spaced:
    """An application's JSON."""

    calls: int

    def __init__(self) -> None:
        self.calls = 0

    def dumps(self, obj, separators):
        self.calls += 1
        return " " + json.dumps(obj, separators=separators)

    def loads(self, text):
        self.calls += 1
        return json.loads(text)


def test_the_json_of_a_subclass_is_used_for_text_and_attachments():
    """python-socketio's way to choose another JSON; other classes keep theirs."""
    spaced = _Spaced()

    class Custom(Packet):
        json = spaced

    assert Custom(EVENT, ["a"]).encode() == '2 ["a"]'
    assert Custom(EVENT, ["a", b"x"]).encode() == [f'51- ["a",{HOLE}]', b"x"]
    assert Custom(encoded_packet='2["b"]').data == ["b"]
    assert spaced.calls == 3
    assert Packet(EVENT, ["a"]).encode() == '2["a"]'


def test_json_none_is_the_default():
    """As the server's json=None."""

    class Custom(Packet):
        json = None

    assert Custom(EVENT, ["a"]).encode() == '2["a"]'
    assert Custom(encoded_packet='2["b"]').data == ["b"]


class _Reversed(Packet):
    """A packet class of an application's own, the python-socketio way."""

    uses_binary_events = False

    def encode(self):
        return str(super().encode())[::-1].encode()

    def decode(self, encoded_packet):
        super().decode(encoded_packet[::-1].decode())
        self.id = {"-1": -1}.get(str(self.id), self.id)


class _Loose(Packet):
    """Another one, that lets everything through."""

    __slots__ = ()

    def decode(self, encoded_packet):
        loose = json.loads(encoded_packet)
        self.packet_type, self.namespace, self.id, self.data, count = loose
        return count


def test_an_overridden_decode_is_asked():
    """Custom serializers override encode() and decode()."""
    packet = _Reversed.parse(_Reversed(EVENT, ["a"], "/b", 3).encode(), Limits())

    assert _fields(packet) == (EVENT, ["a"], "/b", 3, 0)


def test_an_overridden_decode_may_read_text_and_count_attachments():
    """The count it returns is the packet's."""
    packet = _Loose.parse('[5, null, 3, ["a"], 2]', Limits())

    assert _fields(packet) == (BINARY_EVENT, ["a"], "/", 3, 2)


def test_a_decode_from_a_mixin_is_asked():
    """Wherever in the bases it comes from."""

    class Mixin:
        def decode(self, encoded_packet):
            self.packet_type, self.data, self.namespace, self.id = EVENT, [encoded_packet], None, None

    class Mixed(Mixin, Packet):
        pass

    class Again(Mixed):
        pass

    assert Again.parse("anything", Limits()).data == ["anything"]


def test_the_limits_hold_for_an_overridden_decode():
    """Whatever it lets through."""
    for loose in (
        "[9,null,null,null,0]",
        "[2,1,null,null,0]",
        '[2,"/",-1,null,0]',
        "[2,null,null,[[[]]],0]",
        "[5,null,null,[],11]",
        "[[],null,null,null,0]",
    ):
        with pytest.raises(PacketError):
            _Loose.parse(loose, Limits(max_json_depth=2))


def test_what_an_overridden_decode_raises_is_a_packet_error():
    """The peer's frame made it raise."""
    with pytest.raises(PacketError, match="could not be decoded"):
        _Loose.parse("{", Limits())
    with pytest.raises(PacketError, match="unknown packet type"):
        _Reversed.parse(b"9", Limits())


def test_binary_frames_do_not_reach_a_decode_for_text():
    """A class with attachments never gets one as a packet."""
    with pytest.raises(PacketError, match="binary without a packet"):
        _Loose.parse(b"[]", Limits())


def test_a_packet_shows_what_it_is_and_not_what_is_in_it():
    """Payloads do not belong in logs."""
    assert repr(Packet(EVENT, ["secret"], "/a", 1)) == "<Packet EVENT namespace='/a' id=1>"


def test_the_facade_is_the_module_applications_import():
    """socketio.packet by its new name."""
    assert fastsio.packet.Packet is Packet
    assert [getattr(fastsio.packet, name) for name in packet_names] == list(range(7))


@pytest.mark.parametrize("packet_type", [CONNECT, DISCONNECT, CONNECT_ERROR])
def test_only_events_and_acknowledgements_take_binary(packet_type):
    """Any other packet with bytes is refused when it is made, not when it is sent."""
    with pytest.raises(ValueError, match="does not support binary"):
        Packet(packet_type, {"message": b"x"})
    with pytest.raises(ValueError, match="does not support binary"):
        Packet(packet_type, {"message": "x"}, binary=True)

    assert Packet(packet_type, {"message": "x"}, binary=False).packet_type == packet_type


@pytest.mark.parametrize("packet_type", [CONNECT, DISCONNECT, CONNECT_ERROR])
def test_binary_that_is_put_into_a_packet_later_is_refused_when_it_is_encoded(packet_type):
    """The data of a packet may be replaced after it was made."""
    packet = Packet(packet_type, {"message": "x"})
    packet.data = {"message": b"x"}

    with pytest.raises(ValueError, match="does not support binary"):
        packet.encode()


def test_a_packet_has_its_binary_type_before_it_is_encoded():
    """As soon as the data given holds bytes; a packet that was read has the type it came with."""
    assert Packet(EVENT, ["a", b"x"]).packet_type is BINARY_EVENT
    assert Packet(ACK, [{"b": [b"x"]}]).packet_type is BINARY_ACK
    assert Packet(EVENT, ["a", b"x"], binary=True).packet_type is BINARY_EVENT
    assert Packet(EVENT, ["a"]).packet_type is EVENT
    assert Packet(encoded_packet='51-["a",{"_placeholder":true,"num":0}]').packet_type is BINARY_EVENT

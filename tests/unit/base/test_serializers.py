from __future__ import annotations

import json

import pytest

from fastsio.base.serializers import ClientPacket, choose_client_packet_class, choose_packet_class
from fastsio.exceptions import SetupError
from fastsio.protocol import Packet
from fastsio.protocol.msgpack import MsgPackPacket


def test_serializers_are_chosen_by_name_or_class():
    """default, msgpack, or a Packet class."""

    class Mine(Packet):
        __slots__ = ()

    assert choose_packet_class("default", None) is Packet
    assert choose_packet_class("msgpack", None) is MsgPackPacket
    assert choose_packet_class(Mine, None) is Mine
    with pytest.raises(SetupError, match="serializer='pickle'"):
        choose_packet_class("pickle", None)


def test_a_json_module_belongs_to_one_server():
    """The process-wide class stays as it is."""
    packet_class = choose_packet_class("default", json)

    assert packet_class.json is json
    assert Packet.json is not json
    assert packet_class(data=["e", 1]).encode() == '2["e",1]'
    with pytest.raises(SetupError, match="dumps"):
        choose_packet_class("default", object())


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "9" * 5000])
def test_clients_read_none_for_a_number_that_json_does_not_have(text):
    """A foreign server that writes one costs the client one value; the others arrive."""
    packet_class = choose_client_packet_class("default", None)

    packet = packet_class(encoded_packet=f'2["rates",{{"a":{text},"b":18446744073709551616,"c":1.5,"d":-7}}]')

    assert packet.data == ["rates", {"a": None, "b": 2.0**64, "c": 1.5, "d": -7}]


def test_clients_use_the_json_and_the_serializer_they_are_given():
    """The lenient reader is that of the default serializer alone."""
    assert choose_client_packet_class("msgpack", None) is MsgPackPacket
    assert choose_client_packet_class(Packet, None) is Packet
    assert not issubclass(choose_client_packet_class("default", json), ClientPacket)

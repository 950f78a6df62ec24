from __future__ import annotations

import json

import pytest

from fastsio.base.serializers import choose_packet_class
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

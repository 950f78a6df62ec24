from __future__ import annotations

import pytest

from fastsio.exceptions import PacketError
from fastsio.protocol.fields import check_ack_id, check_namespace, check_packet_type
from fastsio.protocol.limits import Limits
from fastsio.protocol.packet_type import PacketType


@pytest.mark.parametrize("value", [None, "2", 2.0, True, -1, 7, [2]])
def test_what_is_no_packet_type_is_refused(value):
    """Only whole numbers of the protocol are types."""
    with pytest.raises(PacketError, match="unknown packet type"):
        check_packet_type(value)


def test_a_packet_type_beyond_the_encodings_last_is_refused():
    """MessagePack has no binary types."""
    assert check_packet_type(4, highest=PacketType.CONNECT_ERROR) is PacketType.CONNECT_ERROR
    with pytest.raises(PacketError):
        check_packet_type(5, highest=PacketType.CONNECT_ERROR)


def test_a_namespace_loses_its_query_string():
    """What follows the question mark never selects another namespace."""
    assert check_namespace("/chat?token=1", Limits()) == "/chat"


@pytest.mark.parametrize("value", [None, 1, b"/", "/" + "a" * 256, "*", "", "chat", "?/"])
def test_a_namespace_that_no_packet_in_json_can_have_is_refused(value):
    """It is a text with a slash at its start, within the limit, in every encoding: "*" is a server's word."""
    with pytest.raises(PacketError):
        check_namespace(value, Limits())


@pytest.mark.parametrize("value", [None, 0, 1, 2**53 - 1])
def test_an_ack_id_is_none_or_a_whole_number(value):
    """0 is an id."""
    assert check_ack_id(value, Limits()) == value


@pytest.mark.parametrize("value", ["1", 1.0, True, -1, 2**53, [1]])
def test_what_is_no_ack_id_is_refused(value):
    """Above 2**53 - 1 numbers are not exact in JavaScript."""
    with pytest.raises(PacketError):
        check_ack_id(value, Limits())

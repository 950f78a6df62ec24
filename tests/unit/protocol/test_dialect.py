"""What differs between the revisions of the Socket.IO protocol."""

from __future__ import annotations

import pytest

from fastsio.exceptions import PacketError
from fastsio.protocol import CURRENT, DEFAULT_LIMITS, LEGACY, Limits, Packet, PacketType


def decoder(limits: Limits = DEFAULT_LIMITS):
    """Read what an old client sends."""
    return LEGACY.decoder_class(Packet, limits)


@pytest.mark.parametrize(
    ("frame", "namespace", "auth"),
    [
        ("0", None, None),
        ("0/", "/", None),
        ("0/admin", "/admin", None),
        ("0/admin,", "/admin", None),
        ("0/admin?token=1", "/admin", {"token": "1"}),
        ("0/admin?token=a%2Cb&empty=&token=c+d,", "/admin", {"token": "c d", "empty": ""}),
        ("0/admin?,", "/admin", None),
        ('0/admin?token=1,{"token":"2"}', "/admin", {"token": "1"}),
    ],
)
def test_the_query_of_a_namespace_is_the_auth(frame, namespace, auth):
    """CONNECT of an old client has a query where a new one has a payload, with or without a comma after it."""
    packet = decoder().feed(frame)

    assert (packet.packet_type, packet.namespace, packet.data) == (PacketType.CONNECT, namespace, auth)


@pytest.mark.parametrize("frame", ['2["e",1]', '2/a,3["e"]', "1/a", "3/a,7[]"])
def test_other_packets_are_read_as_ever(frame):
    """Events, acknowledgements and DISCONNECT look the same."""
    ours, theirs = decoder().feed(frame), CURRENT.decoder_class(Packet, DEFAULT_LIMITS).feed(frame)

    assert [getattr(ours, name) for name in ("packet_type", "namespace", "id", "data")] == [
        getattr(theirs, name) for name in ("packet_type", "namespace", "id", "data")
    ]


def test_attachments_are_not_taken_for_connect():
    """What arrives while attachments are missing is an error, not a CONNECT."""
    reader = decoder()
    reader.feed('51-["e",{"_placeholder":true,"num":0}]')

    with pytest.raises(PacketError, match="text while attachments are missing"):
        reader.feed("0/admin")


def test_the_length_of_a_query_is_limited():
    """As many characters as max_query_length, not one more."""
    limits = Limits(max_query_length=3)
    assert decoder(limits).feed("0/a?x=1,").data == {"x": "1"}

    with pytest.raises(PacketError, match="query is too long"):
        decoder(limits).feed("0/a?x=12,")


def test_a_namespace_is_limited_without_its_query():
    """The name has its own limit."""
    with pytest.raises(PacketError, match="name is too long"):
        decoder(Limits(max_namespace_length=3)).feed("0/abc?x=1")


def test_sids_follow_from_the_engine_io_session():
    """An old client computes its sid; a new one gets a fresh one."""
    assert (LEGACY.sid("abc", "/"), LEGACY.sid("abc", "/admin")) == ("abc", "/admin#abc")
    assert (CURRENT.sid("abc", "/"), CURRENT.sid("abc", "/admin")) == (None, None)


def test_logs_do_not_show_sids_that_are_secrets():
    """Of a sid that holds the Engine.IO session id only the beginning is shown."""
    assert LEGACY.label("abcdefghij") == "abcdef..."
    assert LEGACY.label("/admin#abcdefghij") == "/admin#abcdef..."
    assert CURRENT.label("abcdefghij") == "abcdefghij"


def test_connect_has_a_payload_in_protocol_5_only():
    """An old client knows its sid."""
    assert CURRENT.confirmation("abc") == {"sid": "abc"}
    assert LEGACY.confirmation("abc") is None


@pytest.mark.parametrize(
    ("payload", "legacy"),
    [
        ({"message": "no"}, "no"),
        ({"message": "no", "data": None}, "no"),
        ({"message": "no", "data": {"code": 1}}, {"code": 1}),
        ({"message": "no", "data": 0}, 0),
    ],
)
def test_refusals_are_the_data_or_the_text(payload, legacy):
    """ERROR holds what the application gave, where CONNECT_ERROR holds an object."""
    assert LEGACY.refusal(payload) == legacy
    assert CURRENT.refusal(payload) is payload


def test_only_old_clients_join_the_root_unasked():
    """The server connects them to it."""
    assert (LEGACY.joins_root, CURRENT.joins_root) == (True, False)

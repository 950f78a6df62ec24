"""What a client asks for."""

from __future__ import annotations

import sys

import pytest

from fastsio.engine.http import Code
from fastsio.engine.request import (
    BodyTooLarge,
    Request,
    RequestRefused,
    bytes_to_read,
    check_body,
    content_length,
    read_request,
    sid_of_query,
)
from fastsio.exceptions import PacketError

BOTH = ["polling", "websocket"]


def asked(query, method="GET", upgrade="", *, connection="Upgrade", transports=BOTH, **options):
    """Read a request."""
    environ = {"QUERY_STRING": query, "REQUEST_METHOD": method, "HTTP_UPGRADE": upgrade, "HTTP_CONNECTION": connection}
    return read_request(environ, transports, **options)


def refused(*args, **options):
    """Read a request that is refused; return why."""
    with pytest.raises(RequestRefused) as caught:
        asked(*args, **options)
    assert caught.value.log == str(caught.value)
    return caught.value.code


@pytest.mark.parametrize(
    ("query", "method", "upgrade", "request_"),
    [
        ("EIO=4&transport=polling", "GET", "", Request(method="GET", sid=None, is_websocket=False, protocol=4)),
        ("EIO=4&transport=polling&sid=a", "POST", "", Request(method="POST", sid="a", is_websocket=False, protocol=4)),
        ("transport=polling&sid=a", "GET", "", Request(method="GET", sid="a", is_websocket=False, protocol=None)),
        ("EIO=4&transport=websocket", "GET", "WebSocket", Request(method="GET", sid=None, is_websocket=True, protocol=4)),
        ("EIO=4&transport=polling&t=abc&j=2&sid=a", "GET", "", Request(method="GET", sid="a", is_websocket=False, protocol=4, jsonp_index=2)),
        ("EIO=4&transport=polling&b64=1&sid=a", "GET", "", Request(method="GET", sid="a", is_websocket=False, protocol=4, base64=True)),
        ("EIO=4&transport=polling&sid=", "GET", "", Request(method="GET", sid="", is_websocket=False, protocol=4)),
    ],
)  # fmt: skip
def test_a_request_says_what_it_is_for(query, method, upgrade, request_):
    """A new session, or something about an existing one."""
    assert asked(query, method, upgrade) == request_


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("transports", [BOTH, ["websocket"]])
@pytest.mark.parametrize("upgrade", ["", "websocket"])
@pytest.mark.parametrize(
    "tail", ["&sid=a", "&sid=A_b-0.12", "&t=Pq1x.7&sid=a", "&t=&sid=a", "&t=&sid=", "&sid=a%2e", "&sid=a+b", "&sid=a&sid=b", "&sid=é"]
)  # fmt: skip
@pytest.mark.parametrize("transport", [*BOTH, "other"])
def test_the_short_way_of_reading_a_query_reads_the_same(method, transports, upgrade, tail, transport):
    """What is read of a query without anything unusual is what is read of one with a parameter that has no meaning."""

    def outcome(query):
        try:
            return asked(query, method, upgrade, transports=transports)
        except RequestRefused as refused:
            return refused.code, refused.log

    query = f"EIO=4&transport={transport}{tail}"
    assert outcome(query) == outcome(f"unknown=&{query}")


@pytest.mark.parametrize("query", ["", "EIO=4", "EIO=4&transport=", "EIO=4&transport=carrier+pigeon"])
def test_a_transport_must_be_named(query):
    """One that the server offers."""
    assert refused(query) is Code.UNKNOWN_TRANSPORT
    assert refused("EIO=4&transport=polling", transports=["websocket"]) is Code.UNKNOWN_TRANSPORT


@pytest.mark.parametrize("version", ["", "EIO=3&", "EIO=5&", "EIO=x&", "EIO=&", "EIO=4&EIO=3&"])
def test_other_revisions_are_refused(version):
    """A new session must name the one that is spoken."""
    assert refused(f"{version}transport=polling") is Code.UNSUPPORTED_PROTOCOL_VERSION


def test_of_a_parameter_that_is_repeated_the_last_value_counts():
    """Clients append theirs to what a URL has already."""
    query = "EIO=3&EIO=4&transport=websocket&transport=polling&sid=a&sid=b&b64=1&b64=&j=1&j=2"

    assert asked(query) == Request(method="GET", sid="b", is_websocket=False, protocol=4, jsonp_index=2)


def test_a_handshake_without_a_revision_is_one_of_revision_3_where_that_is_allowed():
    """As in the JavaScript server; one for a session has the session's."""
    assert asked("transport=polling", allow_eio3=True).protocol == 3
    assert asked("transport=polling&sid=a", allow_eio3=True).protocol is None
    assert refused("transport=polling") is Code.UNSUPPORTED_PROTOCOL_VERSION


def test_revision_3_may_be_allowed():
    """Beside the other one."""
    assert asked("EIO=3&transport=polling", allow_eio3=True).protocol == 3
    assert asked("EIO=4&transport=polling", allow_eio3=True).protocol == 4
    assert refused("EIO=2&transport=polling", allow_eio3=True) is Code.UNSUPPORTED_PROTOCOL_VERSION


@pytest.mark.parametrize(
    ("query", "method"),
    [
        ("EIO=4&transport=polling", "POST"),
        ("EIO=4&transport=polling&sid=a", "PUT"),
        ("EIO=4&transport=polling", "HEAD"),
    ],
)
def test_sessions_begin_with_get(query, method):
    """And know no methods but GET and POST; what a client calls another is not logged."""
    assert refused(query, method) is Code.BAD_HANDSHAKE_METHOD


@pytest.mark.parametrize(
    ("query", "upgrade"), [("EIO=4&transport=websocket", ""), ("EIO=4&transport=polling", "websocket")]
)
def test_the_upgrade_header_and_the_transport_agree(query, upgrade):
    """Neither is believed alone."""
    assert refused(query, "GET", upgrade) is Code.BAD_REQUEST


@pytest.mark.parametrize("index", ["", "x", "-1", "1" * 10, "1" * 5000, "1.5", "²", "1);alert(1"])
def test_the_index_of_a_script_is_a_number(index):
    """It stands in code that a browser runs."""
    assert refused(f"EIO=4&transport=polling&j={index}") is Code.BAD_REQUEST


@pytest.mark.parametrize(
    ("upgrade", "connection"),
    [
        ("websocket", "Upgrade"),
        ("WebSocket", "keep-alive, Upgrade"),
        ("WEBSOCKET", "UPGRADE"),
        ("websocket,websocket", "Upgrade,keep-alive,Upgrade"),
        ("h2c, websocket", "keep-alive,\r\n upgrade"),
        (" websocket ", "\tupgrade\t"),
    ],
)
def test_a_websocket_is_asked_for_however_proxies_write_it(upgrade, connection):
    """Repeated and folded headers, in any case."""
    assert asked("EIO=4&transport=websocket", "GET", upgrade, connection=connection).is_websocket


@pytest.mark.parametrize(
    ("upgrade", "connection"), [("websocket", ""), ("websocket", "keep-alive"), ("h2c", "Upgrade"), ("", "Upgrade")]
)
def test_an_upgrade_is_an_option_of_the_connection(upgrade, connection):
    """Else the header is another hop's, and the request is a plain one."""
    assert not asked("EIO=4&transport=polling", "GET", upgrade, connection=connection).is_websocket
    assert refused("EIO=4&transport=websocket", "GET", upgrade, connection=connection) is Code.BAD_REQUEST


@pytest.mark.parametrize(
    ("declared", "length"), [("0", 0), ("12", 12), ("", None), (None, None), ("9" * 999, sys.maxsize)]
)
def test_the_length_of_a_body_is_a_number(declared, length):
    """None is declared by a body in chunks; one of too many digits is over every limit."""
    assert content_length({} if declared is None else {"CONTENT_LENGTH": declared}) == length


@pytest.mark.parametrize("declared", ["x", "-1", "1.0", "0x10", "+1", " 1", "\u0663", "1,1"])
def test_other_lengths_are_refused(declared):
    """Proxies may read them otherwise."""
    with pytest.raises(PacketError):
        content_length({"CONTENT_LENGTH": declared})


@pytest.mark.parametrize(
    ("environ", "has_end", "size"), [({"CONTENT_LENGTH": "9"}, True, 9), ({}, True, 11), ({}, False, 0)]
)
def test_a_body_is_read_up_to_its_length_or_one_byte_beyond_the_limit(environ, has_end, size):
    """The byte beyond shows that it is too large; without a length, where no end can be noticed, there is no body."""
    assert bytes_to_read(environ, 10, has_end=has_end) == size


def test_a_body_over_the_limit_is_refused_by_its_length_or_by_what_was_read():
    """The error has the limit and the size."""
    with pytest.raises(BodyTooLarge) as declared:
        bytes_to_read({"CONTENT_LENGTH": "11"}, 10)
    with pytest.raises(BodyTooLarge) as read:
        check_body(bytearray(11), 10)

    assert (declared.value.limit, declared.value.value) == (read.value.limit, read.value.value) == (10, 11)
    assert check_body(bytearray(10), 10) == bytes(10)


@pytest.mark.parametrize(
    ("query", "sid"),
    [
        (b"EIO=4&transport=polling&sid=a-B_0.12", "a-B_0.12"),
        (b"EIO=4&transport=polling&t=Pq1x.7&sid=a", "a"),
        (b"EIO=4&transport=polling", None),
        (b"EIO=4&transport=polling&sid=", None),
        (b"EIO=4&transport=polling&sid=a%2e", None),
        (b"EIO=4&transport=polling&sid=a&sid=b", None),
        (b"EIO=4&transport=polling&sid=a&j=1", None),
        (b"EIO=4&transport=websocket&sid=a", None),
        (b"EIO=3&transport=polling&sid=a", None),
        ("EIO=4&transport=polling&sid=é".encode(), None),
    ],
)
def test_the_session_of_a_plain_poll_is_found_in_its_query(query, sid):
    """A query with anything else is read as a whole."""
    assert sid_of_query(query) == sid

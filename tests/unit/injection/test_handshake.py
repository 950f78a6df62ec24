"""Reading an environ."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from fastsio.injection import Handshake, scope_of
from fastsio.injection.handshake import Place


def test_a_websocket_scope_becomes_that_of_a_get_request():
    """Starlette's Request accepts no other type; the original is left alone."""
    websocket = {"type": "websocket", "scheme": "wss", "path": "/socket.io/", "headers": [], "query_string": b"a=1"}

    scope = scope_of({"asgi.scope": websocket})

    assert (scope["type"], scope["method"], scope["scheme"]) == ("http", "GET", "https")
    assert websocket["type"] == "websocket"


def test_a_scope_without_optional_keys_is_completed():
    """ASGI makes them optional, Starlette does not."""
    scope = scope_of({"asgi.scope": {"type": "http", "method": "POST", "path": "/"}})

    assert (scope["method"], scope["scheme"], scope["headers"], scope["query_string"]) == ("POST", "http", [], b"")


def test_a_wsgi_environ_becomes_a_scope():
    """For servers that are not ASGI."""
    scope = scope_of(
        {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "/app",
            "PATH_INFO": "/socket.io/",
            "QUERY_STRING": "a=1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": "x",
            "CONTENT_TYPE": "text/plain",
            "CONTENT_LENGTH": "",
            "HTTP_X_NAME": "Ad\u00e9le",
            "HTTP_X_WIDE": "\u0434\u0430",
            "wsgi.url_scheme": "https",
        }
    )

    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/app/socket.io/",
        "raw_path": b"/app/socket.io/",
        "root_path": "/app",
        "query_string": b"a=1",
        "headers": [
            (b"content-type", b"text/plain"),
            (b"x-name", b"Ad\xe9le"),
            (b"x-wide", "\u0434\u0430".encode()),
        ],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 8000),
    }


def test_an_empty_environ_is_a_request_without_addresses():
    """Nothing is required."""
    scope = scope_of({})

    assert scope["client"] is None
    assert scope["path"] == "/"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place.HEADER, {"x-a": ["1", "2"], "cookie": ['a="x y"; b=2; c', "a=3"]}),
        (Place.COOKIE, {"a": ["x y", "3"], "b": ["2"], "": ["c"]}),
        (Place.QUERY, {"q": ["1", "\u00e9"], "empty": [""]}),
    ],
)
def test_values_are_collected_by_name(place, expected):
    """Repeated names keep all their values, in order; each place is parsed once."""
    headers = [(b"X-A", b"1"), (b"Cookie", b'a="x y"; b=2; c'), (b"x-a", b"2"), (b"cookie", b"a=3")]
    scope = {"type": "http", "headers": headers, "query_string": b"q=1&q=%C3%A9&empty="}
    handshake = Handshake({"asgi.scope": scope})

    values = handshake.values(place)

    assert values == expected
    assert handshake.values(place) is values


def test_a_header_with_an_underscore_is_no_header():
    """X_Token must not pass for X-Token, neither for a marker nor for Starlette's Request."""
    headers = [(b"x_token", b"forged"), (b"x-token", b"real"), (b"X_Only", b"forged")]
    handshake = Handshake({"asgi.scope": {"type": "websocket", "headers": headers}})

    assert handshake.values(Place.HEADER) == {"x-token": ["real"]}
    assert handshake.scope["headers"] == [(b"x-token", b"real")]


COOKIES = st.text(st.sampled_from([*'ab=;, "\\013789', "\t", "\xe9"]), max_size=30)


@given(st.lists(COOKIES, max_size=3))
@example(['a="x\\054y\\"z"; b="'])
def test_cookies_are_read_as_starlette_reads_them(lines):
    """Quotes, escapes, cookies without a name, and several headers; the last of a name counts."""
    headers = [(b"cookie", line.encode("latin-1")) for line in lines]
    handshake = Handshake({"asgi.scope": {"type": "http", "headers": headers}})

    values = handshake.values(Place.COOKIE)

    assert {name: found[-1] for name, found in values.items()} == Request(handshake.scope).cookies

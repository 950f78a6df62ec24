# Written by tools/unasync.py from tests/shells/engine/test_engine_requests.py; change that one.
"""Handshakes and the answers to requests, over an in-process WSGI wire: options, refusals, origins, compression."""

from __future__ import annotations

import gzip
import json
import logging

import pytest

from tests.shells.sync_engine.wire import (
    Application,
    connect_polling,
    connect_websocket,
    soon,
    start_http,
)


def test_the_handshake_advertises_the_options_as_configured():
    """Intervals are whole milliseconds, with the grace period, and the upgrade is offered."""
    app = Application(ping_interval=(0.3, 0.2), ping_timeout=0.25, max_http_buffer_size=1234)

    client = connect_polling(app)

    assert client.opened == {
        "sid": client.sid,
        "upgrades": ["websocket"],
        "pingInterval": 500,
        "pingTimeout": 250,
        "maxPayload": 1234,
    }
    assert client.first.headers["content-type"] == "text/plain; charset=UTF-8"


def test_options_written_after_construction_take_effect():
    """``ping_interval`` and the others are writable attributes."""
    app = Application()

    app.engine.ping_interval = 7
    app.engine.ping_timeout = 3
    app.engine.allow_upgrades = False
    app.engine.cookie = "io"
    client = connect_polling(app)

    assert (client.opened["pingInterval"], client.opened["pingTimeout"]) == (7000, 3000)
    assert client.opened["upgrades"] == []
    assert client.first.headers["set-cookie"] == f"io={client.sid}; path=/; HttpOnly; SameSite=Lax"


def test_a_cookie_can_have_attributes():
    """A dict names the cookie and its attributes; values may be callables or True."""
    app = Application(cookie={"name": "sio", "Path": lambda: "/x", "HttpOnly": True})

    client = connect_polling(app)

    assert client.first.headers["set-cookie"] == f"sio={client.sid}; Path=/x; HttpOnly; SameSite=Lax"


def test_what_the_connect_handler_sends_comes_with_the_handshake():
    """The first response holds the open packet and what follows it."""
    app = Application()

    def on_connect(sid):
        app.post(sid, "hello", b"\x01")

    app.on_connect = on_connect

    client = connect_polling(app)

    assert client.first.packets[1:] == ["4hello", "bAQ=="]


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=abc", 0),
        ("GET", "EIO=4&transport=polling&sid=abc", 1),
        ("POST", "EIO=4&transport=polling&sid=abc", 1),
        ("POST", "EIO=4&transport=polling", 2),
        ("PUT", "EIO=4&transport=polling", 2),
        ("DELETE", "EIO=4&transport=polling&sid=abc", 2),
        ("GET", "EIO=4&transport=websocket", 3),
        ("GET", "EIO=4&transport=polling&j=abc", 3),
        ("GET", "transport=polling", 5),
        ("GET", "EIO=3&transport=polling", 5),
        ("GET", "EIO=abc&transport=polling&sid=abc", 5),
    ],
)
def test_requests_that_cannot_be_served_say_why(method, query, code):
    """The status is 400 and the body holds the code and the message of the JavaScript server."""
    app = Application()

    response = start_http(app, method, query).response()

    assert (response.status, response.code) == (400, code)
    assert response.headers["content-type"] == "application/json"
    assert app.engine.sockets == {}


def test_a_transport_that_is_not_offered_is_refused():
    """``transports`` limits what clients may use."""
    app = Application(transports=["websocket"])

    response = start_http(app, "GET", "EIO=4&transport=polling").response()

    assert response.code == 0


def test_a_refused_handshake_is_a_401():
    """What the connect handler returned is the body."""
    app = Application()

    def on_connect(sid):
        return {"why": "full"}

    app.on_connect = on_connect

    response = start_http(app, "GET", "EIO=4&transport=polling").response()

    assert (response.status, json.loads(response.body)) == (401, {"why": "full"})
    assert app.disconnects.empty()


def test_an_origin_that_is_not_allowed_is_refused():
    """Only the same origin is allowed by default."""
    app = Application()

    refused = start_http(app, "GET", "EIO=4&transport=polling", headers=[("origin", "http://evil")]).response()
    same = start_http(app, "GET", "EIO=4&transport=polling", headers=[("origin", "https://testserver")]).response()

    assert (refused.status, refused.code) == (400, 4)
    assert same.status == 200
    assert same.headers["access-control-allow-origin"] == "https://testserver"


def test_the_origin_behind_a_proxy_is_the_forwarded_one():
    """``X-Forwarded-Proto`` and ``-Host`` count for the origin check, as in engineio."""
    app = Application()
    headers = [("origin", "http://public"), ("x-forwarded-proto", "http"), ("x-forwarded-host", "public")]

    response = start_http(app, "GET", "EIO=4&transport=polling", headers=headers).response()

    assert response.status == 200


def test_a_callable_that_raises_lets_nobody_in(caplog):
    """The request is refused, and the defect is logged once."""
    app = Application(cors_allowed_origins=lambda origin: 1 / 0)
    app.engine.logger = logging.getLogger("origins")

    for _ in range(3):
        response = start_http(app, "GET", "EIO=4&transport=polling", headers=[("origin", "http://a")]).response()
        assert (response.status, response.code) == (400, 4)

    assert [record.message for record in caplog.records if "ZeroDivisionError" in record.message] == [
        caplog.records[0].message
    ]


def test_a_response_varies_with_the_origin():
    """With credentials the origin is reflected: a cache must not give the response to another page."""
    app = Application(cors_allowed_origins="*")

    for headers in ([], [("origin", "http://a")]):
        response = start_http(app, "GET", "EIO=4&transport=polling", headers=headers).response()
        assert response.headers["vary"] == "Origin"


def test_a_preflight_is_answered():
    """OPTIONS needs no session and no query."""
    app = Application(cors_allowed_origins="*")

    response = start_http(app, "OPTIONS", "", headers=[("origin", "http://a")]).response()

    assert response.status == 200
    assert response.headers["access-control-allow-methods"] == "OPTIONS, GET, POST"
    assert response.headers["access-control-allow-origin"] == "http://a"


def test_cors_can_be_left_to_others():
    """``cors_allowed_origins=[]`` neither checks nor answers."""
    app = Application(cors_allowed_origins=[])

    response = start_http(app, "GET", "EIO=4&transport=polling", headers=[("origin", "http://a")]).response()

    assert response.status == 200
    assert not {"vary", "access-control-allow-origin"} & set(response.headers)


def test_long_responses_are_compressed_when_the_client_takes_it():
    """Compression starts at the threshold."""
    app = Application(compression_threshold=50)
    client = connect_polling(app)
    app.post(client.sid, "x" * 100)

    headers = [("accept-encoding", "br, gzip;q=0.5")]
    long = start_http(app, "GET", client.query, headers=headers).response()
    app.post(client.sid, "x")
    short = start_http(app, "GET", client.query, headers=headers).response()

    assert long.headers["content-encoding"] == "gzip"
    assert gzip.decompress(long.body) == b"4" + b"x" * 100
    assert "content-encoding" not in short.headers


def test_all_clients_can_be_disconnected_at_once():
    """``disconnect()`` without a sid ends every session, and none is fine too."""
    app = Application()
    soon(app.engine.disconnect())
    client = connect_polling(app)
    websocket, _ = connect_websocket(app)

    soon(app.engine.disconnect())

    assert app.disconnects.qsize() == 2
    assert websocket.closed() == ["1"]
    assert (client.poll()).packets == ["1"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("ping_interval", 0),
        ("ping_interval", (25, -1)),
        ("ping_timeout", "20"),
        ("max_http_buffer_size", 0),
        ("upgrade_timeout", -1),
        ("max_buffer_bytes", 1.5),
        ("max_buffer_packets", 0),
        ("slow_client", "wait"),
        ("max_decode_packets", True),
    ],
)
def test_options_out_of_range_are_refused(option, value):
    """The error names the option and what it was given."""
    with pytest.raises(ValueError, match=f"{option} must be .*not "):
        Application(**{option: value})


def test_a_size_may_be_written_as_a_float():
    """``1e8`` is a common way to write the limit."""
    assert Application(max_http_buffer_size=1e8).engine.max_http_buffer_size == 100_000_000

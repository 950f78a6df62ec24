"""The handshake of WebSockets."""

from __future__ import annotations

import pytest

from fastsio.engine.websocket_handshake import (
    accept_key,
    accept_response,
    asks_for_websocket,
    choose_subprotocol,
    offered_subprotocols,
    websocket_key,
)


def test_most_requests_ask_for_no_upgrade():
    """They have no such header."""
    assert not asks_for_websocket({"REQUEST_METHOD": "GET"})


HANDSHAKE = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": " dGhlIHNhbXBsZSBub25jZQ== ",
}


def test_a_handshake_has_a_key():
    """Of 16 bytes, in base64."""
    assert websocket_key(HANDSHAKE) == "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REQUEST_METHOD", "POST"),
        ("SERVER_PROTOCOL", "HTTP/2"),
        ("HTTP_UPGRADE", "h2c"),
        ("HTTP_CONNECTION", "keep-alive"),
        ("HTTP_SEC_WEBSOCKET_VERSION", "8"),
        ("HTTP_SEC_WEBSOCKET_KEY", "short"),
        ("HTTP_SEC_WEBSOCKET_KEY", "\u0662GhlIHNhbXBsZSBub25jZQ=="),
    ],
)
def test_other_requests_are_no_handshakes(name, value):
    """Anything else is not answered as one."""
    assert websocket_key({**HANDSHAKE, name: value}) is None


@pytest.mark.parametrize(
    ("header", "chosen"),
    [(None, None), ("", None), ("chat", "chat"), ("v1.x, v2", "v1.x"), (" , v2", "v2"), ('a b, c"d, \u00fc', None)],
)
def test_the_first_subprotocol_that_is_offered_is_chosen(header, chosen):
    """It means nothing, but browsers give up when their offer has no answer."""
    environ = {} if header is None else {"HTTP_SEC_WEBSOCKET_PROTOCOL": header}

    assert choose_subprotocol(offered_subprotocols(environ)) == chosen


def test_the_response_shows_that_the_key_was_understood():
    """The example of RFC 6455, section 1.3."""
    assert accept_key(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_handshake_is_answered_and_anything_else_is_not():
    """With the subprotocol that was chosen, and no extension."""
    answer = accept_response({**HANDSHAKE, "HTTP_SEC_WEBSOCKET_PROTOCOL": "chat"})

    assert answer == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    assert b"Protocol:" not in (accept_response(HANDSHAKE) or b"Protocol:")
    assert accept_response({**HANDSHAKE, "REQUEST_METHOD": "POST"}) is None

"""Reading a request for a WebSocket, as it comes and as uvicorn hands it over, and its acceptance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fastsio.engine import header_cache as headers
from fastsio.integrations.fast.handshake import HEADS, LINES, Handshake, acceptance, read_handshake
from tests.shells.fast.handshakes import KEY, scope_of_handshake

if TYPE_CHECKING:
    from collections.abc import Iterator

#: As uvicorn writes it.
REQUEST = (
    b"GET /a%20b/?x=%C3%A9 HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: keep-alive, Upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: " + KEY + b"\r\n"
    b"sec-websocket-protocol: one, two\r\nx-odd: caf\xe9\r\n\r\n"
)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Remember no lines of other tests."""
    LINES.clear()
    HEADS.clear()
    yield
    LINES.clear()
    HEADS.clear()


def test_a_request_becomes_a_scope():
    """Path and query are taken apart, offers are listed, header values are kept as bytes."""
    handshake = read_handshake(REQUEST)
    assert handshake is not None
    scope = scope_of_handshake(handshake)

    assert (scope["path"], scope["raw_path"]) == ("/root/a b/", b"/root/a%20b/")
    assert scope["query_string"] == b"x=%C3%A9"
    assert scope["subprotocols"] == ["one", "two"]
    assert scope["headers"][-1] == (b"x-odd", b"caf\xe9")
    assert scope["state"] == {"a": 1}


@pytest.mark.parametrize(("path", "is_shared"), [(b"/socket.io/", True), (b"/" + b"x" * 300, False)])
def test_scopes_share_what_is_equal_in_most(path, is_shared):
    """They last as long as their clients; but a client must not decide how much is kept of a path."""
    request = REQUEST.replace(b"/a%20b/?x=%C3%A9", path + b"?EIO=4&transport=websocket")
    one, other = (scope_of_handshake(read_handshake(request)) for _ in range(2))

    assert one["path"] == "/root" + path.decode()
    assert (one["raw_path"], one["query_string"]) == (b"/root" + path, b"EIO=4&transport=websocket")
    assert one["query_string"] is other["query_string"]
    for key in ("path", "raw_path"):
        assert (one[key] is other[key]) is is_shared, key


def test_a_request_is_read_as_clients_send_it():
    """Names in any case, white space or none around values; the key and an empty value are kept as they are."""
    request = (
        b"GET / HTTP/1.1\r\nHOST:x\r\nUpgrade: \t WebSocket\r\nConnection:Upgrade\r\nX-Empty:\r\nX-Blank: \r\n"
        b"Sec-WebSocket-Version:13\r\nSec-WebSocket-Key: " + KEY + b"\r\nX-Tab: a\tb\r\n\r\n"
    )

    assert read_handshake(request) == Handshake(
        path=b"/",
        query=b"",
        key=KEY,
        headers=[
            (b"host", b"x"),
            (b"upgrade", b"WebSocket"),
            (b"connection", b"Upgrade"),
            (b"x-empty", b""),
            (b"x-blank", b""),
            (b"sec-websocket-version", b"13"),
            (b"sec-websocket-key", KEY),
            (b"x-tab", b"a\tb"),
        ],
        offered=(),
        is_forwarded=False,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GET", b"POST"),
        (b"GET", b"get"),
        (b"GET", b"\r\nGET"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"HTTP/1.1", b"HTTP/1.1 "),
        (b"GET /", b"GET  /"),
        (b"/a%20b/", b"/\xc3\xa9/"),
        (b"/a%20b/", b"a"),
        (b"/a%20b/", b"*"),
        (b"/a%20b/", b"http://x/"),
        (b"/a%20b/", b"/a#b"),
        (b"x=%C3%A9", b"x#y"),
        (b"x=%C3%A9", b"x y"),
        (b"version: 13", b"version: 8"),
        (b"version: 13", b"version: 13, 8"),
        (b"sec-websocket-key", b"x-key"),
        (KEY, b"dGhlIHNhbXBsZQ=="),
        (KEY, b"%%%"),
        (b"host: x", b"sec-websocket-key: " + KEY),
        (b"host: x", b"x-host: x"),
        (b"host: x", b"host: x\r\nhost: x"),
        (b"upgrade: websocket", b"upgrade: h2c"),
        (b"upgrade: websocket", b"upgrade: websocket\r\nUpgrade: websocket"),
        (b"keep-alive, Upgrade", b"keep-alive"),
        (b"keep-alive, Upgrade", b"keep alive, upgrade"),
        (b"keep-alive, Upgrade", b"not-upgrade"),
        (b"connection: ", b"connection: close\r\nconnection: "),
        (b"x-odd: ", b"content-length: 0\r\nx-odd: "),
        (b"x-odd: ", b"Transfer-Encoding: chunked\r\nx-odd: "),
        (b"x-odd: ", b"expect: 100-continue\r\nx-odd: "),
        (b"x-odd: ", b"proxy-connection: close\r\nx-odd: "),
        (b"x-odd: ", b"x-odd : "),
        (b"x-odd: ", b" x-odd: "),
        (b"x-odd: ", b": "),
        (b"x-odd: ", b"x-odd "),
        (b"x-odd: ", b"x-odd: a\r\n b"),
        (b"x-odd: ", b"x-odd: a\nb: "),
        (b"x-odd: ", b"x-odd: a\rb: "),
        (b"x-odd: ", b"x-odd: \x00"),
        (b"x-odd: ", b"x-odd: \x7f"),
        (b"websocket\r\n", b"websocket \r\n"),
        (b"caf\xe9", b"caf\xe9\t"),
        (b"x-odd: ", b"x-\xe9: "),
        (b"\r\n\r\n", b"\r\n"),
        (b"\r\n\r\n", b"\r\n\r\n\r\n"),
        (b"\r\n\r\n", b"\r\n\r\n\x81"),
        (b"\r\n\r\n", b"\n\n"),
        (REQUEST, b""),
        (REQUEST, b"GET / HTTP/1.1\r\n"),
    ],
)
def test_what_is_unusual_is_left_to_others(old, new):
    """Only a handshake without any doubt is read."""
    assert read_handshake(REQUEST) is not None
    assert read_handshake(REQUEST.replace(old, new)) is None


def test_what_clients_send_alike_is_kept_once_for_all():
    """The headers of two requests are the same objects, but for what is a client's own; the lists are not shared."""
    first, second = read_handshake(REQUEST), read_handshake(REQUEST)
    assert first is not None
    assert second is not None
    shared = {one[0] for one, other in zip(first.headers, second.headers, strict=True) if one is other}

    assert first.headers == second.headers
    assert first.headers is not second.headers
    assert shared == {b"host", b"upgrade", b"connection", b"sec-websocket-version"}


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [
        (b"User-Agent: " + b"x" * 200, True),
        (b"User-Agent: " + b"x" * 300, False),
        (b"Cookie: a=1", False),
        (b"Authorization: Basic eDp5", False),
        (b"X-Own: 1", False),
    ],
)
def test_only_short_and_public_lines_are_remembered(line, is_kept):
    """A server's memory is not the place for what one client sent, and secrets are nobody else's."""
    assert read_handshake(REQUEST.replace(b"x-odd: caf\xe9", line)) is not None

    assert (line in LINES) is is_kept


def test_a_client_cannot_fill_the_memory(monkeypatch):
    """However many lines are sent, a bounded number of them is remembered."""
    monkeypatch.setattr(headers, "MAX_SHARED", 10)
    sizes = set()
    for number in range(100):
        assert read_handshake(REQUEST.replace(b"host: x", b"host: x%d" % number)) is not None
        sizes.add(len(LINES))

    assert max(sizes) == 10


def test_an_acceptance_is_that_of_the_rfc():
    """RFC 6455, section 1.3; the application's headers are kept as bytes."""
    answer = acceptance(b"dGhlIHNhbXBsZSBub25jZQ==", [(b"x-odd", b"caf\xe9")], "two")

    status, *headers = answer.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert status == b"HTTP/1.1 101 Switching Protocols"
    assert sorted(headers) == [
        b"Connection: upgrade",
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"Sec-WebSocket-Protocol: two",
        b"Upgrade: websocket",
        b"x-odd: caf\xe9",
    ]

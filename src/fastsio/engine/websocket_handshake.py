"""
The handshake of WebSockets: which requests are handshakes, and the response.

Pure: reads the environ of a request. The fast transport, which has no environ yet, reads requests itself and takes
:func:`accept_key` from here.

Source: RFC 6455, section 4.2; RFC 9110, sections 7.6.1 and 7.8.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The value of ``Upgrade``, in lower case.
WEBSOCKET: Final = "websocket"
#: 16 bytes in base64.
WEBSOCKET_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==")
#: The name of a subprotocol (RFC 6455, section 4.1).
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: What is appended to a key to show that the server understood (RFC 6455, section 1.3).
GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def asks_for_websocket(environ: dict[str, Any]) -> bool:
    """
    Return whether a request is a WebSocket handshake; proxies may have changed its headers.

    Source: RFC 9110, sections 7.6.1 and 7.8. An ``Upgrade`` that is not an option of the connection is another hop's.
    """
    upgrade = environ.get("HTTP_UPGRADE")
    if upgrade is None:
        return False
    connection = environ.get("HTTP_CONNECTION", "")
    if connection == "Upgrade" and upgrade == WEBSOCKET:  # as clients write them
        return True
    return WEBSOCKET in _tokens(upgrade) and "upgrade" in _tokens(connection)


def websocket_key(environ: dict[str, Any]) -> str | None:
    """Return the key of a WebSocket handshake; None when the request is not a handshake of version 13."""
    key: str = environ.get("HTTP_SEC_WEBSOCKET_KEY", "").strip()
    is_handshake = (
        environ["REQUEST_METHOD"] == "GET"
        and environ.get("SERVER_PROTOCOL", "").startswith("HTTP/1")
        and environ.get("HTTP_SEC_WEBSOCKET_VERSION", "").strip() == "13"
        and asks_for_websocket(environ)
        and WEBSOCKET_KEY.fullmatch(key) is not None
    )
    return key if is_handshake else None


def _tokens(value: str) -> list[str]:
    """Return the items of a header that lists words."""
    return [token.strip().lower() for token in value.split(",")]


def choose_subprotocol(offered: Iterable[str]) -> str | None:
    """
    Choose the first valid subprotocol of those offered, as in the JavaScript server, or None.

    It has no effect, but browsers close if none of their offers is accepted.
    """
    return next((name for name in offered if TOKEN.fullmatch(name)), None)


def offered_subprotocols(environ: dict[str, Any]) -> list[str]:
    """Return the names in ``Sec-WebSocket-Protocol`` in their order; an empty list without that header."""
    header: str = environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")
    return [name for part in header.split(",") if (name := part.strip())]


def accept_key(key: bytes) -> bytes:
    """Return the value of ``Sec-WebSocket-Accept`` for the ``Sec-WebSocket-Key`` of a request."""
    return b64encode(sha1(key + GUID, usedforsecurity=False).digest())


def accept_response(environ: dict[str, Any]) -> bytes | None:
    """Return the response to a WebSocket handshake; None when the request is no handshake of version 13."""
    key = websocket_key(environ)
    if key is None:
        return None
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    subprotocol = choose_subprotocol(offered_subprotocols(environ))
    if subprotocol is not None:
        head += b"Sec-WebSocket-Protocol: " + subprotocol.encode("ascii") + b"\r\n"
    return head + b"Sec-WebSocket-Accept: " + accept_key(key.encode()) + b"\r\n\r\n"

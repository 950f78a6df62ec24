"""
A cache of headers that many clients send alike: each is read once, and all connections share the result.

This module has the names of these headers; subclasses of :class:`SharedHeaders` read the values.
"""

from __future__ import annotations

from typing import Final, TypeVar

KeyT = TypeVar("KeyT")
ReadT = TypeVar("ReadT")

#: The names in lower case. Cookies and keys differ for each client, and are not among them.
SHARED_NAMES: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"content-type",
        b"host",
        b"origin",
        b"pragma",
        b"sec-websocket-extensions",
        b"sec-websocket-version",
        b"upgrade",
        b"user-agent",
    }
)
#: The queries of JavaScript clients that begin with a WebSocket, and their text. Others have a sid or the time.
USUAL_QUERIES: Final = {query.encode(): query for query in ("EIO=4&transport=websocket", "EIO=3&transport=websocket")}
#: Longer values are not kept, nor more of them, so that a client cannot fill the memory of the server.
MAX_SHARED_BYTES: Final = 256
MAX_SHARED: Final = 1024


class SharedHeaders(dict[KeyT, ReadT]):
    """Keeps the results of reading headers; the ``__missing__`` of a subclass reads them."""

    __slots__ = ()

    def remember(self, key: KeyT, read: ReadT, name: bytes, size: int) -> None:
        """Remember what was read of a header, *name* in lower case and *size* bytes, if others may send the same."""
        if name in SHARED_NAMES and size <= MAX_SHARED_BYTES:
            if len(self) >= MAX_SHARED:
                self.clear()
            self[key] = read

"""
Headers that many clients send alike: read once, and kept once for all whose connections last.

Knows which they are, not what is read of them.
"""

from __future__ import annotations

from typing import Final, TypeVar

KeyT = TypeVar("KeyT")
ReadT = TypeVar("ReadT")

#: In lower case. No cookies and no keys: what is a client's own is nobody else's.
SHARED_NAMES: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"host",
        b"origin",
        b"pragma",
        b"sec-websocket-extensions",
        b"sec-websocket-version",
        b"upgrade",
        b"user-agent",
    }
)
#: Longer ones are not kept, nor more of them: what one client sends does not fill a server's memory.
MAX_SHARED_BYTES: Final = 256
MAX_SHARED: Final = 1024


class SharedHeaders(dict[KeyT, ReadT]):
    """Remembers what was read of headers; a subclass reads, in ``__missing__``."""

    __slots__ = ()

    def remember(self, key: KeyT, read: ReadT, name: bytes, size: int) -> None:
        """
        Remember a header if others may send the same.

        Args:
            key: What it is looked up by.
            read: What was read of it.
            name: Its name, in lower case.
            size: How long it is, in bytes.
        """
        if name in SHARED_NAMES and size <= MAX_SHARED_BYTES:
            if len(self) >= MAX_SHARED:
                self.clear()
            self[key] = read

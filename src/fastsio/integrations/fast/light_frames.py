"""
The protocol that reads short texts of a WebSocket, the first message and the heartbeats, without picows.

Most of very many connections send nothing else: they join a namespace and answer pings. picows needs 4.5 KiB for each
connection, and a tenth of the time to open it (measured). So this protocol reads a connection until a frame arrives
that is not a single short text; picows reads that frame and all later ones, and refuses those that are not valid.

Source: RFC 6455, section 5.2.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fastsio.integrations.fast.websocket import PeerProtocol

if TYPE_CHECKING:
    from fastsio.integrations.fast.websocket import Wire

#: The first byte of the frame of a whole text message.
WHOLE_TEXT: Final = 0x81
MASKED: Final = 0x80
MASK: Final = slice(2, 6)
HEAD_BYTES: Final = 6
#: The longest message whose size fits into the second byte of the frame.
MAX_FIRST_BYTES: Final = 125
#: A heartbeat is one byte.
MAX_LATER_BYTES: Final = 1


class ShortTextFraming(PeerProtocol, asyncio.BufferedProtocol):
    """Reads a WebSocket as long as its client sends short texts only; then *framing*, the module with picows, does."""

    __slots__ = ("_framing", "_longest", "_max_bytes", "_max_rate", "_transport")

    #: A transport of uvloop keeps this attribute of its protocol, or else that of the protocol before.
    data_received = None

    def __init__(
        self, wire: Wire, transport: asyncio.Transport, framing: Any, *, max_bytes: int, max_rate: int
    ) -> None:
        super().__init__(wire)
        self._transport = transport
        self._framing = framing
        self._max_bytes = max_bytes
        self._max_rate = max_rate
        self._longest = min(MAX_FIRST_BYTES, max_bytes)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return the buffer to read into."""
        return self._wire.scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Handle the bytes that were read."""
        self.handle_data(bytes(self._wire.scratch[:nbytes]))

    def handle_data(self, data: bytes) -> None:
        """Deliver a short text; let picows read other bytes, and the connection from then on."""
        text = read_short_text(data, self._longest)
        if text is None:
            self._pass_to_picows(data)
        else:
            self._longest = MAX_LATER_BYTES
            self._wire.deliver(text)

    def _pass_to_picows(self, data: bytes) -> None:
        protocol = self._framing.open_framing(self._wire, max_bytes=self._max_bytes, max_rate=self._max_rate)
        self._transport.set_protocol(protocol)
        self._framing.feed(protocol, data)


def read_short_text(data: bytes, longest: int) -> str | None:
    """Return a text of 1 to *longest* bytes, up to 125, if *data* is one whole masked frame of it; otherwise None."""
    size = len(data) - HEAD_BYTES
    if not 0 < size <= longest or data[0] != WHOLE_TEXT or data[1] != MASKED | size:
        return None
    mask = data[MASK] * (size // 4 + 1)
    try:
        return (int.from_bytes(data[HEAD_BYTES:]) ^ int.from_bytes(mask[:size])).to_bytes(size).decode()
    except UnicodeDecodeError:
        return None

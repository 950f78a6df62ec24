"""
The revisions of the Socket.IO protocol a server speaks: 5, and 3 and 4 with clients 1.x and 2.x.

This module owns how a client joins a namespace, what it is called there and how it is refused, which is all that
differs: events and acknowledgements look the same in all of them.

Source: Socket.IO protocol v5; v4 and the JavaScript server's ``allowEIO3`` for :class:`LegacyDialect`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl

from fastsio.exceptions import PacketError
from fastsio.protocol.decoder import Decoder, wire_bytes

if TYPE_CHECKING:
    from fastsio.protocol.packet import Packet


class Dialect:
    """
    Protocol 5.

    Attributes:
        decoder_class: Reads the frames of a client.
        joins_root: Whether a client is in the root namespace without asking for it.
    """

    __slots__ = ()

    decoder_class: ClassVar[type[Decoder]] = Decoder
    joins_root: ClassVar[bool] = False

    def sid(self, eio_sid: str, namespace: str) -> str | None:  # noqa: ARG002 - protocol 4 uses them
        """Return the sid of a client if the protocol prescribes it; None if the server may choose a new one."""
        return None

    def label(self, sid: str) -> str:
        """Return what a log may show of a sid."""
        return sid

    def confirmation(self, sid: str) -> Any:
        """Return the payload of the server's CONNECT."""
        return {"sid": sid}

    def refusal(self, payload: dict[str, Any]) -> Any:
        """Return the payload of CONNECT_ERROR in this protocol, made from that of protocol 5."""
        return payload


class LegacyDecoder(Decoder):
    """Reads the frames of a client of protocol 3 or 4, whose CONNECT has a query in the place of a payload."""

    __slots__ = ()

    def feed(self, frame: str | bytes) -> Packet | None:
        """
        Take the next message of the client, as :class:`Decoder` does.

        The payload of CONNECT is a dict of the query's fields, or None without a query; of several fields with one name
        the last one counts.
        """
        if not self.pending and isinstance(frame, str) and frame.startswith("0"):
            return self._feed_connect(frame)
        return super().feed(frame)

    def _feed_connect(self, frame: str) -> Packet:
        address = frame.partition(",")[0]
        name, _, query = address.partition("?")
        limit = self._limits.max_query_length
        if len(query) > limit:
            raise PacketError("the namespace's query is too long", limit=limit, value=len(query))
        packet: Any = super().feed(name)  # complete: CONNECT has no attachments
        packet.data = dict(parse_qsl(query, keep_blank_values=True)) or None
        self.packet_bytes = wire_bytes(frame)
        return packet  # type: ignore[no-any-return] # as above


class LegacyDialect(Dialect):
    """
    Protocols 3 and 4.

    A client makes its sid of the Engine.IO session id and its namespace, so the server cannot choose another.
    """

    __slots__ = ()

    decoder_class: ClassVar[type[Decoder]] = LegacyDecoder
    joins_root: ClassVar[bool] = True

    def sid(self, eio_sid: str, namespace: str) -> str | None:
        """Return the sid that the client gives itself."""
        return eio_sid if namespace == "/" else f"{namespace}#{eio_sid}"

    def label(self, sid: str) -> str:
        """Return the sid with most of the Engine.IO session id left out, which is a secret of the client."""
        namespace, mark, eio_sid = sid.rpartition("#")
        return f"{namespace}{mark}{eio_sid[:6]}..."

    def confirmation(self, sid: str) -> Any:  # noqa: ARG002 - the client knows it
        """Return None: the server's CONNECT has no payload in these protocols."""
        return None

    def refusal(self, payload: dict[str, Any]) -> Any:
        """Return the payload of ERROR: the application's data, or else the text."""
        data = payload.get("data")
        return payload.get("message") if data is None else data


CURRENT: Final = Dialect()
LEGACY: Final = LegacyDialect()

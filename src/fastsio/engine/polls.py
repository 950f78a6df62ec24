"""
Long-polling without I/O: the packets that a POST brings, and the answer to a poll.

Source: Engine.IO protocol v4, "HTTP long-polling"; v3, "Transports".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio.engine import eio3, http
from fastsio.engine.log_format import label, shown
from fastsio.engine.packet import SHUTDOWN_PACKET
from fastsio.engine.payload import decode_payload, packets_per_poll, reads_close
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastsio.engine.packet import WirePacket
    from fastsio.engine.session import SessionState

#: The revision of Engine.IO with payloads of another form.
EIO3: Final = 3


def is_binary(session: SessionState, environ: dict[str, Any]) -> bool:
    """Return whether the content type is that of bytes; raise PacketError if it is, and not in Engine.IO 3."""
    content_type: str = environ.get("CONTENT_TYPE", "")
    has_bytes = content_type.partition(";")[0].strip().lower() == "application/octet-stream"
    if has_bytes and session.protocol != EIO3:
        raise PacketError("an octet-stream body")  # CVE-2026-59725
    return has_bytes


def split_body(session: SessionState, body: bytes, *, has_bytes: bool) -> Iterator[str | bytes]:
    """Split the body of a POST into packets, one at a time; raise PacketError if the next is malformed."""
    return eio3.decode_payload(body, is_binary=has_bytes) if session.protocol == EIO3 else decode_payload(body)


def take(session: SessionState, environ: dict[str, Any]) -> list[WirePacket]:
    """Take packets from the buffer of a session for the response of a poll: as many as its client reads at once."""
    server = session.server
    packets = session.take(server.max_http_buffer_size, packets_per_poll(environ.get("HTTP_USER_AGENT", "")))
    if server.is_traced:
        for packet in packets:
            server.logger.info("%s: Sending packet %s", label(session.sid), shown(packet.polling, from_server=True))
    return packets


def answer(
    session: SessionState,
    packets: Sequence[WirePacket],
    *,
    jsonp_index: int | None,
    headers: Sequence[tuple[str, str]] = (),
) -> http.Response:
    """Build the response of a poll in the protocol of the session."""
    if session.protocol == EIO3:
        return http.eio3_payload(packets, base64=session.polls_base64, jsonp_index=jsonp_index, headers=headers)
    return http.payload(packets, jsonp_index=jsonp_index, headers=headers)


def answer_poll(session: SessionState, environ: dict[str, Any], jsonp_index: int | None = None) -> http.Response:
    """Return the response of a poll whose session has packets, or has ended."""
    packets = take(session, environ)
    if session.closed and not session.pending:
        session.server.forget(session)
        if packets[-1] is SHUTDOWN_PACKET and not reads_close(environ.get("HTTP_USER_AGENT", "")):
            packets = packets[:-1]  # this client does not read it; its next poll gets "Session ID unknown"
            if not packets:
                return http.unavailable()
    return answer(session, packets, jsonp_index=jsonp_index)

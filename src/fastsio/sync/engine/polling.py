# Written by tools/unasync.py from aio/engine/polling.py; change that one.
"""
The long-polling transport: one GET waits for packets, POSTs bring them.

Source: Engine.IO protocol v4, "HTTP long-polling"; v3, "Transports".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.engine import eio3, http
from fastsio.engine.log_format import label, shown
from fastsio.engine.packet import CLOSE_PACKET
from fastsio.engine.payload import IGNORED, decode_payload, packets_per_poll
from fastsio.engine.request import BodyTooLarge, BodyTooSlow
from fastsio.engine.session import Asked, Transport
from fastsio.exceptions import PacketError
from fastsio.sync.engine.bodies import read_body
from fastsio.sync.engine.session import Eio3Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastsio.engine.packet import WirePacket
    from fastsio.sync.engine.session import Session


def take(session: Session, environ: dict[str, Any]) -> list[WirePacket]:
    """Take what a poll is answered with: as much as the client of the request can take at once."""
    server = session.server
    packets = session.take(server.max_http_buffer_size, packets_per_poll(environ.get("HTTP_USER_AGENT", "")))
    if server.is_traced:
        for packet in packets:
            server.logger.info("%s: Sending packet %s", label(session.sid), shown(packet.polling, from_server=True))
    return packets


def handle_get(session: Session, environ: dict[str, Any], jsonp_index: int | None) -> http.Response:
    """
    Serve a poll.

    A second poll while one is pending ends the session: the first gets the close packet, this one an error.

    Raises:
        RequestRefused: The session moved to a WebSocket before the poll came.
    """
    is_only = True
    if session.pending is None or session.holds or session.poll_waiter is not None:
        is_only = _wait(session)
    if not is_only:
        session.post_control(CLOSE_PACKET)
        return _reject(session, http.refusal(http.Code.BAD_REQUEST), "two polls at once")
    packets = take(session, environ)
    if session.closed and not session.pending:
        session.server.forget(session)
    return answer(session, packets, jsonp_index=jsonp_index)


def _wait(session: Session) -> bool:
    """
    Wait until a poll is to be answered; False when another poll waits already.

    Raises:
        RequestRefused: The session moved to a WebSocket before the poll came.
    """
    if session.transport is Transport.UPGRADING:
        session.see_upgrade_decided()
        session.check_transport(Asked.POLL)
    return session.wait_for_packets()


def answer(
    session: Session,
    packets: Sequence[WirePacket],
    *,
    jsonp_index: int | None,
    headers: Sequence[tuple[str, str]] = (),
) -> http.Response:
    """Build the response of a poll in the protocol of the session."""
    if isinstance(session, Eio3Session):
        return http.eio3_payload(packets, base64=session.polls_base64, jsonp_index=jsonp_index, headers=headers)
    return http.payload(packets, jsonp_index=jsonp_index, headers=headers)


def handle_post(session: Session, environ: dict[str, Any]) -> http.Response:
    """Take the packets of a POST; a second POST while one is taken, or a bad one, ends the session."""
    if not session.claim_post():
        return _reject(session, http.refusal(http.Code.BAD_REQUEST), "two POSTs at once")
    try:
        return _take_post(session, environ)
    finally:
        session.end_post()


def _take_post(session: Session, environ: dict[str, Any]) -> http.Response:
    try:
        is_binary = _is_binary(session, environ)
        body = read_body(session, environ)
        packets = _decode(session, body, is_binary=is_binary)
        _take_packets(session, packets)
    except BodyTooLarge as error:
        return _reject(session, http.too_large(), str(error))
    except BodyTooSlow as error:
        headers: list[tuple[str, str]] = []  # PEP 3333 leaves them to the web server
        return _reject(session, http.too_slow(*headers), str(error))
    except PacketError as error:
        return _reject(session, http.refusal(http.Code.BAD_REQUEST), str(error))
    return http.accepted()


def _take_packets(session: Session, packets: Iterator[str | bytes]) -> None:
    """Act on the packets of a body one by one; however many there are, others have a turn now and then."""
    server = session.server
    share = credit = server.packets_per_payload
    for packet in packets:
        if session.closing:
            break
        _take_packet(session, packet)
        credit -= 1
        if not credit:
            credit = share
            server.sleep(0)


def _is_binary(session: Session, environ: dict[str, Any]) -> bool:
    """Tell whether the client said that the body is bytes, which it may in Engine.IO 3 only."""
    content_type: str = environ.get("CONTENT_TYPE", "")
    is_binary = content_type.partition(";")[0].strip().lower() == "application/octet-stream"
    if is_binary and not isinstance(session, Eio3Session):
        raise PacketError("an octet-stream body")  # CVE-2026-59725
    return is_binary


def _decode(session: Session, body: bytes, *, is_binary: bool) -> Iterator[str | bytes]:
    if isinstance(session, Eio3Session):
        return eio3.decode_payload(body, is_binary=is_binary)
    return decode_payload(body)


def _take_packet(session: Session, packet: str | bytes) -> None:
    """Act on one well-formed packet."""
    if isinstance(packet, bytes) or packet[0] == "4":
        session.handling = True
        try:
            session.server.run_message(session, packet if isinstance(packet, bytes) else packet[1:])
        finally:
            session.progress += 1
            session.handling = False
    elif packet[0] == "1":
        session.finish(session.server.reason.CLIENT_DISCONNECT, abort=True)
    elif packet[0] not in IGNORED:
        session.on_heartbeat()


def _reject(session: Session, response: http.Response, why: str) -> http.Response:
    session.server.report(f"Closing a polling session: {why}", "bad-request")
    session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
    return response

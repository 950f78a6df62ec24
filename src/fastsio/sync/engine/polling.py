# Written by tools/unasync.py from aio/engine/polling.py; change that one.
"""
The long-polling transport: a GET waits for the server's packets, a POST brings packets of the client.

Source: Engine.IO protocol v4, "HTTP long-polling"; v3, "Transports".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.engine import http, polls
from fastsio.engine.packet import CLOSE_PACKET
from fastsio.engine.payload import IGNORED
from fastsio.engine.request import BodyCutOff, BodyTooLarge, BodyTooSlow
from fastsio.engine.session_tables import Asked, Transport
from fastsio.exceptions import PacketError
from fastsio.sync.engine.bodies import read_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastsio.sync.engine.session import Session


def handle_get(session: Session, environ: dict[str, Any], jsonp_index: int | None) -> http.Response:
    """
    Serve a poll, a GET of a session; raise RequestRefused if the session moved to a WebSocket before it came.

    A second poll while one is pending ends the session: the first gets the close packet, the second an error.
    """
    is_only = True
    if session.pending is None or session.holds_polls or session.poll_waiter is not None:
        is_only = _wait(session)
    if not is_only:
        session.post_control(CLOSE_PACKET)
        return reject(session, http.refusal(http.Code.BAD_REQUEST), "two polls at once")
    return polls.answer_poll(session, environ, jsonp_index)


def _wait(session: Session) -> bool:
    """Wait until a poll is to be answered; False if another waits already. Raises as :func:`handle_get`."""
    if session.transport is Transport.UPGRADING:
        session.wait_for_upgrade()
        session.check_transport(Asked.POLL)
    return session.wait_for_packets()


def handle_post(session: Session, environ: dict[str, Any]) -> http.Response:
    """Handle the packets of a POST; a malformed POST, or a second one at the same time, ends the session."""
    if not session.claim_post():
        return reject(session, http.refusal(http.Code.BAD_REQUEST), "two POSTs at once")
    try:
        return _handle_post(session, environ)
    finally:
        session.end_post()


def _handle_post(session: Session, environ: dict[str, Any]) -> http.Response:
    try:
        has_bytes = polls.is_binary(session, environ)
        packets = polls.split_body(session, read_body(session, environ), has_bytes=has_bytes)
        _handle_packets(session, packets)
    except BodyTooLarge as error:
        return reject(session, http.too_large(), str(error))
    except BodyTooSlow as error:
        headers: list[tuple[str, str]] = []  # PEP 3333 leaves headers of the connection to the web server
        return reject(session, http.too_slow(*headers), str(error), is_at_fault=False)
    except PacketError as error:
        is_cut = isinstance(error, BodyCutOff)
        return reject(session, http.refusal(http.Code.BAD_REQUEST), str(error), is_at_fault=not is_cut)
    return http.accepted()


def _handle_packets(session: Session, packets: Iterator[str | bytes]) -> None:
    """Handle the packets of a body one by one, and let other threads run after every few packets."""
    server = session.server
    share = credit = server.packets_per_payload
    for packet in packets:
        if session.closing:
            break
        _handle_packet(session, packet)
        credit -= 1
        if not credit:
            credit = share
            server.sleep(0)


def _handle_packet(session: Session, packet: str | bytes) -> None:
    """Handle one well-formed packet."""
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


def reject(session: Session, response: http.Response, why: str, *, is_at_fault: bool = True) -> http.Response:
    """End a session whose client broke the protocol or did not send a whole request, and return *response*."""
    session.broke_protocol = is_at_fault
    session.server.report(f"Closing a polling session: {why}", "bad-request")
    session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
    return response

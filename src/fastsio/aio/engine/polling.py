"""
The long-polling transport: a GET waits for the server's packets, a POST brings packets of the client.

Source: Engine.IO protocol v4, "HTTP long-polling"; v3, "Transports".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastsio.aio.engine.bodies import Watch, read_body

# Only asyncio:
from fastsio.aio.engine.posted import Posted

# Both:
from fastsio.engine import http, polls
from fastsio.engine.packet import CLOSE_PACKET
from fastsio.engine.request import BodyCutOff, BodyTooLarge, BodyTooSlow
from fastsio.engine.session_tables import Asked, Transport
from fastsio.exceptions import PacketError

# Only threads:
# | from fastsio.engine.payload import IGNORED
# Both:

if TYPE_CHECKING:
    # Only threads:
    # | from collections.abc import Iterator
    # |
    # Both:
    from fastsio.aio.engine.session import Session


async def handle_get(session: Session, environ: dict[str, Any], jsonp_index: int | None) -> http.Response:
    """
    Serve a poll, a GET of a session; raise RequestRefused if the session moved to a WebSocket before it came.

    A second poll while one is pending ends the session: the first gets the close packet, the second an error.
    """
    is_only = True
    if session.pending is None or session.holds_polls or session.poll_waiter is not None:
        # Only asyncio:
        is_only = await _wait_watched(session, environ)
        # Only threads:
        # | is_only = _wait(session)
        # Both:
    if not is_only:
        session.post_control(CLOSE_PACKET)
        return await reject(session, http.refusal(http.Code.BAD_REQUEST), "two polls at once")
    return polls.answer_poll(session, environ, jsonp_index)


async def _wait(session: Session) -> bool:
    """Wait until a poll is to be answered; False if another waits already. Raises as :func:`handle_get`."""
    if session.transport is Transport.UPGRADING:
        await session.wait_for_upgrade()
        session.check_transport(Asked.POLL)
    return await session.wait_for_packets()


# Only asyncio:
async def _wait_watched(session: Session, environ: dict[str, Any]) -> bool:
    """Call :func:`_wait`; end the session when the client closes the connection of its request meanwhile."""
    watcher = Watch(session, environ)
    try:
        if session.transport is Transport.UPGRADING:
            return await _wait(session)
        return await session.wait_for_packets()
    except asyncio.CancelledError:
        # Some web frameworks cancel the task of a request whose client has closed the connection.
        await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
        raise
    finally:
        watcher.cancel()


# Both:
async def handle_post(session: Session, environ: dict[str, Any]) -> http.Response:
    """Handle the packets of a POST; a malformed POST, or a second one at the same time, ends the session."""
    if not session.claim_post():
        return await reject(session, http.refusal(http.Code.BAD_REQUEST), "two POSTs at once")
    try:
        return await _handle_post(session, environ)
    finally:
        session.end_post()


async def _handle_post(session: Session, environ: dict[str, Any]) -> http.Response:
    try:
        has_bytes = polls.is_binary(session, environ)
        packets = polls.split_body(session, await read_body(session, environ), has_bytes=has_bytes)
        # Only asyncio:
        posted = Posted(session, packets)
        waiting = posted.advance()
        if waiting is not None:
            watcher = Watch(session, environ)
            try:
                await posted.finish(waiting)
            finally:
                watcher.cancel()
        # Only threads:
        # | _handle_packets(session, packets)
        # Both:
    # Only asyncio:
    except asyncio.CancelledError:
        # Some web frameworks cancel the task of a request whose client has closed the connection.
        await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
        raise
    # Both:
    except BodyTooLarge as error:
        return await reject(session, http.too_large(), str(error))
    except BodyTooSlow as error:
        # Only asyncio:
        headers = _closing(environ)
        # Only threads:
        # | headers: list[tuple[str, str]] = []  # PEP 3333 leaves headers of the connection to the web server
        # Both:
        return await reject(session, http.too_slow(*headers), str(error), is_at_fault=False)
    except PacketError as error:
        is_cut = isinstance(error, BodyCutOff)
        return await reject(session, http.refusal(http.Code.BAD_REQUEST), str(error), is_at_fault=not is_cut)
    return http.accepted()


# Only asyncio:
def _closing(environ: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the header that makes the web server close the connection, instead of waiting for the rest of the body."""
    # HTTP/2 and later have no such header: there the response ends the request, and the connection stays.
    return [("Connection", "close")] if environ["SERVER_PROTOCOL"].startswith("HTTP/1") else []


# Both:


# Only threads:
# | def _handle_packets(session: Session, packets: Iterator[str | bytes]) -> None:
# |     """Handle the packets of a body one by one, and let other threads run after every few packets."""
# |     server = session.server
# |     share = credit = server.packets_per_payload
# |     for packet in packets:
# |         if session.closing:
# |             break
# |         _handle_packet(session, packet)
# |         credit -= 1
# |         if not credit:
# |             credit = share
# |             server.sleep(0)
# |
# |
# | def _handle_packet(session: Session, packet: str | bytes) -> None:
# |     """Handle one well-formed packet."""
# |     if isinstance(packet, bytes) or packet[0] == "4":
# |         session.handling = True
# |         try:
# |             session.server.run_message(session, packet if isinstance(packet, bytes) else packet[1:])
# |         finally:
# |             session.progress += 1
# |             session.handling = False
# |     elif packet[0] == "1":
# |         session.finish(session.server.reason.CLIENT_DISCONNECT, abort=True)
# |     elif packet[0] not in IGNORED:
# |         session.on_heartbeat()
# |
# |
# Both:


async def reject(session: Session, response: http.Response, why: str, *, is_at_fault: bool = True) -> http.Response:
    """End a session whose client broke the protocol or did not send a whole request, and return *response*."""
    session.broke_protocol = is_at_fault
    session.server.report(f"Closing a polling session: {why}", "bad-request")
    await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
    return response

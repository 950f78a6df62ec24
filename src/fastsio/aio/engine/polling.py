"""
The long-polling transport: one GET waits for packets, POSTs bring them.

Source: Engine.IO protocol v4, "HTTP long-polling"; v3, "Transports".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastsio.aio.engine.bodies import Watch, read_body, watch
from fastsio.aio.engine.session import Eio3Session
from fastsio.engine import eio3, http
from fastsio.engine.log_format import label, shown
from fastsio.engine.packet import CLOSE_PACKET
from fastsio.engine.payload import IGNORED, decode_payload, packets_per_poll
from fastsio.engine.request import BodyTooLarge, BodyTooSlow
from fastsio.engine.session import Asked, Transport
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastsio.aio.engine.session import Session
    from fastsio.engine.packet import WirePacket


def take(session: Session, environ: dict[str, Any]) -> list[WirePacket]:
    """Take what a poll is answered with: as much as the client of the request can take at once."""
    server = session.server
    packets = session.take(server.max_http_buffer_size, packets_per_poll(environ.get("HTTP_USER_AGENT", "")))
    if server.is_traced:
        for packet in packets:
            server.logger.info("%s: Sending packet %s", label(session.sid), shown(packet.polling, from_server=True))
    return packets


async def handle_get(session: Session, environ: dict[str, Any], jsonp_index: int | None) -> http.Response:
    """
    Serve a poll.

    A second poll while one is pending ends the session: the first gets the close packet, this one an error.

    Raises:
        RequestRefused: The session moved to a WebSocket before the poll came.
    """
    is_only = True
    if session.pending is None or session.holds or session.poll_waiter is not None:
        # Only asyncio:
        is_only = await _wait_watched(session, environ)
        # Only threads:
        # | is_only = _wait(session)
        # Both:
    if not is_only:
        session.post_control(CLOSE_PACKET)
        return await _reject(session, http.refusal(http.Code.BAD_REQUEST), "two polls at once")
    packets = take(session, environ)
    if session.closed and not session.pending:
        session.server.forget(session)
    return answer(session, packets, jsonp_index=jsonp_index)


async def _wait(session: Session) -> bool:
    """
    Wait until a poll is to be answered; False when another poll waits already.

    Raises:
        RequestRefused: The session moved to a WebSocket before the poll came.
    """
    if session.transport is Transport.UPGRADING:
        await session.see_upgrade_decided()
        session.check_transport(Asked.POLL)
    return await session.wait_for_packets()


# Only asyncio:
async def _wait_watched(session: Session, environ: dict[str, Any]) -> bool:
    """Wait as above, unless the client gives its request up meanwhile: then it is gone."""
    watcher = watch(session, environ)
    try:
        return await _wait(session)
    except asyncio.CancelledError:
        # So some frameworks say it.
        await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
        raise
    finally:
        if watcher is not None:
            watcher.cancel()


# Both:
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


async def handle_post(session: Session, environ: dict[str, Any]) -> http.Response:
    """Take the packets of a POST; a second POST while one is taken, or a bad one, ends the session."""
    if not session.claim_post():
        return await _reject(session, http.refusal(http.Code.BAD_REQUEST), "two POSTs at once")
    try:
        return await _take_post(session, environ)
    finally:
        session.end_post()


async def _take_post(session: Session, environ: dict[str, Any]) -> http.Response:
    try:
        is_binary = _is_binary(session, environ)
        body = await read_body(session, environ)
        packets = _decode(session, body, is_binary=is_binary)
        # Only asyncio:
        watcher = Watch(session, environ)
        try:
            await _take_packets(session, packets)
        finally:
            watcher.cancel()
        # Only threads:
        # | _take_packets(session, packets)
        # Both:
    # Only asyncio:
    except asyncio.CancelledError:
        # So some frameworks say that the client is gone.
        await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
        raise
    # Both:
    except BodyTooLarge as error:
        return await _reject(session, http.too_large(), str(error))
    except BodyTooSlow as error:
        # Only asyncio:
        headers = _closing(environ)
        # Only threads:
        # | headers: list[tuple[str, str]] = []  # PEP 3333 leaves them to the web server
        # Both:
        return await _reject(session, http.too_slow(*headers), str(error))
    except PacketError as error:
        return await _reject(session, http.refusal(http.Code.BAD_REQUEST), str(error))
    return http.accepted()


# Only asyncio:
def _closing(environ: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the header that has the web server close a connection of which it would wait for more of the body."""
    # HTTP/2 and later have none: a request that is answered is over there.
    return [("Connection", "close")] if environ["SERVER_PROTOCOL"].startswith("HTTP/1") else []


# Both:


async def _take_packets(session: Session, packets: Iterator[str | bytes]) -> None:
    """Act on the packets of a body one by one; however many there are, others have a turn now and then."""
    server = session.server
    share = credit = server.packets_per_payload
    for packet in packets:
        if session.closing:
            break
        await _take_packet(session, packet)
        credit -= 1
        if not credit:
            credit = share
            await server.sleep(0)


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


async def _take_packet(session: Session, packet: str | bytes) -> None:
    """Act on one well-formed packet."""
    if isinstance(packet, bytes) or packet[0] == "4":
        session.handling = True
        # Only asyncio:
        task = asyncio.current_task()
        session.reader = session.reader or task
        try:
            await session.server.run_message(session, packet if isinstance(packet, bytes) else packet[1:])
            session.has_progressed = True
        except asyncio.CancelledError:
            if task is None or not session.is_given_up:
                raise
            task.uncancel()
        finally:
            session.handling = False
            if session.reader is task:
                session.reader = None
        # Only threads:
        # | try:
        # |     session.server.run_message(session, packet if isinstance(packet, bytes) else packet[1:])
        # | finally:
        # |     session.progress += 1
        # |     session.handling = False
        # Both:
    elif packet[0] == "1":
        await session.finish(session.server.reason.CLIENT_DISCONNECT, abort=True)
    elif packet[0] not in IGNORED:
        session.on_heartbeat()


async def _reject(session: Session, response: http.Response, why: str) -> http.Response:
    session.server.report(f"Closing a polling session: {why}", "bad-request")
    await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
    return response

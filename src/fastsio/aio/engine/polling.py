"""
The long-polling transport: one GET waits for packets, POSTs bring them.

Source: Engine.IO protocol v4, "HTTP long-polling"; v3, "Transports".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.engine.session import Eio3Session
from fastsio.engine import eio3, http
from fastsio.engine.log_format import label, shown
from fastsio.engine.packet import CLOSE_PACKET, NOOP_PACKET
from fastsio.engine.payload import IGNORED, decode_payload, packets_per_poll
from fastsio.engine.request import RequestRefused, content_length
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastsio.aio.engine.session import Session
    from fastsio.engine.packet import WirePacket


#: How long a poll that comes during an upgrade waits to see its end.
UPGRADE_CHECK_S: Final = 0.1


class BodyTooLarge(PacketError):  # noqa: N818 - says what happened
    """A body is larger than the server takes."""


class BodyTooSlow(PacketError):  # noqa: N818 - says what happened
    """A body has not come in time."""


async def poll(session: Session, environ: dict[str, Any]) -> list[WirePacket]:
    """
    Wait until something is to be sent and take it; a session that ends meanwhile gives its last packets.

    Args:
        session: The session.
        environ: Of the request, which says how much its client can take at once.

    Raises:
        RequestRefused: The session moved to a WebSocket before the poll came.
    """
    if session.upgrading:
        await _see_upgrade_decided(session)
        if session.upgraded:
            raise RequestRefused(http.Code.BAD_REQUEST, "Unexpected request for an upgraded session")
    while not (session.pending or session.upgrading or session.upgraded or session.closed):
        await _wait(session)
    if session.upgrading or session.upgraded:
        return [NOOP_PACKET]
    server = session.server
    max_packets = packets_per_poll(environ.get("HTTP_USER_AGENT", ""))
    packets = session.take(server.max_http_buffer_size, max_packets) or [NOOP_PACKET]
    if server.is_traced:
        for packet in packets:
            server.logger.info("%s: Sending packet %s", label(session.sid), shown(packet.polling, from_server=True))
    return packets


async def _see_upgrade_decided(session: Session) -> None:
    """
    Wait a moment for the end of an upgrade.

    The frame that completes it may have arrived before the poll and not have been read. A poll that the client needs an
    answer to before it completes the upgrade is answered within this time, as by the JavaScript server.
    """
    try:
        async with asyncio.timeout(UPGRADE_CHECK_S):
            while session.upgrading and not session.closed:
                await _wait(session)
    except TimeoutError:
        return


async def _wait(session: Session) -> None:
    """Be the pending poll until something has changed."""
    session.poll_waiter = asyncio.get_running_loop().create_future()
    try:
        await session.poll_waiter
    finally:
        session.poll_waiter = None


async def handle_get(session: Session, environ: dict[str, Any], jsonp_index: int | None) -> http.Response:
    """
    Serve a poll.

    A second poll while one is pending ends the session: the first gets the close packet, this one an error.
    """
    if session.poll_waiter is not None:
        session.post_control(CLOSE_PACKET)
        return await _reject(session, http.refusal(http.Code.BAD_REQUEST), "two polls at once")
    watcher = None if session.pending else _watch(session, environ)
    try:
        packets = await poll(session, environ)
    except asyncio.CancelledError:
        # So some frameworks say that the client is gone.
        await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
        raise
    finally:
        if watcher is not None:
            watcher.cancel()
    if session.closed and not session.pending:
        session.server.forget(session)
    return answer(session, packets, jsonp_index=jsonp_index)


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


def _watch(session: Session, environ: dict[str, Any]) -> asyncio.Task[None] | None:
    """Notice, where the driver can, that the client gave its request up."""
    wait_disconnected = session.server.wait_disconnected
    if wait_disconnected is None:
        return None

    async def watch() -> None:
        await wait_disconnected(environ)
        session.server.logger.info("A client gave its request up")
        await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)

    return session.server.spawn(watch())


async def handle_post(session: Session, environ: dict[str, Any]) -> http.Response:
    """Take the packets of a POST; a second POST while one is taken, or a bad one, ends the session."""
    if session.posting:
        return await _reject(session, http.refusal(http.Code.BAD_REQUEST), "two POSTs at once")
    session.posting = True
    try:
        return await _take_post(session, environ)
    finally:
        session.end_post()


async def _take_post(session: Session, environ: dict[str, Any]) -> http.Response:
    server = session.server
    try:
        is_binary = _is_binary(session, environ)
        body = await _read_wanted_body(session, environ)
        await _take_packets(session, environ, _decode(session, body, is_binary=is_binary))
    except asyncio.CancelledError:
        # So some frameworks say that the client is gone.
        await session.finish(server.reason.TRANSPORT_ERROR, abort=True)
        raise
    except BodyTooLarge as error:
        return await _reject(session, http.too_large(), str(error))
    except BodyTooSlow as error:
        return await _reject(session, http.too_slow(*_closing(environ)), str(error))
    except PacketError as error:
        return await _reject(session, http.refusal(http.Code.BAD_REQUEST), str(error))
    return http.accepted()


def _closing(environ: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the header that has the web server close a connection of which it would wait for more of the body."""
    # HTTP/2 and later have none: a request that is answered is over there.
    return [("Connection", "close")] if environ["SERVER_PROTOCOL"].startswith("HTTP/1") else []


async def _take_packets(session: Session, environ: dict[str, Any], packets: Iterator[str | bytes]) -> None:
    """Act on the packets of a body one by one; however many there are, others have a turn now and then."""
    share = credit = session.server.packets_per_payload
    # Most are handled before it is worth to look whether the client is still there.
    watchers: list[asyncio.Task[None] | None] = []
    after_s = session.server.ahead_after
    timer = asyncio.get_running_loop().call_later(after_s, lambda: watchers.append(_watch(session, environ)))
    try:
        for packet in packets:
            if session.closing:
                break
            await _receive(session, packet)
            credit -= 1
            if not credit:
                credit = share
                await asyncio.sleep(0)
    finally:
        timer.cancel()
        for watcher in watchers:
            if watcher is not None:
                watcher.cancel()


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


async def _read_wanted_body(session: Session, environ: dict[str, Any]) -> bytes:
    """
    Read the whole body, unless the session ends meanwhile.

    Raises:
        PacketError: It is too large, was cut off or takes too long, or the session is over.
    """
    task = session.body_reader = asyncio.current_task()
    try:
        async with asyncio.timeout(session.server.body_timeout):
            return await _read_body(environ, session.server.max_http_buffer_size)
    except TimeoutError:
        raise BodyTooSlow("a body that took too long") from None
    except asyncio.CancelledError:
        if task is None or not session.closed:
            raise
        task.uncancel()
        raise PacketError("a body that came later than the end of its session") from None
    finally:
        session.body_reader = None


async def _read_body(environ: dict[str, Any], limit: int) -> bytes:
    """Read the whole body, or one byte more than the limit of one that does not declare its length."""
    declared = content_length(environ)
    if declared is not None and declared > limit:
        raise BodyTooLarge("a body over the size limit", limit=limit, value=declared)
    length = limit + 1 if declared is None else declared
    body = bytearray()
    try:
        while len(body) < length and (chunk := await environ["wsgi.input"].read(length - len(body))):
            body += chunk
    except OSError as error:
        raise PacketError("a body that was cut off") from error
    if len(body) > limit:
        raise BodyTooLarge("a body over the size limit", limit=limit, value=len(body))
    return bytes(body)


async def _receive(session: Session, packet: str | bytes) -> None:
    """Act on one well-formed packet."""
    if isinstance(packet, bytes) or packet[0] == "4":
        session.handling = True
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
    elif packet[0] == "1":
        await session.finish(session.server.reason.CLIENT_DISCONNECT, abort=True)
    elif packet[0] not in IGNORED:
        session.on_heartbeat()


async def _reject(session: Session, response: http.Response, why: str) -> http.Response:
    session.server.report(f"Closing a polling session: {why}", "bad-request")
    await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
    return response

"""
The WebSocket transport: the upgrade from polling, and the loop that reads.

Source: Engine.IO protocol v4, "WebSocket", "Upgrade".
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from fastsio.aio.engine.tracing import trace_messages
from fastsio.engine import eio3
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from fastsio.aio.engine.links import Event, Link, Receive
    from fastsio.aio.engine.socket import EngineSocket

PROBE: Final = "2probe"
PROBE_ANSWER: Final = "3probe"
UPGRADE: Final = "5"
#: How long the last frames and the closing handshake may take before the connection is given up.
CLOSE_GRACE_S: Final = 10.0
#: The most bytes a character takes in UTF-8.
MAX_CHARACTER_BYTES: Final = 4


class LinkLost(Exception):  # noqa: N818 - says what happened
    """The peer closed the WebSocket."""


class ClientLeft(Exception):  # noqa: N818 - says what happened
    """The client sent a close packet."""


async def serve(socket: EngineSocket, link: Link) -> None:
    """
    Run a session over an accepted WebSocket until either end closes it.

    Args:
        socket: The session.
        link: The WebSocket.
    """
    socket.reader = asyncio.current_task()
    try:
        if not socket.connected or await _upgrade(socket, link):
            await _run(socket, link)
    finally:
        socket.reader = None
        await _close(socket, link)


def _absorb_cancellation(socket: EngineSocket) -> bool:
    """Tell whether it was the session's end that cancelled this task, to wake it; then the task goes on."""
    if socket.closed and socket.reader is not None:
        socket.reader.uncancel()
    return socket.closed


async def _run(socket: EngineSocket, link: Link) -> None:
    server = socket.server
    socket.connected = socket.upgraded = True
    socket.upgrading = False
    socket.attach(link)
    reason = server.reason.TRANSPORT_CLOSE
    try:
        await _read(socket, link.receive)
    except ClientLeft:
        reason = server.reason.CLIENT_DISCONNECT
    except LinkLost:
        socket.lose_link()
    except PacketError as error:
        server.report(f"Closing a websocket session: {error}", "bad-frame")
        reason = server.reason.TRANSPORT_ERROR
    except asyncio.CancelledError:
        if not _absorb_cancellation(socket):
            raise
    finally:
        socket.reader = None
        await socket.finish(reason, abort=True)


async def _read(socket: EngineSocket, receive: Receive) -> None:
    """
    Dispatch frames in order until the session is over.

    Raises:
        ClientLeft: The client said goodbye.
        LinkLost: The WebSocket is closed.
        PacketError: The client sent what the protocol does not have.
    """
    server = socket.server
    sid = socket.sid
    # Chosen once, so that clients of Engine.IO 4 do not pay for the others with every frame.
    read_text, read_binary = READERS[socket.protocol]
    on_message = server.handlers["message"]
    if server.logger.isEnabledFor(logging.INFO):
        on_message = trace_messages(on_message, server.logger)
    while not socket.closed:
        event = await receive()
        data = event.get("text")
        if data is None:
            data = read_binary(event, server.max_http_buffer_size)
        elif data[:1] == "4" and len(data) * MAX_CHARACTER_BYTES <= server.max_http_buffer_size:
            data = data[1:]
        else:
            data = read_text(socket, data)
        if data is None or socket.closing:
            continue
        socket.handling = True
        try:
            await on_message(sid, data)
        except Exception:
            server.logger.exception("message handler error")
        finally:
            socket.handling = False


def _binary(event: Event, limit: int) -> bytes:
    data: bytes | None = event.get("bytes")
    if data is None:
        raise LinkLost
    _check_size(len(data), limit)
    return data


def _text(socket: EngineSocket, frame: str) -> str | None:
    """Read a text frame that is long or no message; None when it was for the transport."""
    kind = frame[:1]
    if kind == "4":
        _check_size(len(frame.encode(errors="replace")), socket.server.max_http_buffer_size)
        return frame[1:]
    if kind == "3":
        socket.on_heartbeat()
        return None
    if kind == "1":
        raise ClientLeft
    raise PacketError("a frame of unknown type" if kind else "an empty frame")


def _eio3_binary(event: Event, limit: int) -> bytes:
    return eio3.decode_binary(_binary(event, limit))


def _eio3_text(socket: EngineSocket, frame: str) -> str | bytes | None:
    """Do as :func:`_text` does for a client that pings, and may have no other way for binary than base64."""
    _check_size(len(frame.encode(errors="replace")), socket.server.max_http_buffer_size)
    packet = eio3.decode_packet(frame)
    if isinstance(packet, bytes):
        return packet
    if packet[0] == "4":
        return packet[1:]
    if packet[0] == "1":
        raise ClientLeft
    socket.on_heartbeat()
    return None


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise PacketError("a frame over the size limit", limit=limit, value=size)


#: How text and binary frames are read, by revision of Engine.IO.
READERS: Final = {3: (_eio3_text, _eio3_binary), 4: (_text, _binary)}


async def _close(socket: EngineSocket, link: Link) -> None:
    """Let what is being written go out, then close, within bounds."""
    server = socket.server
    lost = socket.upgraded and socket.send_event is None
    try:
        async with asyncio.timeout(CLOSE_GRACE_S):
            if socket.upgraded:
                await socket.detach()
            if not lost:
                await link.send({"type": "websocket.close", "code": 1000})
    except Exception as error:  # noqa: BLE001 - the peer may be gone, which is what is wanted
        server.logger.debug("The closing handshake failed: %r", error)


async def _upgrade(socket: EngineSocket, link: Link) -> bool:
    """
    Move a polling session to this WebSocket.

    A peer that vanishes or takes too long leaves the session on polling; one that breaks the protocol ends it.

    Returns:
        True when the client asked for the switch.
    """
    server = socket.server
    try:
        async with asyncio.timeout(server.upgrade_timeout):
            await _expect(link, PROBE)
            socket.hold_polls()
            await link.send({"type": "websocket.send", "text": PROBE_ANSWER})
            await _expect(link, UPGRADE)
    except PacketError as error:
        server.report(f"Closing a session that failed to upgrade: {error}", "bad-probe")
        socket.reader = None
        await socket.finish(server.reason.TRANSPORT_ERROR, abort=True)
    except (TimeoutError, LinkLost):
        server.logger.info("An upgrade was not completed, the session stays on polling")
    except asyncio.CancelledError:
        if not _absorb_cancellation(socket):
            raise
    else:
        return not socket.closing
    finally:
        socket.upgrading = socket.probing = False
    return False


async def _expect(link: Link, frame: str) -> None:
    event = await link.receive()
    if event["type"] != "websocket.receive":
        raise LinkLost
    if event.get("text") != frame:
        raise PacketError(f"expected {frame!r}")

"""
The WebSocket transport: the upgrade from polling, and the loop that reads.

Source: Engine.IO protocol v4, "WebSocket", "Upgrade".
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from fastsio.aio.engine.direct import Reader
from fastsio.aio.engine.links import CLOSE_GRACE_S, MESSAGE_TOO_BIG, NORMAL_CLOSURE, DirectLink, LinkLost
from fastsio.aio.engine.tracing import trace_messages
from fastsio.engine.reading import READERS, ClientLeft
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from fastsio.aio.engine.links import Event, Link, Receive
    from fastsio.aio.engine.socket import EngineSocket

PROBE: Final = "2probe"
PROBE_ANSWER: Final = "3probe"
UPGRADE: Final = "5"
#: Frames that are read before everybody else has a turn.
FAIR_SHARE: Final = 64
#: The most bytes a character takes in UTF-8.
MAX_CHARACTER_BYTES: Final = 4


async def serve(socket: EngineSocket, link: Link) -> None:
    """
    Run a session over an accepted WebSocket until either end closes it.

    Args:
        socket: The session.
        link: The WebSocket.
    """
    socket.reader = asyncio.current_task()
    code = NORMAL_CLOSURE
    try:
        if not socket.connected or await _upgrade(socket, link):
            code = await _run(socket, link)
    finally:
        socket.reader = None
        await _close(socket, link, code)


def _absorb_cancellation(socket: EngineSocket) -> bool:
    """Tell whether it was the session's end that cancelled this task, to wake it; then the task goes on."""
    if socket.closed and socket.reader is not None:
        socket.reader.uncancel()
    return socket.closed


async def _run(socket: EngineSocket, link: Link) -> int:
    """Read until the session is over; return the code to close the WebSocket with."""
    server = socket.server
    socket.connected = socket.upgraded = True
    socket.upgrading = False
    socket.attach(link)
    reason = server.reason.TRANSPORT_CLOSE
    code = NORMAL_CLOSURE
    try:
        if isinstance(link, DirectLink):
            await Reader(socket, link).read()
        else:
            await _read(socket, link.receive)
    except ClientLeft:
        reason = server.reason.CLIENT_DISCONNECT
    except LinkLost:
        socket.lose_link()
    except PacketError as error:
        server.report(f"Closing a websocket session: {error}", "bad-frame")
        reason = server.reason.TRANSPORT_ERROR
        if error.limit is not None:
            code = MESSAGE_TOO_BIG
    except asyncio.CancelledError:
        if not _absorb_cancellation(socket):
            raise
    finally:
        socket.reader = None
        await socket.finish(reason, abort=True)
    return code


async def _read(socket: EngineSocket, receive: Receive) -> None:
    """
    Dispatch frames in order until the session is over.

    Raises:
        ClientLeft: The client said goodbye.
        LinkLost: The WebSocket is closed.
        PacketError: The client sent what the protocol does not have.
    """
    server = socket.server
    on_message = server.handlers["message"]
    if server.logger.isEnabledFor(logging.INFO):
        on_message = trace_messages(on_message, server.logger)
    credit = FAIR_SHARE
    while not socket.closed:
        credit -= 1
        if not credit:
            credit = FAIR_SHARE
            # A server may have more frames ready than are read without waiting, and the message handler need not wait.
            await asyncio.sleep(0)
        # A session that waits keeps nothing of its last frame in memory: it may wait for very long.
        data = _message(socket, await receive())
        if data is None or socket.closing:
            continue
        socket.handling = True
        try:
            waiting = on_message(socket.sid, data)
            if waiting is not None:
                await waiting
        except Exception:
            server.logger.exception("message handler error")
        finally:
            socket.handling = False
            data = waiting = None


def _message(socket: EngineSocket, event: Event) -> str | bytes | None:
    """Return the message in a frame; None when there is none."""
    text: str | None = event.get("text")
    if text and text[0] == "4" and len(text) * MAX_CHARACTER_BYTES <= socket.server.max_http_buffer_size:
        return text[1:]
    read_text, read_binary = READERS[socket.protocol]
    if text is not None:
        return read_text(socket, text)
    data = event.get("bytes")
    if data is None:
        raise LinkLost
    return read_binary(data, socket.server.max_http_buffer_size)


async def _close(socket: EngineSocket, link: Link, code: int) -> None:
    """Let what is being written go out, then close, within bounds."""
    server = socket.server
    lost = socket.upgraded and socket.send_event is None
    try:
        async with asyncio.timeout(CLOSE_GRACE_S):
            if socket.upgraded:
                await socket.detach()
            if not lost:
                await link.send({"type": "websocket.close", "code": code})
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

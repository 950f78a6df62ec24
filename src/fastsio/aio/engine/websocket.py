"""
The WebSocket transport: the upgrade from polling, and the loop that reads.

Source: Engine.IO protocol v4, "WebSocket", "Upgrade".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fastsio.aio.engine.packet import PONG, ControlPacket
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from fastsio.aio.engine.links import Link, Receive
    from fastsio.aio.engine.socket import EngineSocket

PROBE: Final = "2probe"
PROBE_ANSWER: Final = ControlPacket(PONG, "probe")
UPGRADE: Final = "5"
#: How long a closing handshake may take before the connection is given up.
CLOSE_GRACE_S: Final = 10.0


class LinkLost(Exception):  # noqa: N818 - says what happened
    """The peer closed the WebSocket."""


async def serve(socket: EngineSocket, link: Link) -> None:
    """Run a session over an accepted WebSocket until either end closes it."""
    server = socket.server
    if socket.connected and not await upgrade(socket, link):
        await link.send({"type": "websocket.close", "code": 1000})
        return
    socket.connected = socket.upgraded = True
    socket.upgrading = False
    socket.attach(link)
    reason = server.reason.TRANSPORT_CLOSE
    try:
        reason = await read(socket, link.receive)
    except PacketError as error:
        server.logger.warning("Closing a websocket session: %s", error)
        reason = server.reason.TRANSPORT_ERROR
    except asyncio.CancelledError:
        if not socket.closed:
            raise
        _absorb_cancellation()
    finally:
        await socket.finish(reason, abort=True)
        await _close(socket, link)


def _absorb_cancellation() -> None:
    """The session's end cancelled this task to wake it; to the server the application just returns."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


async def _close(socket: EngineSocket, link: Link) -> None:
    """Write what is being written, then the closing handshake."""
    socket.idle_send = None
    try:
        async with asyncio.timeout(CLOSE_GRACE_S):
            if socket.writer is not None:
                await asyncio.wait([socket.writer])
            if socket.send_event is not None:
                socket.send_event = None
                await link.send({"type": "websocket.close", "code": 1000})
    except Exception as error:  # noqa: BLE001 - the peer may be gone, which is what is wanted
        socket.server.logger.debug("The closing handshake failed: %r", error)


async def read(socket: EngineSocket, receive: Receive) -> str:
    """
    Dispatch frames in order until the session is over.

    Returns:
        The reason for the disconnect handler.

    Raises:
        PacketError: The client sent what the protocol does not have.
    """
    server = socket.server
    sid = socket.sid
    on_message = server.handlers["message"]
    while not socket.closing:
        event = await receive()
        data = event.get("text")
        if data is not None:
            if len(data) * 4 > server.max_http_buffer_size:
                check_size(data, server.max_http_buffer_size)
            if data[:1] != "4":
                if data == "3":
                    socket.on_pong()
                    continue
                if data == "1":
                    return server.reason.CLIENT_DISCONNECT
                raise PacketError("a frame that is no packet")
            data = data[1:]
        else:
            data = event.get("bytes")
            if data is None:
                return server.reason.TRANSPORT_CLOSE
            if len(data) > server.max_http_buffer_size:
                check_size(data, server.max_http_buffer_size)
        socket.handling = True
        try:
            await on_message(sid, data)
        except Exception:
            server.logger.exception("message handler error")
        finally:
            socket.handling = False
    return server.reason.TRANSPORT_CLOSE


def check_size(data: str | bytes, limit: int) -> None:
    """
    Compare a frame's size on the wire with the limit.

    Raises:
        PacketError: It is larger.
    """
    size = len(data.encode(errors="replace")) if isinstance(data, str) else len(data)
    if size > limit:
        raise PacketError("a frame over the size limit", limit=limit, value=size)


async def upgrade(socket: EngineSocket, link: Link) -> bool:
    """
    Move a polling session to this WebSocket.

    A peer that vanishes or takes too long leaves the session on polling; one that breaks the protocol ends it.

    Returns:
        True when the client asked for the switch.
    """
    server = socket.server
    socket.upgrading = True
    try:
        async with asyncio.timeout(server.upgrade_timeout):
            await _expect(link, PROBE)
            socket.end_poll()
            await link.send({"type": "websocket.send", "text": PROBE_ANSWER.wire})
            await _expect(link, UPGRADE)
    except PacketError as error:
        server.logger.warning("Closing a session that failed to upgrade: %s", error)
        await socket.finish(server.reason.TRANSPORT_ERROR)
    except (TimeoutError, LinkLost):
        server.logger.info("An upgrade was not completed, the session stays on polling")
    else:
        if not socket.closing:
            return True
    socket.upgrading = False
    return False


async def _expect(link: Link, frame: str) -> None:
    event = await link.receive()
    if event["type"] != "websocket.receive":
        raise LinkLost
    if event.get("text") != frame:
        raise PacketError(f"expected {frame!r}")

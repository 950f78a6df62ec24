"""
How a session over a WebSocket ends: what it ended for, and the last frame.

Knows no transport.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastsio.aio.engine.links import CLOSE_GRACE_S, LinkLost
from fastsio.engine.frame_reader import NORMAL_CLOSURE, ClientLeft, closing_code
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from fastsio.aio.engine.links import AnyLink
    from fastsio.aio.engine.socket import EngineSocket


async def end(socket: EngineSocket, error: Exception | None) -> int:
    """
    End a session of which nothing more is read.

    Args:
        socket: The session.
        error: Why: the client said goodbye, the WebSocket is closed, or the client broke the protocol. None when it was
            the server's wish, or there is no telling.

    Returns:
        The code to close the WebSocket with.
    """
    reasons = socket.server.reason
    reason, code = reasons.TRANSPORT_CLOSE, NORMAL_CLOSURE
    if isinstance(error, ClientLeft):
        reason = reasons.CLIENT_DISCONNECT
    elif isinstance(error, LinkLost):
        socket.lose_link()
    elif isinstance(error, PacketError):
        reason = reasons.TRANSPORT_ERROR
        code = closing_code(error)
        socket.server.report(f"Closing a websocket session: {error}", f"bad-frame-{code}")
    socket.reader = None
    await socket.finish(reason, abort=True)
    return code


def absorb_cancellation(socket: EngineSocket) -> bool:
    """Tell whether it was the session's end that cancelled this task, to wake it; then the task goes on."""
    task = asyncio.current_task()
    if socket.closed and socket.reader is not None and task is not None:
        task.uncancel()
    return socket.closed


async def close(socket: EngineSocket, link: AnyLink, code: int) -> None:
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

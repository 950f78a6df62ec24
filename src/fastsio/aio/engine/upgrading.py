"""
The upgrade from polling to a WebSocket.

Source: Engine.IO protocol v4, "Upgrade".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fastsio.aio.engine.ending import absorb_cancellation
from fastsio.aio.engine.links import LinkLost
from fastsio.engine.frame_reader import NORMAL_CLOSURE, closing_code
from fastsio.engine.log_format import label
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from fastsio.aio.engine.links import AnyLink
    from fastsio.aio.engine.socket import EngineSocket

PROBE: Final = "2probe"
PROBE_ANSWER: Final = "3probe"
UPGRADE: Final = "5"


async def upgrade(socket: EngineSocket, link: AnyLink) -> int | None:
    """
    Move a polling session to this WebSocket.

    A client may leave the probe out. One that vanishes, takes too long or says something else loses the WebSocket, and
    its session stays on polling. What came in a POST is taken before anything that comes here.

    Returns:
        None when the client asked for the switch, else the code to close the WebSocket with.
    """
    server = socket.server
    if server.is_traced:
        server.logger.info("%s: Received request to upgrade to websocket", label(socket.sid))
    code = NORMAL_CLOSURE
    try:
        async with asyncio.timeout(server.upgrade_timeout):
            if await _expect(link, PROBE, UPGRADE) == PROBE:
                socket.hold_polls()
                await link.send({"type": "websocket.send", "text": PROBE_ANSWER})
                await _expect(link, UPGRADE)
            await socket.let_post_end()
    except PacketError as error:
        server.report(f"An upgrade failed, the session stays on polling: {error}", "bad-probe")
        code = closing_code(error)
    except (TimeoutError, LinkLost):
        server.logger.info("An upgrade was not completed, the session stays on polling")
    except asyncio.CancelledError:
        if not absorb_cancellation(socket):
            raise
    else:
        if server.is_traced:
            server.logger.info("%s: Upgrade to websocket successful", label(socket.sid))
        return code if socket.closing else None
    finally:
        socket.probing = False
        socket.end_hold()
        # A poll that waits is answered once the session is on the WebSocket, or waits on.
        socket.end_poll()
    return code


async def _expect(link: AnyLink, *frames: str) -> str:
    """Wait for one of *frames*, and return it."""
    event = await link.receive()
    if event["type"] != "websocket.receive":
        raise LinkLost
    text: str | None = event.get("text")
    if text not in frames:
        raise PacketError(f"expected {' or '.join(frames)}")
    return text

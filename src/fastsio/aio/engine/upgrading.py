"""
The upgrade from polling to a WebSocket.

Source: Engine.IO protocol v4, "Upgrade".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fastsio.aio.engine.ending import absorb_cancellation
from fastsio.aio.engine.links import LinkLost
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from fastsio.aio.engine.links import AnyLink
    from fastsio.aio.engine.socket import EngineSocket

PROBE: Final = "2probe"
PROBE_ANSWER: Final = "3probe"
UPGRADE: Final = "5"


async def upgrade(socket: EngineSocket, link: AnyLink) -> bool:
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
        if not absorb_cancellation(socket):
            raise
    else:
        return not socket.closing
    finally:
        socket.probing = False
        socket.end_hold()
    return False


async def _expect(link: AnyLink, frame: str) -> None:
    event = await link.receive()
    if event["type"] != "websocket.receive":
        raise LinkLost
    if event.get("text") != frame:
        raise PacketError(f"expected {frame!r}")

"""
The upgrade: how a polling session moves to a WebSocket.

Source: Engine.IO protocol v4, "Upgrade".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from fastsio.engine.frame_reader import NORMAL_CLOSURE, LinkLost, closing_code
from fastsio.engine.log_format import label
from fastsio.exceptions import PacketError

# Only threads:
# | from fastsio.engine.packet import ControlPacket
# | from fastsio.sync.engine.limit import Limit
# Both:

if TYPE_CHECKING:
    from fastsio.aio.engine.links import AnyLink
    from fastsio.aio.engine.session import Session

PROBE: Final = "2probe"
UPGRADE: Final = "5"
# Only asyncio:
PROBE_ANSWER: Final = {"type": "websocket.send", "text": "3probe"}
# Only threads:
# | PROBE_ANSWER: Final = ControlPacket(3, "probe")
# Both:


async def upgrade(session: Session, link: AnyLink) -> int | None:
    """
    Move a polling session to this WebSocket; return None, or the code to close the WebSocket with if it has not moved.

    A client may leave the probe out. One that vanishes, takes too long or says something else loses the WebSocket, and
    its session stays on polling. A POST that is being handled is finished before messages of the WebSocket are read.
    """
    server = session.server
    if server.is_traced:
        server.logger.info("%s: Received request to upgrade to websocket", label(session.sid))
    code = NORMAL_CLOSURE
    # Only asyncio:
    limit = asyncio.timeout(server.upgrade_timeout)
    # Only threads:
    # | limit = Limit(server.deadlines, server.upgrade_timeout, link.abort)
    # Both:
    try:
        async with limit:
            if await _expect(link, PROBE, UPGRADE) == PROBE:
                session.hold_polls()
                await link.send(PROBE_ANSWER)
                await _expect(link, UPGRADE)
            # Only asyncio:
            has_moved = await session.switch()
            # Only threads:
            # | has_moved = session.switch(limit)
            # Both:
        if has_moved:
            if server.is_traced:
                server.logger.info("%s: Upgrade to websocket successful", label(session.sid))
            return None
    except PacketError as error:
        server.report(f"An upgrade failed, the session stays on polling: {error}", "bad-probe")
        code = closing_code(error)
    except (LinkLost, OSError):
        server.logger.info("An upgrade was not completed, the session stays on polling")
    # Only asyncio:
    except asyncio.CancelledError:
        if not absorb_cancellation(session):
            raise
    # Both:
    finally:
        session.end_upgrade()
    return code


async def _expect(link: AnyLink, *frames: str) -> str | bytes:
    """Wait for one of *frames*, and return it."""
    # Only asyncio:
    event = await link.receive()
    if event["type"] != "websocket.receive":
        raise LinkLost
    frame: str | bytes = event.get("text", b"")
    # Only threads:
    # | frame = link.receive()
    # Both:
    if frame not in frames:
        raise PacketError(f"expected {' or '.join(frames)}")
    return frame


# Only asyncio:
def absorb_cancellation(session: Session) -> bool:
    """Return whether the end of the session cancelled this task, to wake it; then the task goes on."""
    task = asyncio.current_task()
    if session.closed and session.reader is not None and task is not None:
        task.uncancel()
    return session.closed


# Both:

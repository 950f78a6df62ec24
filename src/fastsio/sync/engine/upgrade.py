# Written by tools/unasync.py from aio/engine/upgrade.py; change that one.
"""
The upgrade: how a polling session moves to a WebSocket.

Source: Engine.IO protocol v4, "Upgrade".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastsio.engine.frame_reader import NORMAL_CLOSURE, LinkLost, closing_code
from fastsio.engine.log_format import label
from fastsio.engine.packet import ControlPacket
from fastsio.exceptions import PacketError
from fastsio.sync.engine.limit import Limit

if TYPE_CHECKING:
    from fastsio.sync.engine.session import Session
    from fastsio.sync.engine.socketlink import SocketLink

PROBE: Final = "2probe"
UPGRADE: Final = "5"
PROBE_ANSWER: Final = ControlPacket(3, "probe")


def upgrade(session: Session, link: SocketLink) -> int | None:
    """
    Move a polling session to this WebSocket; return None, or the code to close the WebSocket with if it has not moved.

    A client may leave the probe out. One that vanishes, takes too long or says something else loses the WebSocket, and
    its session stays on polling. A POST that is being handled is finished before messages of the WebSocket are read.
    """
    server = session.server
    if server.is_traced:
        server.logger.info("%s: Received request to upgrade to websocket", label(session.sid))
    code = NORMAL_CLOSURE
    limit = Limit(server.deadlines, server.upgrade_timeout, link.abort)
    try:
        with limit:
            if _expect(link, PROBE, UPGRADE) == PROBE:
                session.hold_polls()
                link.send(PROBE_ANSWER)
                _expect(link, UPGRADE)
            has_moved = session.switch(limit)
        if has_moved:
            if server.is_traced:
                server.logger.info("%s: Upgrade to websocket successful", label(session.sid))
            return None
    except PacketError as error:
        server.report(f"An upgrade failed, the session stays on polling: {error}", "bad-probe")
        code = closing_code(error)
    except (LinkLost, OSError):
        server.logger.info("An upgrade was not completed, the session stays on polling")
    finally:
        session.end_upgrade()
    return code


def _expect(link: SocketLink, *frames: str) -> str | bytes:
    """Wait for one of *frames*, and return it."""
    frame = link.receive()
    if frame not in frames:
        raise PacketError(f"expected {' or '.join(frames)}")
    return frame

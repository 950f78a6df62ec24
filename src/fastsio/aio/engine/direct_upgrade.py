"""
The upgrade of a session to a WebSocket that is a direct link: a callback handles each frame, without a task.

The result is the same as in :mod:`.upgrade`, which explains the rules.

Source: Engine.IO protocol v4, "Upgrade".
"""

from __future__ import annotations

import asyncio
import re
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.engine.upgrade import PROBE, UPGRADE
from fastsio.engine.frame_reader import NORMAL_CLOSURE, closing_code
from fastsio.engine.frames import TEXT
from fastsio.engine.frames import frame as frame_of
from fastsio.engine.log_format import label
from fastsio.engine.session_tables import Asked, Move
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastsio.aio.engine.links import DirectLink, Frame
    from fastsio.aio.engine.server import EngineServer
    from fastsio.aio.engine.session import Session

PROBE_ANSWER: Final = frame_of(TEXT, b"3probe")
#: The usual query of a request that upgrades a session: without escapes and repeated parameters.
UPGRADE_QUERY: Final = re.compile(rb"EIO=4&transport=websocket(?:&t=[\w.-]*)?&sid=([\w.-]+)")


def session_to_upgrade(server: EngineServer, query: bytes, items: dict[str, str] | None, scheme: str) -> Session | None:
    """
    Find the session that a request for a WebSocket upgrades; the session then expects the WebSocket.

    *query* is as it was sent, *items* are the headers as a WSGI environ has them, or None.

    Returns:
        None if the request is not a usual one, and :mod:`.upgrade` must serve it; the session is unchanged.
    """
    found = UPGRADE_QUERY.fullmatch(query)
    if found is None or items is None or "websocket" not in server.transports:
        return None
    session = server.sockets.get(found[1].decode("ascii"))
    if session is None or not session.takes_at_once(Asked.WEBSOCKET):
        return None
    if "HTTP_ORIGIN" in items and not server.is_admitted({**items, "wsgi.url_scheme": scheme}):
        return None
    session.move(Move.HANDSHAKE)
    session.frames_base64 = False
    return session


class DirectUpgrade:
    """Moves a polling session to a WebSocket; then calls *read*, or *close* with a close code if it has not moved."""

    __slots__ = (
        "_close",
        "_expected",
        "_is_over",
        "_link",
        "_read",
        "_session",
        "_switching",
        "_timer",
        "context",
    )

    def __init__(
        self,
        session: Session,
        link: DirectLink,
        read: Callable[[Session, DirectLink], None],
        close: Callable[[Session, DirectLink, int], Coroutine[Any, Any, None]],
    ) -> None:
        self._session = session
        self._link = link
        self._read = read
        self._close = close
        #: The frames that the client may send next; empty while the switch waits for a POST.
        self._expected: tuple[str, ...] = (PROBE, UPGRADE)
        self._is_over = False
        #: The task that waits for a POST that is being handled.
        self._switching: asyncio.Task[None] | None = None
        self.context = copy_context()
        self._timer = asyncio.get_running_loop().call_later(session.server.upgrade_timeout, self._give_up)

    def start(self) -> None:
        """Expect the probe of the client."""
        session = self._session
        if session.server.is_traced:
            session.server.logger.info("%s: Received request to upgrade to websocket", label(session.sid))
        session.reader = self
        self._link.listen(self)

    def cancel(self) -> None:
        """Close the WebSocket: the session has ended. ``session.reader`` may also be a task, hence the name."""
        self._end(NORMAL_CLOSURE)

    def handle_frame(self, frame: Frame) -> bool:
        """Handle a frame as it arrives; return False if the frame must wait until the session has moved."""
        if self._is_over:
            return True
        if not self._expected:
            return False
        if frame not in self._expected:
            self.stop_reading(PacketError(f"expected {' or '.join(self._expected)}"))
        elif frame == PROBE:
            self._expected = (UPGRADE,)
            self._session.hold_polls()
            if not self._link.write(PROBE_ANSWER):
                self._give_up()
        else:
            self._switch()
        return True

    def _switch(self) -> None:
        """Move the session, once no POST is handled."""
        self._expected = ()
        if self._session.posting:
            self._switching = self._link.spawn(self._switch_later(), self.context)
        else:
            self._begin(has_moved=self._session.try_switch())

    async def _switch_later(self) -> None:
        has_moved = await self._session.switch()
        self._switching = None
        self._begin(has_moved=has_moved)

    def _begin(self, *, has_moved: bool) -> None:
        """Read messages from the WebSocket from now on, or close it if the session has ended meanwhile."""
        session = self._session
        if not has_moved:
            self._end(NORMAL_CLOSURE)
            return
        self._is_over = True
        self._timer.cancel()
        if session.server.is_traced:
            session.server.logger.info("%s: Upgrade to websocket successful", label(session.sid))
        session.end_upgrade()
        self._read(session, self._link)

    def _give_up(self) -> None:
        """Leave the session on polling: the client takes too long, or its WebSocket is lost."""
        self._session.server.logger.info("An upgrade was not completed, the session stays on polling")
        self._end(NORMAL_CLOSURE)

    def stop_reading(self, error: Exception) -> None:
        """Leave the session on polling: no frame will come any more, or the client broke the protocol."""
        if self._is_over or not self._expected:  # after the upgrade packet the client polls no more
            return
        if isinstance(error, PacketError):
            message = f"An upgrade failed, the session stays on polling: {error}"
            self._session.server.report(message, "bad-probe")
            self._end(closing_code(error))
        else:
            self._give_up()

    def _end(self, code: int) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._timer.cancel()
        session = self._session
        session.reader = None
        if self._switching is not None:
            self._switching.cancel()
        session.end_upgrade()
        self._link.spawn(self._close(session, self._link, code), self.context)

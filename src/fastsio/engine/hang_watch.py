"""
Notices clients that leave while the thread that reads them handles a message; only servers for threads need it.

Each WebSocket is read by one thread, which runs the message handler too, so nothing is read while a handler takes long.
The thread of the server's deadlines checks all sessions whose handler takes long, and reads what has arrived for them:
a pong counts then, and after the end of the connection the handler has ``handler_grace`` seconds before the session
ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from fastsio.engine.deadlines import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two checks. A message that is handled at both of them takes long.
CHECK_INTERVAL_S: Final = 0.2
#: After so many checks at which no message was handled, checking stops; the next message starts it again.
QUIET_CHECKS: Final = 10


class Session(Protocol):
    """A session that one thread reads: how many messages it has handled, whether it handles one, and over what."""

    progress: int
    handling: bool
    closing: bool

    @property
    def is_attached(self) -> bool:
        """Whether a WebSocket is the way to the client."""
        ...

    def __hash__(self) -> int: ...


class HangWatch:
    """
    Checks the sessions of one server.

    Args:
        how_client_left: Reads what the client of a session has sent, without waiting, and returns how it left; None
            while it is there.
        end: Ends the session of a client that has left in this way; called in a thread of its own.

    Attributes:
        left_clients: The sessions whose clients have left while a message was handled: since when, and how.
        is_running: Whether another check follows. If not, a thread that handles a message calls :meth:`start`.
    """

    def __init__(
        self,
        server: Any,
        how_client_left: Callable[[Any], Exception | None],
        end: Callable[[Any, Exception], None],
    ) -> None:
        self.timer_key = NEVER
        self.left_clients: dict[Session, tuple[float, Exception]] = {}
        self.is_running = False
        self._server = server
        self._how_client_left = how_client_left
        self._end = end
        self._quiet_checks = 0
        #: The sessions that handled a message at the last check, and how many they had handled by then.
        self._handling: dict[Session, int] = {}

    def start(self) -> None:
        """Begin to check. If no thread can be started, clients that leave are noticed by their missing heartbeat."""
        self.is_running, self._quiet_checks = True, 0
        try:
            self._server.deadlines.set(self, CHECK_INTERVAL_S)
        except RuntimeError:
            self.is_running = False
            self._server.logger.warning("no thread could be started to notice clients that leave", exc_info=True)

    def on_shutdown(self) -> None:
        """Check no more."""
        self.is_running = False

    def on_deadline(self) -> None:
        """Check all sessions, and check again later unless no message was handled for a while."""
        self._quiet_checks = 0 if self._check_sessions() else self._quiet_checks + 1
        if self._quiet_checks >= QUIET_CHECKS:
            # Set before the sessions are read: a thread that begins to handle a message afterwards sees it.
            self.is_running = False
            if not any(map(_handles, list(self._server.sockets.values()))):
                return
            self.is_running, self._quiet_checks = True, 0
        self._server.deadlines.set(self, CHECK_INTERVAL_S)

    def _check_sessions(self) -> bool:
        """Check all sessions; return whether one of them handles a message or has lost its client."""
        before, now = self._handling, self._server.clock()
        self._handling = {
            session: session.progress for session in list(self._server.sockets.values()) if _handles(session)
        }
        for session, progress in self._handling.items():
            if session not in self.left_clients and before.get(session) == progress:
                self._check_session(session, now)
        for session, (since, error) in list(self.left_clients.items()):
            if session.closing:
                del self.left_clients[session]
            elif now - since >= self._server.handler_grace and session.handling:
                del self.left_clients[session]
                self._server.start_background_task(self._end, session, error)
        return bool(self._handling or self.left_clients)

    def _check_session(self, session: Session, now: float) -> None:
        try:
            error = self._how_client_left(session)
        except Exception:
            self._server.logger.exception("a client whose message takes long could not be checked")
            return
        if error is not None:
            self.left_clients[session] = (now, error)


def _handles(session: Session) -> bool:
    """Tell whether a message that came over a WebSocket is handled."""
    return session.handling and not session.closing and session.is_attached

"""
Notices clients that leave while the thread that reads them handles a message.

Each WebSocket is read by one thread, which runs the message handler too, so nobody reads while a handler takes long.
One thread, or greenlet, looks now and then at all sessions whose handler does, and reads what has arrived for them: a
pong counts then, and after the end of the connection the handler has ``handler_grace`` seconds before the session ends.
It runs while messages are handled.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.sync.engine.websocket import departure_of, note_departure

if TYPE_CHECKING:
    from fastsio.sync.engine.session import Session

#: Seconds between two looks. A message that is handled at both of them takes long.
LOOK_S: Final = 0.2
#: After so many looks at which no message was handled the thread ends; the next message starts it again.
QUIET_LOOKS: Final = 10


class HangWatch:
    """
    Looks at the sessions of one server.

    Args:
        server: The server.

    Attributes:
        departed: The sessions whose clients have left while a message was handled: since when, and how.
        is_running: Whether the thread runs. A thread that handles a message calls :meth:`start` if it does not.
    """

    def __init__(self, server: Any) -> None:
        self.departed: dict[Session, tuple[float, Exception]] = {}
        self.is_running = False
        self._server = server
        self._lock = threading.Lock()
        self._wake: Any = None
        #: The sessions that handled a message at the last look, and how many they had handled by then.
        self._handling: dict[Session, int] = {}

    def start(self) -> None:
        """Start the thread. Where the system has none, clients that leave are noticed with their heartbeat."""
        with self._lock:
            if self.is_running:
                return
            self.is_running = True
        try:
            self._wake = self._server.create_event()
            self._server.start_background_task(self._run)
        except RuntimeError:
            self.is_running = False
            self._server.logger.warning("no thread could be started to notice clients that leave", exc_info=True)

    def stop(self) -> None:
        """Let the thread end."""
        wake = self._wake
        if wake is not None:
            wake.set()

    def _run(self) -> None:
        wake, quiet_looks = self._wake, 0
        while True:
            wake.wait(LOOK_S)
            is_stopped = wake.is_set()
            quiet_looks = 0 if self._look() else quiet_looks + 1
            if is_stopped or quiet_looks >= QUIET_LOOKS:
                # In this order: a thread that begins to handle a message afterwards sees it.
                self.is_running = False
                if is_stopped or not any(map(_handles, list(self._server.sockets.values()))):
                    return
                self.is_running, quiet_looks = True, 0

    def _look(self) -> bool:
        """Look at all sessions; tell whether there was anything to see."""
        before, now = self._handling, monotonic()
        self._handling = {
            session: session.progress for session in list(self._server.sockets.values()) if _handles(session)
        }
        for session, progress in self._handling.items():
            if session not in self.departed and before.get(session) == progress:
                self._look_at(session, now)
        for session, (since, error) in list(self.departed.items()):
            if session.closing:
                del self.departed[session]
            elif now - since >= self._server.handler_grace and session.handling:
                del self.departed[session]
                self._server.start_background_task(_end, session, error)
        return bool(self._handling or self.departed)

    def _look_at(self, session: Session, now: float) -> None:
        try:
            error = departure_of(session)
        except Exception:
            self._server.logger.exception("a client whose message takes long could not be looked at")
            return
        if error is not None:
            self.departed[session] = (now, error)


def _handles(session: Session) -> bool:
    """Tell whether a message that came over a WebSocket is handled."""
    return session.handling and not session.closing and session.is_attached


def _end(session: Session, error: Exception) -> None:
    """End the session of a client that has left; its handler runs to its end, and finds out."""
    session.finish(note_departure(session, error), abort=True)

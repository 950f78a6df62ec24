# Written by tools/unasync.py from aio/engine/host.py; change that one.
"""
The server as its sessions and their transports know it: its tasks, and the handlers of the application.

The requests are in :mod:`.server`.
"""

from __future__ import annotations

from binascii import b2a_base64
from os import urandom
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.engine.server_base import ServerBase

if TYPE_CHECKING:
    from fastsio.engine.hang_watch import HangWatch
    from fastsio.engine.session import SessionState


#: The bytes of a session's id: 120 bits, which base64 writes in 20 characters without padding.
RANDOM_BYTES: Final = 15
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Host(ServerBase):
    """The base of the Engine.IO server, with what its sessions use."""

    clock = staticmethod(monotonic)
    hang_watch: HangWatch

    def generate_id(self) -> str:
        """Return the id of a new session: 20 random characters that need no escapes in URLs."""
        return b2a_base64(urandom(RANDOM_BYTES), newline=False).translate(_URL_SAFE).decode("ascii")

    def sleep(self, seconds: float = 0) -> None:
        """Wait; other tasks, threads or greenlets run meanwhile."""
        self._background.sleep(seconds)

    def run_connect(self, sid: str, environ: dict[str, Any]) -> Any:
        """Ask the application to accept a client; an error in its handler refuses it."""
        handler = self.handlers.get("connect")
        if handler is None:
            return None
        try:
            return handler(sid, environ)
        except Exception:
            self.logger.exception("connect handler error")
            return False

    def run_message(self, session: SessionState, data: str | bytes) -> None:
        """Give the application a message that came in a POST."""
        on_message, key = session.message_handler()
        try:
            on_message(key, data)
        except Exception:
            self.logger.exception("message handler error")

    def run_disconnect(self, sid: str, reason: str) -> None:
        """Tell the application that a client is gone."""
        handler = self.handlers.get("disconnect")
        if handler is None:
            return
        try:
            handler(sid, reason)
        except Exception:
            self.logger.exception("disconnect handler error")

"""
The server as its sessions and their transports know it: its tasks, and the handlers of the application.

The requests are in :mod:`.server`.
"""

from __future__ import annotations

import asyncio
from binascii import b2a_base64
from os import urandom
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

# Only asyncio:
from fastsio.aio.engine.bodies import Watch, start_watches

# Both:
from fastsio.aio.engine.read_ahead import AHEAD_AFTER_S
from fastsio.aio.engine.timers import Deadlines
from fastsio.engine.server_base import ServerBase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from fastsio.engine.session import SessionState

    # Only threads:
    # | from fastsio.engine.hang_watch import HangWatch
    # |
    # Both:

#: The bytes of a session's id: 120 bits, which base64 writes in 20 characters without padding.
RANDOM_BYTES: Final = 15
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Host(ServerBase):
    """The base of the Engine.IO server, with what its sessions use."""

    clock = staticmethod(monotonic)
    # Only asyncio:
    #: The driver of the web framework.
    _async: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        #: Handlers that run no application code of events themselves: they may be stepped outside of a task.
        self.stepped_handlers: frozenset[Callable[..., Any]] = frozenset()
        #: How long a message is handled before more is read; a pong must be found in time.
        self.ahead_after = min(AHEAD_AFTER_S, self.ping_timeout / 4)
        #: The requests that were not answered at once; after ``ahead_after`` their clients are watched.
        self.watches: Deadlines[Watch] = Deadlines(start_watches)
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def wait_disconnected(self) -> Callable[[dict[str, Any]], Awaitable[None]] | None:
        """Waits until the client of a request has gone; None where the framework cancels the request instead."""
        return self._async.get("wait_disconnected")

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in a task that is kept alive until it is done."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Only threads:
    # | hang_watch: HangWatch
    # |
    # Both:
    def generate_id(self) -> str:
        """Return the id of a new session: 20 random characters that need no escapes in URLs."""
        return b2a_base64(urandom(RANDOM_BYTES), newline=False).translate(_URL_SAFE).decode("ascii")

    async def sleep(self, seconds: float = 0) -> None:
        """Wait; other tasks, threads or greenlets run meanwhile."""
        await self._background.sleep(seconds)

    async def run_connect(self, sid: str, environ: dict[str, Any]) -> Any:
        """Ask the application to accept a client; an error in its handler refuses it."""
        handler = self.handlers.get("connect")
        if handler is None:
            return None
        try:
            return await handler(sid, environ)
        except Exception:
            self.logger.exception("connect handler error")
            return False

    async def run_message(self, session: SessionState, data: str | bytes) -> None:
        """Give the application a message that came in a POST."""
        on_message, key = session.message_handler()
        try:
            # Only asyncio:
            waiting = on_message(key, data)
            if waiting is not None:
                await waiting
            # Only threads:
            # | on_message(key, data)
            # Both:
        except Exception:
            self.logger.exception("message handler error")

    async def run_disconnect(self, sid: str, reason: str) -> None:
        """Tell the application that a client is gone."""
        handler = self.handlers.get("disconnect")
        if handler is None:
            return
        try:
            await handler(sid, reason)
        except Exception:
            self.logger.exception("disconnect handler error")

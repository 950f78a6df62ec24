# Written by tools/unasync.py from aio/engine/host.py; change that one.
"""What the sessions of an Engine.IO server, and their transports, need of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fastsio.engine.session import SessionHost

if TYPE_CHECKING:
    from collections.abc import Callable


class Host(SessionHost, Protocol):
    """The members of its server that a session and its transports use; the options are those of ``ServerBase``."""

    body_timeout: float
    upgrade_timeout: float
    handler_grace: float
    close_grace: float
    async_mode: str
    hang_watch: Any

    def create_event(self) -> Any:
        """Return an event that threads wait for."""

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a function in a thread."""

    @property
    def packets_per_payload(self) -> int:
        """How many packets of one POST are handled before other clients have a turn."""
        ...

    def sleep(self, seconds: float = 0) -> None:
        """Wait; other tasks, threads or greenlets run meanwhile."""

    def run_message(self, session: Any, data: str | bytes) -> None:
        """Give the application a message that came in a POST."""

    def run_disconnect(self, sid: str, reason: str) -> None:
        """Tell the application that a client is gone."""

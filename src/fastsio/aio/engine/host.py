"""What the sessions of an Engine.IO server, and their transports, need of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fastsio.engine.session import SessionHost

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine

    # Only asyncio:
    from fastsio.aio.engine.bodies import Watch
    from fastsio.aio.engine.timers import Deadlines
    # Both:


class Host(SessionHost, Protocol):
    """The members of its server that a session and its transports use; the options are those of ``ServerBase``."""

    body_timeout: float
    upgrade_timeout: float
    handler_grace: float
    close_grace: float
    # Only asyncio:
    stepped_handlers: frozenset[Callable[..., Any]]
    ahead_after: float
    watches: Deadlines[Watch]

    @property
    def wait_disconnected(self) -> Callable[[dict[str, Any]], Awaitable[None]] | None:
        """Waits until the client of a request has gone."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in a task that is kept alive until it is done."""
        ...

    # Only threads:
    # | async_mode: str
    # | hang_watch: Any
    # |
    # | def create_event(self) -> Any:
    # |     """Return an event that threads wait for."""
    # |
    # | def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    # |     """Run a function in a thread."""
    # |
    # Both:
    @property
    def packets_per_payload(self) -> int:
        """How many packets of one POST are handled before other clients have a turn."""
        ...

    async def sleep(self, seconds: float = 0) -> None:
        """Wait; other tasks, threads or greenlets run meanwhile."""

    async def run_message(self, session: Any, data: str | bytes) -> None:
        """Give the application a message that came in a POST."""

    async def run_disconnect(self, sid: str, reason: str) -> None:
        """Tell the application that a client is gone."""

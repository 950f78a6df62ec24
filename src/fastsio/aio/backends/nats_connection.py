"""One connection to NATS. It does not reconnect: its user does, which knows what was lost meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

#: The URLs that nats-py takes.
SCHEMES: Final = ("nats", "tls", "ws", "wss")
CONNECT_TIMEOUT_S: Final = 2
#: Two pings without an answer end the connection: a server that vanished is noticed within half a minute.
PING_INTERVAL_S: Final = 10


async def connect_once(
    nats: Any, servers: str | Sequence[str], on_end: Callable[[], Awaitable[None]] | None = None
) -> Any:
    """
    Connect, without trying again now or later.

    Args:
        nats: The module nats-py.
        servers: Where, one URL or those of one cluster.
        on_end: Called when the connection is over.

    Raises:
        ConnectionError: No server can be reached; the builtin one, with the last reason.
    """
    errors: list[Exception] = []

    async def note(error: Exception) -> None:
        errors.append(error)

    try:
        return await nats.connect(
            servers,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=CONNECT_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            error_cb=note,
            closed_cb=on_end,
        )
    except nats.errors.NoServersError as error:
        raise ConnectionError(f"NATS cannot be reached: {errors[-1] if errors else error}") from error

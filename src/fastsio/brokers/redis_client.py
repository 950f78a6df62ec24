"""Clients of redis and valkey, for asyncio and for threads; the two packages have the same API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio._extras import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastsio.cluster.redis_urls import RedisTarget


def new_client(
    target: RedisTarget, options: Mapping[str, Any], *, timeout_s: float, is_async: bool, waits_s: float = 0.0
) -> Any:
    """
    Return a client, which connects when it is used and never tries again by itself.

    Args:
        target: What to connect to.
        options: Keyword arguments for ``Redis.from_url()``, or for ``Sentinel()``; they come before the defaults.
        timeout_s: Seconds that connecting, or an answer, may take.
        is_async: Whether the client is one for asyncio.
        waits_s: Seconds for which commands of this client make the server wait, beyond ``socket_timeout``.

    Raises:
        MissingExtraError: The package is not installed.
    """
    module = f"{target.package}.asyncio" if is_async else target.package
    no_backoff = require(f"{target.package}.backoff", "redis").NoBackoff()
    arguments = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        # Managers and layers try again by themselves, in their own way.
        "retry": require(f"{module}.retry", "redis").Retry(no_backoff, 0),
        **dict(target.credentials),
        **options,
        # MessagePack is no text.
        "decode_responses": False,
    }
    if arguments["socket_timeout"] is not None:
        arguments["socket_timeout"] += waits_s
    package = require(module, "redis")
    if target.sentinels:
        return package.Sentinel(list(target.sentinels), **arguments).master_for(target.service)
    return package.from_url(target.url, **arguments)


def parts_of(client: Any) -> list[Any]:
    """Return what has to be closed with a client: itself, and the clients of the sentinels that it asks."""
    sentinels = getattr(client.connection_pool, "sentinel_manager", None)
    return [client, *(() if sentinels is None else sentinels.sentinels)]

"""Redis and Valkey for asyncio: what client managers and channel layers both do with a client."""

from __future__ import annotations

from typing import Any

from fastsio.brokers.redis_client import parts_of


async def close_client(client: Any) -> None:
    """Close the connections of a client, those to the sentinels that it asked included."""
    for part in parts_of(client):
        await part.aclose()


async def next_message(pubsub: Any, silence_s: float) -> dict[str, Any]:
    """
    Return the next message of a subscription.

    Args:
        pubsub: The subscription.
        silence_s: Seconds without a message after which the server is sent a ping, and within which it must answer.

    Raises:
        ConnectionError: The server does not answer.
    """
    message = await pubsub.get_message(timeout=silence_s)
    if message is None:
        await pubsub.ping()
        message = await pubsub.get_message(timeout=silence_s)
    if message is None:
        raise ConnectionError("the server does not answer")
    return message  # type: ignore[no-any-return] # redis and valkey give dicts

"""
The packet log of ``engineio_logger=True``, put around a session's callables when it begins.

So a session that is not traced pays nothing for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.engine.log_format import label, shown, shown_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from logging import Logger

    from fastsio.aio.engine.links import Event, Send

    MessageHandler = Callable[[Any, str | bytes], Awaitable[Any] | None]


def trace_messages(on_message: MessageHandler, sid: str, logger: Logger) -> MessageHandler:
    """Log each message of a session before it is handled."""

    def traced(key: Any, data: str | bytes) -> Awaitable[Any] | None:
        logger.info("%s: Received packet MESSAGE data %s", label(sid), shown_message(data, from_server=False))
        return on_message(key, data)

    return traced


def trace_frames(send: Send, sid: str, logger: Logger) -> Send:
    """Log each frame before it is written."""

    async def traced(event: Event) -> None:
        if event["type"] == "websocket.send":
            logger.info("%s: Sending packet %s", label(sid), shown(event.get("text"), from_server=True))
        await send(event)

    return traced

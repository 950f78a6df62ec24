"""
One end of an open WebSocket, whatever the web framework calls it: ``receive`` and ``send`` of ASGI events.

They are plain callables, so that an ASGI server's own are used without a layer in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

Event: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Coroutine[Any, Any, None]]


class Link:
    """
    An accepted WebSocket.

    Args:
        receive: Waits for the next event.
        send: Writes an event.
    """

    __slots__ = ("receive", "send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self.receive = receive
        self.send = send

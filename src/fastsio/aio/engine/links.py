"""
One end of an open WebSocket, whatever the web framework calls it: ``receive`` and ``send`` of ASGI events.

Both are attributes, not methods, so that an ASGI server's own callables are used without a layer in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeAlias

Event: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Coroutine[Any, Any, None]]


class Link(Protocol):
    """An accepted WebSocket."""

    @property
    def receive(self) -> Receive:
        """Wait for the next event."""
        ...

    @property
    def send(self) -> Send:
        """Write an event."""
        ...


class AsgiLink:
    """
    The WebSocket of an ASGI server.

    Args:
        receive: The application's ``receive``.
        send: The application's ``send``.
    """

    __slots__ = ("receive", "send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self.receive = receive
        self.send = send


class FrameworkLink:
    """
    The WebSocket of an engineio driver (aiohttp, Tornado, Sanic), spoken to in ASGI events.

    Args:
        websocket: The driver's object: coroutines ``wait()``, ``send(data)`` and ``close()``.
    """

    __slots__ = ("_websocket",)

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket

    async def receive(self) -> Event:
        """Wait for the next frame; a closed socket is a ``websocket.disconnect``."""
        try:
            data = await self._websocket.wait()
        except Exception:  # noqa: BLE001 - each framework has its own way to say that the peer is gone
            return {"type": "websocket.disconnect"}
        return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}

    async def send(self, event: Event) -> None:
        """Write a frame, or close."""
        if event["type"] == "websocket.close":
            await self._websocket.close()
        else:
            text = event.get("text")
            await self._websocket.send(event["bytes"] if text is None else text)

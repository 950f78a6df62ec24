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


def framework_link(websocket: Any) -> Link:
    """
    Speak ASGI events to the WebSocket of an engineio driver (aiohttp, Tornado, Sanic).

    Args:
        websocket: The driver's object: coroutines ``wait()``, ``send(data)`` and ``close()``.
    """

    async def receive() -> Event:
        try:
            data = await websocket.wait()
        except Exception:  # noqa: BLE001 - each framework has its own way to say that the peer is gone
            return {"type": "websocket.disconnect"}
        return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}

    async def send(event: Event) -> None:
        if event["type"] == "websocket.close":
            await websocket.close()
        else:
            text = event.get("text")
            await websocket.send(event["bytes"] if text is None else text)

    return Link(receive, send)

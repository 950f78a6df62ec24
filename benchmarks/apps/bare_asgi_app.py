"""
The floor: the workload's wire traffic in one ASGI function, without a Socket.IO server.

No packet is parsed beyond its event name, nothing is checked, nobody is pinged: no Socket.IO server under the same
uvicorn can be faster.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

OPEN = '0{"sid":"%d","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
CAST = '42["cast",'

numbers = count(1)
clients: dict[int, Send] = {}


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve one connection."""
    if scope["type"] == "websocket":
        await serve(receive, send)


async def serve(receive: Receive, send: Send) -> None:
    """Accept one client and answer what it sends until it leaves."""
    await receive()
    await send({"type": "websocket.accept"})
    number = next(numbers)
    await send({"type": "websocket.send", "text": OPEN % number})
    try:
        while (message := await receive())["type"] == "websocket.receive":
            await answer(message["text"], number, send)
    finally:
        clients.pop(number, None)


async def answer(packet: str, number: int, send: Send) -> None:
    """Answer one packet of one client."""
    if packet == "40":
        clients[number] = send
        await send({"type": "websocket.send", "text": f'40{{"sid":"{number}"}}'})
    elif packet.startswith(CAST):
        news = {"type": "websocket.send", "text": '42["news",' + packet[len(CAST) :]}
        for deliver in list(clients.values()):
            await deliver(news)
    elif packet.endswith('["count"]'):
        await send({"type": "websocket.send", "text": f"43{packet[2:-9]}[{len(clients)}]"})
    else:
        ack_id, _, event = packet[2:].partition("[")
        await send({"type": "websocket.send", "text": f"43{ack_id}[{event.partition(',')[2]}"})

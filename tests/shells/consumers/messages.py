"""Messages of the tests, and consumers that send them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from fastsio.consumers import AsyncJsonWebsocketConsumer, event_handler, ws_handler
from fastsio.messages import BaseMessage, PingMessage, PongMessage


class Text(BaseModel):
    text: str
    sent_at: int = 0


class Say(BaseMessage):
    action: Literal["say"] = "say"
    payload: Text


class Said(BaseMessage):
    action: Literal["said"] = "said"
    payload: Any


def say(text: str, **fields: Any) -> dict[str, Any]:
    """Return the frame of a client that says something."""
    return {"action": "say", "payload": {"text": text}, **fields}


class Pinged(AsyncJsonWebsocketConsumer):
    @ws_handler
    async def ping(self, _message: PingMessage) -> PongMessage:
        return PongMessage()


class Told(AsyncJsonWebsocketConsumer):
    channel_layer_alias = "chat"
    groups = ["all"]

    @event_handler
    async def said(self, event: Said) -> Said:
        return event

    @ws_handler(output_type=Said)
    async def say(self, message: Say) -> Any:
        return {
            "dict": {"payload": "made of a dict"},
            "wrong dict": {"payload": 1, "action": "other"},
            "number": 7,
            "message": message,
        }[message.payload.text]

"""Messages of the tests."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from fastsio.messages import BaseMessage


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

"""Messages that many consumers take."""

from __future__ import annotations

from typing import Literal

from fastsio.messages.base import BaseMessage


class PingMessage(BaseMessage):
    """A client asks whether the consumer is there; see :class:`~fastsio.messages.PongMessage`."""

    action: Literal["ping"] = "ping"
    payload: None = None

"""Typed messages of WebSocket consumers, and those that consumers themselves send."""

from __future__ import annotations

from fastsio.messages.base import BaseMessage
from fastsio.messages.incoming import PingMessage
from fastsio.messages.outgoing import (
    EVENT_ACTION_COMPLETE,
    GROUP_ACTION_COMPLETE,
    MESSAGE_ACTION_COMPLETE,
    AuthenticationMessage,
    AuthenticationPayload,
    CompleteMessage,
    ErrorMessage,
    ErrorPayload,
    EventCompleteMessage,
    GroupCompleteMessage,
    PongMessage,
)
from fastsio.messages.rooms import (
    RoomName,
    RoomRequest,
    SubscribedMessage,
    SubscribeMessage,
    UnsubscribedMessage,
    UnsubscribeMessage,
)

__all__ = [
    "EVENT_ACTION_COMPLETE",
    "GROUP_ACTION_COMPLETE",
    "MESSAGE_ACTION_COMPLETE",
    "AuthenticationMessage",
    "AuthenticationPayload",
    "BaseMessage",
    "CompleteMessage",
    "ErrorMessage",
    "ErrorPayload",
    "EventCompleteMessage",
    "GroupCompleteMessage",
    "PingMessage",
    "PongMessage",
    "RoomName",
    "RoomRequest",
    "SubscribeMessage",
    "SubscribedMessage",
    "UnsubscribeMessage",
    "UnsubscribedMessage",
]

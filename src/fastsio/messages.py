"""Typed messages of WebSocket consumers, and those that consumers themselves send."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, create_model

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

SUBSCRIBE: Final = "subscribe"
UNSUBSCRIBE: Final = "unsubscribe"
SUBSCRIBED: Final = "subscribed"
UNSUBSCRIBED: Final = "unsubscribed"

#: The action of what a consumer with ``send_completion`` sends once a client's message has been handled,
MESSAGE_ACTION_COMPLETE: Final = "complete"
#: ... once it has passed on what was broadcast to a group,
GROUP_ACTION_COMPLETE: Final = "group_complete"
#: ... and once an event of the channel layer has been handled.
EVENT_ACTION_COMPLETE: Final = "event_complete"


class BaseMessage(BaseModel):
    """
    A message between a client and a consumer, or an event for consumers.

    A subclass has a field that tells it from the others, ``action`` unless the consumer names another, annotated with
    the ``Literal`` it always holds; by custom a ``payload``; and whatever else it needs::

        class ChatMessage(BaseMessage):
            action: Literal["chat"] = "chat"
            payload: ChatPayload
    """

    if TYPE_CHECKING:  # what every message of the default form has; a consumer may tell its messages apart otherwise
        action: Any
        payload: Any


class PingMessage(BaseMessage):
    """A client asks whether the consumer is there; see :class:`~fastsio.messages.PongMessage`."""

    action: Literal["ping"] = "ping"
    payload: None = None


class PongMessage(BaseMessage):
    """The answer to a ping."""

    action: Literal["pong"] = "pong"
    payload: None = None


class ErrorPayload(BaseModel):
    """
    The error object, the same as in Socket.IO's acknowledgements.

    Args:
        type: ``validation_error``, ``unauthorized``, ``forbidden``, ``not_found``, ``rate_limited``, ``internal`` or
            a word of the application.
        event: The action that failed; empty when the frame could not be read.
        msg: One sentence for people.
        detail: For validation errors a list of ``{loc, msg, type}``.
    """

    type: str
    event: str
    msg: str
    detail: Any = None


class ErrorMessage(BaseMessage):
    """A frame could not be read, or its handler failed; the connection lives on."""

    action: Literal["error"] = "error"
    payload: Any = None


class AuthenticationPayload(BaseModel):
    """
    What came of an authentication.

    Args:
        status_code: As in HTTP: 200, 401, 403.
        status_text: The same in words.
        data: What else the client is to know.
    """

    status_code: int
    status_text: str
    data: Any = None


class AuthenticationMessage(BaseMessage):
    """For authenticators that tell the client what they found."""

    action: Literal["authentication"] = "authentication"
    payload: AuthenticationPayload


class CompleteMessage(BaseMessage):
    """A client's message has been handled; sent by consumers with ``send_completion``."""

    action: Literal["complete"] = MESSAGE_ACTION_COMPLETE
    payload: None = None


class GroupCompleteMessage(BaseMessage):
    """What was broadcast to a group has been passed on; sent by consumers with ``send_completion``."""

    action: Literal["group_complete"] = GROUP_ACTION_COMPLETE
    payload: None = None


class EventCompleteMessage(BaseMessage):
    """An event of the channel layer has been handled; sent by consumers with ``send_completion``."""

    action: Literal["event_complete"] = EVENT_ACTION_COMPLETE
    payload: None = None


class RoomRequest(BaseModel):
    """
    Which room is meant.

    Args:
        room: The key of its class, ``chat`` for ``ChatRoom``.
        data: What the hooks of the class read, as from the event ``join_chat``.
    """

    room: str
    data: Any = None


class RoomName(BaseModel):
    """
    The room that was entered or left.

    Args:
        room: Its name, ``chat|5`` for ``ChatRoom(5)``.
    """

    room: str


class SubscribeMessage(BaseMessage):
    """A client asks to be let into a room."""

    action: Literal["subscribe"] = SUBSCRIBE
    payload: RoomRequest


class UnsubscribeMessage(BaseMessage):
    """A client leaves a room."""

    action: Literal["unsubscribe"] = UNSUBSCRIBE
    payload: RoomRequest


class SubscribedMessage(BaseMessage):
    """A client is in a room from now on."""

    action: Literal["subscribed"] = SUBSCRIBED
    payload: RoomName


class UnsubscribedMessage(BaseMessage):
    """A client is in a room no longer."""

    action: Literal["unsubscribed"] = UNSUBSCRIBED
    payload: RoomName


@lru_cache(maxsize=64)
def told_by(field: str, model: type[BaseMessage]) -> type[BaseMessage]:
    """Return a message class that is told by another field than ``action``, or the class itself."""
    if field == "action":
        return model
    action, payload = model.model_fields["action"], model.model_fields["payload"]
    fields: dict[str, Any] = {field: (action.annotation, action.default), "payload": (payload.annotation, ...)}
    return create_model(model.__name__, __base__=BaseMessage, __doc__=model.__doc__, **fields)

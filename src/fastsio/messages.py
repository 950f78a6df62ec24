"""The base class for typed messages of WebSocket consumers, and the messages that consumers themselves send."""

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
    "SubscribedRoom",
    "UnsubscribeMessage",
    "UnsubscribedMessage",
]

SUBSCRIBE: Final = "subscribe"
UNSUBSCRIBE: Final = "unsubscribe"
SUBSCRIBED: Final = "subscribed"
UNSUBSCRIBED: Final = "unsubscribed"

#: The action of the message that a consumer with ``send_completion`` sends when a client's message has been handled,
MESSAGE_ACTION_COMPLETE: Final = "complete"
#: ... when it has passed on a broadcast to a group,
GROUP_ACTION_COMPLETE: Final = "group_complete"
#: ... and when an event of the channel layer has been handled.
EVENT_ACTION_COMPLETE: Final = "event_complete"


class BaseMessage(BaseModel):
    """
    A message between a client and a consumer, or an event for consumers.

    A subclass has a field that tells it from other messages, ``action`` unless the consumer names another, with a
    ``Literal`` as its type; by convention a ``payload``; and any other fields::

        class ChatMessage(BaseMessage):
            action: Literal["chat"] = "chat"
            payload: ChatPayload
    """

    if TYPE_CHECKING:  # the fields of the default form; a consumer may tell its messages apart by another field
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
    The result of an authentication.

    Args:
        status_code: As in HTTP: 200, 401, 403.
        status_text: The same in words.
        data: Further data for the client.
    """

    status_code: int
    status_text: str
    data: Any = None


class AuthenticationMessage(BaseMessage):
    """The message of an authenticator that tells the client the result."""

    action: Literal["authentication"] = "authentication"
    payload: AuthenticationPayload


class CompleteMessage(BaseMessage):
    """A client's message has been handled; sent by consumers with ``send_completion``."""

    action: Literal["complete"] = MESSAGE_ACTION_COMPLETE
    payload: None = None


class GroupCompleteMessage(BaseMessage):
    """A broadcast to a group has been passed on; sent by consumers with ``send_completion``."""

    action: Literal["group_complete"] = GROUP_ACTION_COMPLETE
    payload: None = None


class EventCompleteMessage(BaseMessage):
    """An event of the channel layer has been handled; sent by consumers with ``send_completion``."""

    action: Literal["event_complete"] = EVENT_ACTION_COMPLETE
    payload: None = None


class RoomRequest(BaseModel):
    """
    The room that a client asks for.

    Args:
        room: The key of its class, ``chat`` for ``ChatRoom``.
        data: The payload for the hooks of the class, as of the event ``join_chat``.
        since: In a room with a history, the offset of the last event that the client has had; null or an empty text
            for everything that is kept. Without it, nothing that was missed is sent.
        epoch: The epoch of that offset.
    """

    room: str
    data: Any = None
    since: str | None = None
    epoch: str | None = None


class RoomName(BaseModel):
    """
    The room that was entered or left.

    Args:
        room: Its name, ``chat|5`` for ``ChatRoom(5)``.
    """

    room: str


class SubscribedRoom(RoomName):
    """
    The room that was entered, and where its history stands; without a history, the room alone.

    Args:
        epoch: The epoch of the room.
        offset: The offset of the newest event, which was sent before.
        complete: Whether the client has got every event after ``since``.
    """

    epoch: str | None = None
    offset: str | None = None
    complete: bool | None = None


class SubscribeMessage(BaseMessage):
    """A client asks to join a room."""

    action: Literal["subscribe"] = SUBSCRIBE
    payload: RoomRequest


class UnsubscribeMessage(BaseMessage):
    """A client leaves a room."""

    action: Literal["unsubscribe"] = UNSUBSCRIBE
    payload: RoomRequest


class SubscribedMessage(BaseMessage):
    """A client is in a room from now on."""

    action: Literal["subscribed"] = SUBSCRIBED
    payload: SubscribedRoom


class UnsubscribedMessage(BaseMessage):
    """A client is not in a room any more."""

    action: Literal["unsubscribed"] = UNSUBSCRIBED
    payload: RoomName


@lru_cache(maxsize=64)
def with_discriminator(field: str, model: type[BaseMessage]) -> type[BaseMessage]:
    """Return a message class like *model* with *field* in place of ``action``; *model* itself if they are the same."""
    if field == "action":
        return model
    action, payload = model.model_fields["action"], model.model_fields["payload"]
    fields: dict[str, Any] = {field: (action.annotation, action.default), "payload": (payload.annotation, ...)}
    return create_model(model.__name__, __base__=BaseMessage, __doc__=model.__doc__, **fields)

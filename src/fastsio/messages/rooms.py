"""Messages with which clients of a consumer enter and leave rooms, and their confirmations."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal

from pydantic import BaseModel, create_model

from fastsio.messages.base import BaseMessage

SUBSCRIBE: Final = "subscribe"
UNSUBSCRIBE: Final = "unsubscribe"
SUBSCRIBED: Final = "subscribed"
UNSUBSCRIBED: Final = "unsubscribed"


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

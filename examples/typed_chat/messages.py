"""The messages of the room chat."""

from typing import Literal

from pydantic import BaseModel

from fastsio.messages import BaseMessage


class RoomMessagePayload(BaseModel):
    message: str
    room_name: str | None = None


class RoomChatMessage(BaseMessage):
    """A message of a client."""

    action: Literal["room_chat"] = "room_chat"
    payload: RoomMessagePayload


class RoomNotificationMessage(BaseMessage):
    """A message for the clients in a room."""

    action: Literal["room_notification"] = "room_notification"
    payload: RoomMessagePayload

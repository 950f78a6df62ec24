"""The messages of the room chat."""

from typing import Literal

from pydantic import BaseModel

from fastsio.messages import BaseMessage


class RoomMessagePayload(BaseModel):
    message: str


class RoomNotificationPayload(BaseModel):
    """Something that a client said, or a notice of the server."""

    kind: Literal["said", "notice"]
    message: str
    room_name: str


class RoomChatMessage(BaseMessage):
    """A message of a client."""

    action: Literal["room_chat"] = "room_chat"
    payload: RoomMessagePayload


class RoomNotificationMessage(BaseMessage):
    """A message for the clients in a room."""

    action: Literal["room_notification"] = "room_notification"
    payload: RoomNotificationPayload

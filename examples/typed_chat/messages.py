"""The messages of the room chat."""

from typing import Literal

from pydantic import BaseModel

from fastsio.messages import BaseMessage


class RoomMessagePayload(BaseModel):
    message: str
    room_name: str | None = None


class RoomChatMessage(BaseMessage):
    """What a client says."""

    action: Literal["room_chat"] = "room_chat"
    payload: RoomMessagePayload


class RoomNotificationMessage(BaseMessage):
    """What a room hears."""

    action: Literal["room_notification"] = "room_notification"
    payload: RoomMessagePayload

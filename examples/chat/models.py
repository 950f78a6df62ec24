"""The payloads between page and server. One definition validates the input, types the output and documents both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=24)]
RoomName = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=32)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class SignIn(BaseModel):
    """The ``auth`` of the page when it connects."""

    name: Name


class Join(BaseModel):
    room: RoomName


class Draft(BaseModel):
    """A message as the page sends it."""

    text: Text


class Typing(BaseModel):
    active: bool


class User(BaseModel):
    id: str
    name: Name


class Room(BaseModel):
    name: RoomName
    members: list[User]


class Message(BaseModel):
    """A message as the members of the room get it."""

    user: User
    text: Text
    sent_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class OpenRoom(Room):
    """The answer to a join: the room, and what was said last in it."""

    messages: list[Message]

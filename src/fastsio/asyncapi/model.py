"""
What a document says, before it is written: channels, what happens on them, and the messages.

Plain data, so that any kind of server can be described; knows nothing of any.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Direction(Enum):
    """Who sends, as the server sees it. Source: AsyncAPI 3.0, "Operation Object"."""

    RECEIVE = "receive"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class Message:
    """
    What travels.

    Args:
        name: What it is called: the event, or the action.
        model: The class of its content, anything pydantic makes a schema of; None is any JSON.
        camelize: Whether the fields of the class are camelCase on the wire.
    """

    name: str
    model: Any = None
    camelize: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """
    What happens on a channel.

    Args:
        name: What it is called, once in its channel.
        direction: Who sends.
        messages: What is sent.
        replies: What is answered.
        summary: In a line.
        description: At length.
        tags: What it belongs to.
    """

    name: str
    direction: Direction
    messages: tuple[Message, ...]
    replies: tuple[Message, ...] = ()
    summary: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """
    Where clients connect.

    Args:
        name: What it is called, once in the document.
        address: Its path, with parameters in braces; None when that is not known.
        operations: What happens on it.
        description: What it is for.
        tags: What it belongs to.
    """

    name: str
    address: str | None
    operations: tuple[Operation, ...]
    description: str | None = None
    tags: tuple[str, ...] = ()

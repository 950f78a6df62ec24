"""
What a document says, before it is written: channels, what happens on them, and the messages; and its settings.

Plain data, so that any kind of server can be described; knows nothing of any, and serves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from fastsio.exceptions import SetupError


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


@dataclass(slots=True)
class AsyncAPIConfig:
    """
    Settings of the AsyncAPI document of a server.

    Servers take them since programs for fastsio 0.3.6 give them; the document itself is not served yet.

    Args:
        enabled: Whether there is a document.
        url: The path of the document as JSON.
        expose_yaml: Whether it is served as YAML too.
        title: The name of the application.
        version: The version of the application.
        description: A paragraph about the application.
        servers: The servers of the document, by name.
        channel_prefix: What the names of channels begin with.
        ui_url: The path of a page that shows the document; None serves no page.
    """

    enabled: bool = True
    url: str = "/asyncapi.json"
    expose_yaml: bool = True
    title: str = "Socket.IO API"
    version: str = "1.0.0"
    description: str | None = None
    servers: dict[str, Any] = field(default_factory=dict)
    channel_prefix: str = ""
    ui_url: str | None = "/asyncapi"


def asyncapi_config(given: AsyncAPIConfig | dict[str, Any] | None) -> AsyncAPIConfig:
    """
    Return the settings that a server was given.

    Raises:
        SetupError: A dict has a setting that there is not, or they are something else.
    """
    if given is None:
        return AsyncAPIConfig(enabled=False)
    if isinstance(given, AsyncAPIConfig):
        return given
    try:
        return AsyncAPIConfig(**given)
    except TypeError as error:
        raise SetupError(f"asyncapi is {given!r}; give an AsyncAPIConfig, or a dict of its fields") from error

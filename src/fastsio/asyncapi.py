"""
The description of an application's channels, and the AsyncAPI document that is made of it.

The description is plain data and can be made for any kind of server; this module does not know servers or consumers.

Source: AsyncAPI 3.0.0, https://www.asyncapi.com/docs/reference/specification/v3.0.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.alias_generators import to_camel

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["AsyncAPIConfig", "Channel", "Direction", "Message", "Operation", "render"]


class Direction(Enum):
    """Whether the server receives or sends. Source: AsyncAPI 3.0, "Operation Object"."""

    RECEIVE = "receive"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its event or action, its class (None: any JSON), and whether its fields are camelCase on the wire."""

    name: str
    model: Any = None
    camelize: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation, of a name unique in its channel: the messages that are sent, and those that are sent back."""

    name: str
    direction: Direction
    messages: tuple[Message, ...]
    replies: tuple[Message, ...] = ()
    summary: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel, of a name unique in the document; its address is a path, with parameters in braces, if it is known."""

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
        channel_prefix: The beginning of the names of channels.
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
    """Return the settings that a server was given; raise SetupError for an unknown setting, or another object."""
    if given is None:
        return AsyncAPIConfig(enabled=False)
    if isinstance(given, AsyncAPIConfig):
        return given
    try:
        return AsyncAPIConfig(**given)
    except TypeError as error:
        raise SetupError(f"asyncapi is {given!r}; give an AsyncAPIConfig, or a dict of its fields") from error


VERSION: Final = "3.0.0"
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")


def render(
    channels: Iterable[Channel],
    *,
    title: str,
    version: str,
    description: str | None = None,
    servers: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an AsyncAPI document; raise SetupError if two channels, or two operations of one, have the same name."""
    schemas, document = Schemas(), _Document()
    for channel in channels:
        document.add(channel, schemas)
    info = _without_nothing({"title": title, "version": version, "description": description})
    return _without_nothing(
        {
            "asyncapi": VERSION,
            "info": info,
            "servers": dict(servers or {}),
            "channels": document.channels,
            "operations": document.operations,
            "components": {"messages": document.messages, "schemas": dict(sorted(schemas.definitions.items()))},
        }
    )


class _Document:
    def __init__(self) -> None:
        self.channels: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}
        self.messages: dict[str, Any] = {}

    def add(self, channel: Channel, schemas: Schemas) -> None:
        if channel.name in self.channels:
            raise SetupError(f"two channels are called {channel.name!r}; name them with @channel(name=...)")
        ids = _ids_of(each for operation in channel.operations for each in (*operation.messages, *operation.replies))
        for message, message_id in ids.items():
            self.messages[f"{channel.name}.{message_id}"] = {"name": message.name, "payload": schemas.of(message)}
        parameters: dict[str, Any] = {found[1]: {} for found in _PARAMETER.finditer(channel.address or "")}
        self.channels[channel.name] = _without_nothing(
            {
                "address": None if channel.address is None else _PARAMETER.sub(r"{\1}", channel.address),
                "description": channel.description,
                "tags": _tags(channel.tags),
                "parameters": parameters,
                "messages": {each: _ref("components", "messages", f"{channel.name}.{each}") for each in ids.values()},
            }
        )
        for operation in channel.operations:
            self._operation(channel, operation, ids)

    def _operation(self, channel: Channel, operation: Operation, ids: Mapping[Message, str]) -> None:
        name = f"{channel.name}.{operation.name}"
        if name in self.operations:
            raise SetupError(f"two operations of {channel.name!r} are called {operation.name!r}")
        where = _ref("channels", channel.name)
        messages = [_ref("channels", channel.name, "messages", ids[message]) for message in operation.messages]
        replies = [_ref("channels", channel.name, "messages", ids[message]) for message in operation.replies]
        self.operations[name] = _without_nothing(
            {
                "action": operation.direction.value,
                "channel": where,
                "summary": operation.summary,
                "description": operation.description,
                "tags": _tags(operation.tags),
                "messages": messages,
                "reply": {"channel": where, "messages": replies} if replies else None,
            }
        )


def _ids_of(messages: Iterable[Message]) -> dict[Message, str]:
    """Return the id of each message in its channel: its name, and for a further message of that name a number too."""
    ids: dict[Message, str] = {}
    for message in dict.fromkeys(messages):
        names = (message.name if number == 1 else f"{message.name}{number}" for number in count(1))
        ids[message] = next(name for name in names if name not in ids.values())
    return ids


def _ref(*parts: str) -> dict[str, str]:
    """Return a reference to a part of the document. Source: RFC 6901."""
    return {"$ref": "/".join(["#", *(part.replace("~", "~0").replace("/", "~1") for part in parts)])}


def _tags(tags: Iterable[str]) -> list[dict[str, str]]:
    return [{"name": tag} for tag in tags]


def _without_nothing(fields: dict[str, Any]) -> dict[str, Any]:
    """Return *fields* without empty values."""
    return {key: value for key, value in fields.items() if value not in (None, [], {})}


REF: Final = "#/components/schemas/"


class Schemas:
    """Makes schemas, and keeps what they refer to in *definitions*, by name, for the document's components."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}

    def of(self, message: Message) -> dict[str, Any]:
        """Return the schema of a message's content."""
        if message.model is None:
            return {}
        suffix = "Camel" if message.camelize else ""
        # Of two classes of one name, the second gets a number.
        tries = (_schema_of(message, suffix if number == 1 else f"{suffix}{number}") for number in count(1))
        schema, found = next(each for each in tries if self._fits(each[1]))
        self.definitions |= found
        return schema

    def _fits(self, definitions: dict[str, Any]) -> bool:
        """Tell whether none of the definitions has the name of another one."""
        return all(self.definitions.get(name, each) == each for name, each in definitions.items())


def _schema_of(message: Message, suffix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of a message's content, and the definitions that it refers to, by names with *suffix*."""
    template = f"{REF}{{model}}{suffix}"
    schema = TypeAdapter(message.model).json_schema(by_alias=True, ref_template=template, mode="serialization")
    found = schema.pop("$defs", {})
    if isinstance(message.model, type) and "properties" in schema:
        found[message.model.__name__] = schema
        schema = {"$ref": f"{REF}{message.model.__name__}{suffix}"}
    if message.camelize:
        kept = set(_aliases(message.model))
        found = {name: _camelized(each, kept) for name, each in found.items()}
    return schema, {f"{name}{suffix}": each for name, each in found.items()}


def _camelized(schema: dict[str, Any], kept: set[str]) -> dict[str, Any]:
    """Return an object's schema with its fields' names as they are on the wire."""

    def on_wire(name: str) -> str:
        return name if name in kept else to_camel(name)

    if "properties" not in schema:
        return schema
    renamed = {**schema, "properties": {on_wire(name): each for name, each in schema["properties"].items()}}
    if "required" in schema:
        renamed["required"] = [on_wire(name) for name in schema["required"]]
    return renamed


def _aliases(annotation: Any) -> Iterator[str]:
    """Yield the names on the wire that the application has given itself."""
    for model in _models_in(annotation, set()):
        for info in model.model_fields.values():
            alias = info.serialization_alias or info.alias
            if alias is not None:
                yield alias


def _models_in(annotation: Any, seen: set[Any]) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return
        seen.add(annotation)
        yield annotation
        for info in annotation.model_fields.values():
            yield from _models_in(info.annotation, seen)
    for argument in get_args(annotation):
        yield from _models_in(argument, seen)

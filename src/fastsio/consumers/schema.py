"""Consumers as an AsyncAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.asyncapi import Channel, Direction, Message, Operation, render
from fastsio.consumers.base import AsyncConsumer, ConsumerApplication
from fastsio.consumers.decorators import Origin
from fastsio.consumers.routing import WebsocketRouter
from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastsio.consumers.class_reader import ConsumerInfo, HandlerInfo
    from fastsio.messages import BaseMessage


def asyncapi_document(
    *sources: WebsocketRouter | type[AsyncConsumer] | ConsumerApplication,
    title: str,
    version: str,
    description: str | None = None,
    servers: Mapping[str, Any] | None = None,
    prefix: str = "",
) -> dict[str, Any]:
    """
    Describe consumers in an AsyncAPI 3.0 document.

    Args:
        sources: Routers, whose routes give the addresses; or consumer classes, which have none by themselves.
        title: Of the application.
        version: Of the application.
        description: Of the application.
        servers: Name -> AsyncAPI's "Server Object", as a dict with ``host`` and ``protocol``.
        prefix: The path where the routers are mounted, which the addresses begin with.

    Returns:
        The document, JSON-compatible.

    Raises:
        SetupError: A source is neither a router nor a consumer class, or two channels have the same name.
    """
    channels = [channel for source in sources for channel in _channels_of(source, prefix)]
    return render(channels, title=title, version=version, description=description, servers=servers)


def _channels_of(source: Any, prefix: str) -> Iterator[Channel]:
    if isinstance(source, WebsocketRouter):
        for route in source.routes:
            if isinstance(route.application, ConsumerApplication):
                yield channel_of(route.application.consumer_class.describe(), prefix + route.path)
    elif isinstance(source, ConsumerApplication):
        yield channel_of(source.consumer_class.describe(), None)
    elif isinstance(source, type) and issubclass(source, AsyncConsumer):
        yield channel_of(source.describe(), None)
    else:
        raise SetupError(f"{source!r:.100} is no consumer class and no WebsocketRouter")


def channel_of(info: ConsumerInfo, address: str | None) -> Channel:
    """Return the description of a consumer class as a channel of the document."""
    operations = tuple(_operation(info, handler) for handler in info.handlers)
    return Channel(info.channel.name, address, operations, info.channel.description, info.channel.tags)


def _operation(info: ConsumerInfo, handler: HandlerInfo) -> Operation:
    """Return the operation of a handler: one of frames receives and replies, one of the layer's events sends."""
    sent = tuple(Message(_action_of(model, info.discriminator), model, info.camelize) for model in handler.output_types)
    received = tuple(Message(action, model, info.camelize) for action, model in handler.actions)
    described = (handler.summary, handler.description, handler.tags)
    if handler.origin is Origin.CLIENT:
        return Operation(handler.name, Direction.RECEIVE, received, sent, *described)
    return Operation(handler.name, Direction.SEND, sent, (), *described)


def _action_of(model: type[BaseMessage], discriminator: str) -> str:
    field = model.model_fields.get(discriminator)
    default = None if field is None else field.default
    return default if isinstance(default, str) else model.__name__

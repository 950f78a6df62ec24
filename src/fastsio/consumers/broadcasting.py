"""Sending over a consumer class's layer: frames and events, to one connection or to groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.consumers.frames import event_envelope, text_envelope
from fastsio.exceptions import SetupError
from fastsio.layers import get_channel_layer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from fastsio.consumers.websocket import AsyncWebsocketConsumer
    from fastsio.layers import BaseChannelLayer
    from fastsio.messages import BaseMessage


async def send_text(
    layer: BaseChannelLayer,
    text: str,
    groups: Collection[str] | str | None,
    own_groups: Iterable[str],
    exclude: Sequence[str],
    *,
    wait: bool,
) -> None:
    """Send a frame to the clients of groups, once to each."""
    names = _names(groups, own_groups)
    await _send_to_groups(layer, names, text_envelope(text, exclude=exclude, groups=names), wait=wait)


async def send_event(
    consumer: type[AsyncWebsocketConsumer], event: BaseMessage, channel_name: str, *, wait: bool
) -> None:
    """Send an event to one connection."""
    await layer_of(consumer).send(channel_name, _envelope(event), wait=wait)


async def broadcast_event(
    consumer: type[AsyncWebsocketConsumer], event: BaseMessage, groups: Collection[str] | str | None, *, wait: bool
) -> None:
    """Send an event to the connections of groups."""
    names = _names(groups, consumer.groups)
    await _send_to_groups(layer_of(consumer), names, _envelope(event, names), wait=wait)


async def _send_to_groups(
    layer: BaseChannelLayer, groups: Sequence[str], envelope: dict[str, Any], *, wait: bool
) -> None:
    """Send to all groups, then wait for clients that are behind."""
    for group in groups:
        await layer.group_send(group, envelope, wait=False)
    if wait:
        await layer.let_read(groups)


def send_event_sync(consumer: type[AsyncWebsocketConsumer], event: BaseMessage, channel_name: str) -> None:
    """Send an event to one connection, and wait until it is sent."""
    layer_of(consumer).sync.send(channel_name, _envelope(event))


def broadcast_event_sync(
    consumer: type[AsyncWebsocketConsumer], event: BaseMessage, groups: Collection[str] | str | None
) -> None:
    """Send an event to the connections of groups, and wait until it is sent."""
    layer, names = layer_of(consumer).sync, _names(groups, consumer.groups)
    envelope = _envelope(event, names)
    for group in names:
        layer.group_send(group, envelope)


def layer_of(consumer: type[AsyncWebsocketConsumer]) -> BaseChannelLayer:
    """
    Return a class's layer.

    Raises:
        SetupError: It has none.
        LayerNotFoundError: None is registered with its alias.
    """
    alias = consumer.channel_layer_alias
    if alias is None:
        raise SetupError(f"{consumer.__qualname__} has no channel layer; set channel_layer_alias to the alias of one")
    return get_channel_layer(alias)


def _envelope(event: BaseMessage, groups: Sequence[str] = ()) -> dict[str, Any]:
    return event_envelope(event.model_dump(mode="json", by_alias=True), groups=groups)


def _names(groups: Collection[str] | str | None, otherwise: Iterable[str]) -> list[str]:
    """Return the groups, each once."""
    if groups is None:
        groups = list(otherwise)
    return [groups] if isinstance(groups, str) else list(dict.fromkeys(groups))

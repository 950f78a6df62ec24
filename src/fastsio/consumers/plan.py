"""What is known of a consumer class once it has been read, and what its documentation says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastsio.consumers.camel import Keys
    from fastsio.consumers.decorators import ChannelInfo, Origin
    from fastsio.injection import Endpoint
    from fastsio.messages import BaseMessage
    from fastsio.routing.middleware import Call


@dataclass(frozen=True, slots=True)
class HandlerPlan:
    """
    How to call the handler of one action.

    Args:
        label: Its name in messages.
        action: What it handles.
        function: The method, not bound.
        is_coroutine: Whether it is awaited.
        validate: Makes the message of what came; None when there is no message class.
        call: Runs it with its dependencies and middlewares; None when it has none, and is called with the message.
        takes_valid: Whether *call* is given what *validate* made, rather than what came.
        keys: The camelCase of what came.
        returns: The message classes it may return; empty is any.
    """

    label: str
    action: str
    function: Callable[..., Any]
    is_coroutine: bool
    validate: Callable[[Any], Any] | None
    call: Call | None
    takes_valid: bool
    keys: Keys | None
    returns: tuple[type[BaseMessage], ...]


@dataclass(frozen=True, slots=True)
class HookPlan:
    """
    How to call a method of the connection, such as ``connect``, that takes dependencies.

    Args:
        self_name: What its first parameter is called.
        endpoint: The method.
    """

    self_name: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class HandlerInfo:
    """
    What a handler says of itself.

    Args:
        name: The method's name.
        origin: Whether clients or the channel layer send what it takes.
        actions: What it handles: action and message class, None for a plain dict.
        output_types: What it sends: first what it returns, then what else it says.
        summary: What it does, in a line.
        description: What it does, at length.
        tags: What it belongs to.
    """

    name: str
    origin: Origin
    actions: tuple[tuple[str, type[BaseMessage] | None], ...]
    output_types: tuple[type[BaseMessage], ...]
    summary: str | None
    description: str | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsumerInfo:
    """
    What a consumer class says of itself.

    Args:
        channel: Name, description and tags.
        handlers: Its handlers, in the order of their definition.
        discriminator: The field that tells messages apart.
        camelize: Whether its fields are camelCase on the wire.
    """

    channel: ChannelInfo
    handlers: tuple[HandlerInfo, ...]
    discriminator: str
    camelize: bool


@dataclass(frozen=True, slots=True)
class ConsumerPlan:
    """
    A consumer class, read.

    Args:
        actions: What clients may ask for.
        events: The typed events of the channel layer.
        methods: Plain messages of the channel layer, by the method's name.
        failures: Exception class -> what answers for it.
        hooks: Methods of the connection that take dependencies.
        handlers: What the handlers say of themselves.
        unreached: A sentence for each action that a middleware is for and that has no handler.
    """

    actions: Mapping[str, HandlerPlan] = field(default_factory=dict)
    events: Mapping[str, HandlerPlan] = field(default_factory=dict)
    methods: Mapping[str, HandlerPlan] = field(default_factory=dict)
    failures: Mapping[type[BaseException], Endpoint] = field(default_factory=dict)
    hooks: Mapping[str, HookPlan] = field(default_factory=dict)
    handlers: tuple[HandlerInfo, ...] = ()
    unreached: tuple[str, ...] = ()

"""
The decorators of consumers. They mark methods with their arguments; :mod:`class_reader` reads the marks.

A decorated method is the same function as before and can be called like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, overload

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import UnionType

    from fastsio.messages import BaseMessage

    #: One message class, several, or their union.
    MessageTypes: TypeAlias = (
        type[BaseMessage] | UnionType | list[type[BaseMessage]] | tuple[type[BaseMessage], ...] | None
    )

Function = TypeVar("Function", bound=Callable[..., Any])
Class = TypeVar("Class", bound=type)

#: The attribute of a method that has its mark.
MARK: Final = "__fastsio_consumer__"


class Origin(Enum):
    """The sender of the messages that a handler handles."""

    CLIENT = "client"
    LAYER = "layer"


@dataclass(frozen=True, slots=True)
class HandlerMark:
    """The arguments of ``@ws_handler`` or ``@event_handler``, kept on the decorated function."""

    origin: Origin
    action: str | None = None
    input_type: Any = None
    output_type: Any = None
    summary: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FailureMark:
    """The argument of ``@exception_handler``, kept on the decorated function."""

    exception_class: type[BaseException]


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """
    The arguments of ``@channel``, for the description of a consumer.

    Args:
        name: The name of the channel.
        description: A description.
        tags: Tags for the document.
    """

    name: str
    description: str | None = None
    tags: tuple[str, ...] = ()


def channel(
    *, name: str | None = None, description: str | None = None, tags: Iterable[str] | None = None
) -> Callable[[Class], Class]:
    """
    Describe a consumer; kept as ``channel_info`` on the class.

    Args:
        name: The name of the channel; by default that of the class.
        description: A description; by default the class's docstring.
        tags: Tags for the document.
    """

    def describe(consumer: Class) -> Class:
        info = ChannelInfo(name or consumer.__name__, description or own_docstring(consumer), tuple(tags or ()))
        consumer.channel_info = info  # type: ignore[attr-defined] # of AsyncConsumer, which imports this module
        return consumer

    return describe


@overload
def ws_handler(func: Function) -> Function: ...
@overload
def ws_handler(
    func: None = None,
    *,
    action: str | None = None,
    input_type: MessageTypes = None,
    output_type: MessageTypes = None,
    description: str | None = None,
    summary: str | None = None,
    tags: Iterable[str] | None = None,
) -> Callable[[Function], Function]: ...
def ws_handler(
    func: Function | None = None,
    *,
    action: str | None = None,
    input_type: MessageTypes = None,
    output_type: MessageTypes = None,
    description: str | None = None,
    summary: str | None = None,
    tags: Iterable[str] | None = None,
) -> Function | Callable[[Function], Function]:
    """
    Let a method handle one kind of message from clients: that of the class in its parameter's annotation.

    The method may take dependencies too. Its result is sent to the client.

    Args:
        func: The method, if the decorator is written without parentheses.
        action: The action, for a method without a message class.
        input_type: The message class, if it is not that of the annotation.
        output_type: Message classes that it sends beside its result; a result is one of these, or of the return
            annotation.
        description: A longer description; by default its docstring.
        summary: A description of one line.
        tags: Tags for the document.
    """
    marker = HandlerMark(Origin.CLIENT, action, input_type, output_type, summary, description, tuple(tags or ()))
    return _decorator(marker) if func is None else mark(func, marker)


@overload
def event_handler(func: Function) -> Function: ...
@overload
def event_handler(
    func: None = None,
    *,
    input_type: MessageTypes = None,
    output_type: MessageTypes = None,
    description: str | None = None,
    summary: str | None = None,
    tags: Iterable[str] | None = None,
) -> Callable[[Function], Function]: ...
def event_handler(
    func: Function | None = None,
    *,
    input_type: MessageTypes = None,
    output_type: MessageTypes = None,
    description: str | None = None,
    summary: str | None = None,
    tags: Iterable[str] | None = None,
) -> Function | Callable[[Function], Function]:
    """
    Let a method handle messages of the channel layer.

    With a message class, by annotation, it handles events of ``send_event()`` and ``broadcast_event()``; without one it
    handles messages whose ``type`` is the method's name.

    Args:
        func: The method, if the decorator is written without parentheses.
        input_type: The message class, if it is not that of the annotation.
        output_type: Message classes that it sends beside its result.
        description: A longer description; by default its docstring.
        summary: A description of one line.
        tags: Tags for the document.
    """
    marker = HandlerMark(Origin.LAYER, None, input_type, output_type, summary, description, tuple(tags or ()))
    return _decorator(marker) if func is None else mark(func, marker)


def exception_handler(exception_class: type[BaseException]) -> Callable[[Function], Function]:
    """
    Call a method when a handler of the consumer raises *exception_class*; the nearest class in the MRO decides.

    Its result, if it is a message, is sent to the client in place of the error.

    Raises:
        SetupError: It is not an exception class.
    """
    if not (isinstance(exception_class, type) and issubclass(exception_class, BaseException)):
        raise SetupError(f"{exception_class!r} is not an exception class")
    return _decorator(FailureMark(exception_class))


def mark(function: Function, arguments: HandlerMark | FailureMark) -> Function:
    """Store the arguments of a decorator on a method; return the method."""
    if not callable(function):
        raise SetupError(f"{function!r} is no method; put the decorator of a handler right above its 'def'")
    setattr(function, MARK, arguments)
    return function


def own_docstring(consumer: type) -> str | None:
    """Return the class's own docstring, as one paragraph."""
    text = consumer.__dict__.get("__doc__")
    return " ".join(text.split()) if text else None


def _decorator(arguments: HandlerMark | FailureMark) -> Callable[[Function], Function]:
    return lambda function: mark(function, arguments)

"""Reading the arguments of ``emit()`` and its like: event, payload, rooms, callbacks."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from inspect import CO_VARKEYWORDS, iscoroutinefunction
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from fastsio.protocol.limits import is_number
from fastsio.protocol.packet_type import RESERVED_EVENTS, PacketType
from fastsio.state.room_names import NamedRoom, plain_room

if TYPE_CHECKING:
    from fastsio.protocol import Packet

EVERYBODY: Final[tuple[Hashable, ...]] = (None,)


def check_event_name(event: Any) -> None:
    """
    Make sure that a client can receive an event of this name.

    Raises:
        ValueError: The name is neither text nor a number, or is reserved.

    Source: socket.io-parser 4.2.7, RESERVED_EVENTS.
    """
    if type(event) is not str and not isinstance(event, str):
        if is_number(event):
            return
        raise ValueError(f"event name {event!r} is not valid; it must be text or a number")
    if event in RESERVED_EVENTS:
        raise ValueError(f"event name {event!r} is reserved, clients refuse it; choose another name")


#: The most frequent types of payloads; a value of one of them is one argument.
_SINGLE_TYPES: Final = frozenset({str, dict, list, int, float, bool, bytes})


def check_callback(callback: Any, *, asynchronous: bool) -> None:
    """Make sure that the callback for an acknowledgement can be called; raise TypeError if not."""
    if not callable(callback):
        raise TypeError(f"callback={callback!r} cannot be called; give a function that takes what is acknowledged")
    if not asynchronous and iscoroutinefunction(callback):
        name = getattr(callback, "__qualname__", callback)
        raise TypeError(f"callback {name} is a coroutine function, which is not awaited in threads; write 'def'")


def event_arguments(data: Any) -> list[Any]:
    """Return the arguments of an event: the items of a tuple, none for None, otherwise the one value."""
    if type(data) in _SINGLE_TYPES:
        return [data]
    if isinstance(data, tuple):  # named ones too
        return list(data)
    return [] if data is None else [data]


#: The arguments of an acknowledgement are made of a handler's result in the same way.
acknowledgement: Final = event_arguments


def answer(arguments: Collection[Any]) -> Any:
    """Return the result of ``call()``: None, the one argument, or a tuple of several."""
    if not arguments:
        return None
    values = tuple(arguments)
    return values[0] if len(values) == 1 else values


def rooms_of(to: Any) -> Iterable[Hashable]:
    """
    Return the rooms to send to.

    None is all clients of the namespace. Text and numbers name one room; any other iterable names several rooms, and an
    empty one no room: an empty list is not sent to all clients by accident. Objects of room classes count as their
    names.
    """
    if to is None:
        return EVERYBODY
    if isinstance(to, (str, bytes)):
        return (to,)
    if not isinstance(to, Iterable):
        return (plain_room(to),)
    rooms = dict.fromkeys(to)
    return dict.fromkeys(map(plain_room, rooms)) if any(isinstance(room, NamedRoom) for room in rooms) else rooms


def wait_option(*, wait: bool) -> dict[str, bool]:
    """Return ``wait`` as a keyword argument unless it is the default: an ``emit()`` that is overridden may lack it."""
    return {} if wait else {"wait": False}


def emit_options(
    to: Any, room: Any, skip_sid: Any, namespace: str | None, callback: Any, ignore_queue: bool, *, wait: bool
) -> dict[str, Any]:
    """Return the arguments of an ``emit()`` or ``send()`` beside its event and payload, by their names."""
    return {
        "to": to,
        "room": room,
        "skip_sid": skip_sid,
        "namespace": namespace,
        "callback": callback,
        "ignore_queue": ignore_queue,
        **wait_option(wait=wait),
    }


def unwaited(emit: Any) -> dict[str, bool]:
    """Return ``wait=False`` as a keyword argument if an ``emit()`` takes it; one that is overridden may not."""
    function = getattr(emit, "__func__", emit)
    if not isinstance(function, FunctionType):  # a test has put another object in its place
        return {}
    takes_any = function.__code__.co_flags & CO_VARKEYWORDS
    return {"wait": False} if takes_any or "wait" in (function.__kwdefaults__ or ()) else {}


def skipped(skip_sid: Any) -> Collection[str]:
    """Return the sids to leave out: one, or any iterable of them."""
    if skip_sid is None:
        return ()
    return (skip_sid,) if isinstance(skip_sid, str) else frozenset(skip_sid)


def unwritable(packet: Packet, error: TypeError) -> TypeError:
    """Return an error that says where in a packet the value is that cannot be written; *error* if that is not found."""
    is_event = packet.packet_type in (PacketType.EVENT, PacketType.BINARY_EVENT)
    arguments = packet.data if isinstance(packet.data, list) else [packet.data]
    values, what = (arguments[1:], f"event {arguments[0]!r}") if is_event else (arguments, "acknowledgement")
    for number, value in enumerate(values):
        found = _find_unwritable(value, type(packet))
        if found is not None:
            path, culprit = found
            place = f"data[{number}]" if len(values) > 1 else "data"
            kind = type(culprit).__name__
            return TypeError(
                f"{what} cannot be sent: {place}{path} is of type {kind!r}, which cannot be written ({error})"
            )
    return error


def _find_unwritable(value: Any, packet_class: type[Packet]) -> tuple[str, Any] | None:
    """Return the path to the innermost value that cannot be written, and that value."""
    try:
        packet_class(PacketType.EVENT, ["probe", value]).encode()
    except TypeError:
        pass
    else:
        return None
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, (list, tuple)):
        inner = enumerate(value)
    for key, item in inner:
        found = _find_unwritable(item, packet_class)
        if found is not None:
            return f"[{key!r}]{found[0]}", found[1]
    return "", value

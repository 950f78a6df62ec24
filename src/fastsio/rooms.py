"""
Room classes, and events as models that know their recipients.

``await broadcast(MessagePosted(chat_id=5, text="hi"))`` works in a handler, and in a script or worker that has no
server but a write-only client manager.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, Final, TypeAlias

from pydantic import BaseModel

from fastsio.base.emit_args import wait_option
from fastsio.base.rooms import Joined, Room, RoomMember, register_room
from fastsio.exceptions import SetupError
from fastsio.routing import single_namespace
from fastsio.routing.slips import misspelt_methods, misspelt_settings
from fastsio.state.history import History
from fastsio.state.room_names import plain_room, snake_case

__all__ = [
    "BroadcastEvent",
    "History",
    "Joined",
    "Room",
    "RoomMember",
    "broadcast",
    "broadcast_sync",
    "configure_broadcasting",
    "register_room",
]

_METHODS: Final = ("broadcast_on", "broadcast_when", "broadcast_as", "broadcast_with")

#: The recipients of an event: a room, its name or a sid, or several of them.
Destination: TypeAlias = "Room | str | Sequence[Room | str]"


class BroadcastEvent(BaseModel):
    """
    An event that knows its recipients.

    A subclass has fields, its payload, and :meth:`broadcast_on`. The methods below may be overridden; the first two may
    be coroutine functions, unless the event is sent with :func:`broadcast_sync`.

    Attributes:
        broadcast_namespace: The namespace; None is that of the rooms, and ``"/"`` for rooms without one.
    """

    broadcast_namespace: ClassVar[str | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """
        Make sure that nothing in a subclass has nearly the name of a method or attribute of this class.

        Raises:
            SetupError: Something has, and would never be used.
        """
        super().__pydantic_init_subclass__(**kwargs)
        for name, known in (misspelt_methods(cls, _METHODS) | misspelt_settings(cls, ("broadcast_namespace",))).items():
            raise SetupError(f"{cls.__qualname__}.{name} would never be used; did you mean {known!r}?")

    def broadcast_on(self) -> Destination | Awaitable[Destination]:
        """
        Return the recipients: a room, its name or a sid, or several of them; each client gets the event once.

        An empty list is no client. To reach all clients of a namespace, use the server's ``emit()``.
        """
        raise SetupError(f"{type(self).__qualname__} has no broadcast_on(self); return the room it is for")

    def broadcast_when(self) -> bool | Awaitable[bool]:
        """Return whether the event is to be sent at all."""
        return True

    def broadcast_as(self) -> str:
        """Return the event's name: that of the class, ``message_posted`` for ``MessagePosted``."""
        return snake_case(type(self).__name__)

    def broadcast_with(self) -> Any:
        """Return the payload: the fields by their aliases, with the values of JSON."""
        return self.model_dump(mode="json", by_alias=True)


#: The server or manager that this process broadcasts through.
_DEFAULT: Final = SimpleNamespace(via=None)


def configure_broadcasting(via: Any) -> None:
    """
    Set the server or manager that events are broadcast through, unless a call is given another.

    A program with one server need not call it: its rooms know where they are registered.

    Args:
        via: A server, or a client manager with ``write_only=True``; None for neither.

    Raises:
        SetupError: It cannot emit.
    """
    if via is not None and not callable(getattr(via, "emit", None)):
        raise SetupError(f"{via!r} cannot emit; give a server or a client manager")
    _DEFAULT.via = via


async def broadcast(event: BroadcastEvent, *, via: Any = None, skip_sid: Any = None, wait: bool = True) -> bool:
    """
    Send an event to its recipients.

    Args:
        event: The event.
        via: A server, or a client manager with ``write_only=True``. None is the one that
            :func:`configure_broadcasting` was given, otherwise the server where the rooms are registered.
        skip_sid: The sid, or any iterable of sids, to leave out.
        wait: Whether to wait while a client of this process has much to read.

    Returns:
        Whether it was sent; False if ``broadcast_when()`` has returned False.

    Raises:
        SetupError: There is no server or manager to send it through, or more than one; or ``broadcast_namespace`` has
            no slash in front.
        TypeError: ``broadcast_on()`` returned something else than rooms.
        BusError: The broker did not accept it.
    """
    if not await _resolved(event.broadcast_when()):
        return False
    rooms = _rooms(event, await _resolved(event.broadcast_on()))
    sender = _sender(event, rooms, via)
    for namespace, names in _by_namespace(event, rooms, sender).items():
        await _resolved(_emit(sender, event, namespace, names, skip_sid, wait=wait))
    return True


def broadcast_sync(event: BroadcastEvent, *, via: Any = None, skip_sid: Any = None, wait: bool = True) -> bool:
    """
    Do what :func:`broadcast` does, without an event loop: through a server or manager for threads.

    Raises:
        SetupError: The server or manager, or a method of the event, is for asyncio; or it is not clear which to use.
        TypeError: ``broadcast_on()`` returned something else than rooms.
        BusError: The broker did not accept it.
    """
    if not _unawaited(event, event.broadcast_when()):
        return False
    rooms = _rooms(event, _unawaited(event, event.broadcast_on()))
    sender = _sender(event, rooms, via)
    if inspect.iscoroutinefunction(sender.emit):
        raise SetupError(f"{type(sender).__qualname__} is for asyncio; await broadcast(), or give one for threads")
    for namespace, names in _by_namespace(event, rooms, sender).items():
        _emit(sender, event, namespace, names, skip_sid, wait=wait)
    return True


async def _resolved(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def _unawaited(event: BroadcastEvent, value: Any) -> Any:
    if inspect.iscoroutine(value):
        value.close()
        raise SetupError(f"{type(event).__qualname__} has methods that are coroutine functions; await broadcast()")
    return value


def _rooms(event: BroadcastEvent, destination: Any) -> list[Room | str]:
    if isinstance(destination, (Room, str)):
        return [destination]
    rooms: list[Any] = list(destination) if isinstance(destination, Iterable) else [destination]
    for room in rooms:
        if not isinstance(room, (Room, str)):
            # None would be all clients.
            name = f"{type(event).__qualname__}.broadcast_on()"
            raise TypeError(f"{name} returned {room!r}; return a room, its name, or a list of them")
    return rooms


def _sender(event: BroadcastEvent, rooms: Iterable[Room | str], via: Any) -> Any:
    """Return the server or manager to send an event through."""
    chosen = _DEFAULT.via if via is None else via
    if chosen is not None:
        return chosen
    servers = {id(server): server for room in rooms if isinstance(room, Room) for server, _ in [room.where()]}
    if len(servers) != 1:
        why = "its rooms are on several servers" if servers else "nothing says through which server"
        raise SetupError(
            f"{type(event).__qualname__} cannot be broadcast: {why}; call configure_broadcasting(server), or give via="
        )
    return servers.popitem()[1]


def _by_namespace(event: BroadcastEvent, rooms: Iterable[Room | str], sender: Any) -> dict[str, list[Any]]:
    """Return the names of the rooms by namespace."""
    server = getattr(sender, "server", None) or sender
    found: dict[str, list[Any]] = {}
    for room in rooms:
        own = room.namespace_on(server) if isinstance(room, Room) else "/"
        found.setdefault(single_namespace(event.broadcast_namespace or own), []).append(plain_room(room))
    return found


def _emit(sender: Any, event: BroadcastEvent, namespace: str, names: list[Any], skip_sid: Any, *, wait: bool) -> Any:
    options = {"room": names, "skip_sid": skip_sid, "namespace": namespace, **wait_option(wait=wait)}
    return sender.emit(event.broadcast_as(), event.broadcast_with(), **options)

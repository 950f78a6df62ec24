"""
The underscored methods of python-socketio that applications override in a class or replace on an object.

This module knows which of them a server or client calls, and refuses those that fastsio never calls, and must not know
what they do.
"""

from __future__ import annotations

from inspect import getattr_static, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The methods that handle one type of packet of a client each.
PACKET_SEAMS: Final = frozenset({"_handle_ack", "_handle_connect", "_handle_disconnect", "_handle_event"})

#: The methods that a server calls only if an application has its own version; otherwise it calls faster code.
SERVER_SEAMS: Final = PACKET_SEAMS | {
    "_handle_eio_message",
    "_handle_event_internal",
    "_send_eio_packet",
    "_send_packet",
    "_trigger_event",
}

#: The same for a client, which calls the other methods in any case.
CLIENT_SEAMS: Final = frozenset({"_handle_eio_message", "_handle_event", "_send_packet", "_trigger_event"})

_ROUTING: Final = "override _trigger_event(event, namespace, *args), or add a middleware"

#: The methods that fastsio does not call, and what to do instead of overriding them.
SERVER_REFUSED: Final = {
    "_engineio_server_class": "fastsio brings its own Engine.IO server; set what it is to do differently by options",
    "_get_event_handler": _ROUTING,
    "_get_namespace_handler": _ROUTING,
}

CLIENT_REFUSED: Final = {
    "_get_event_handler": "override _trigger_event(event, namespace, *args)",
    "_get_namespace_handler": "override _trigger_event(event, namespace, *args)",
    "_get_real_value": "give connect() functions for url, headers and auth",
    "_handle_reconnect": "set the options reconnection, reconnection_attempts and reconnection_delay",
}

_MANAGER_ADVICE: Final = "override the public method of the manager that it calls, such as emit or disconnect"
MANAGER_REFUSED: Final[dict[str, str]] = dict.fromkeys(
    (
        "_handle_callback",
        "_handle_close_room",
        "_handle_disconnect",
        "_handle_emit",
        "_handle_enter_room",
        "_handle_leave_room",
        "_return_callback",
        "_thread",
    ),
    _MANAGER_ADVICE,
)


class Seams:
    """
    The methods of one server or client that an application may override, and which of them it has overridden.

    Args:
        own: Name -> the method as fastsio implements it.

    Attributes:
        replaced: The names of the methods that the application's class or the object replaces.

    Raises:
        SetupError: The application's version is a coroutine function, and the owner does not await.
    """

    __slots__ = ("_own", "_owner", "replaced")

    def __init__(self, owner: Any, own: Mapping[str, Any]) -> None:
        self._owner = owner
        self._own = own
        self.replaced = overridden(type(owner), own)
        refuse_coroutines(owner, {name: getattr(owner, name) for name in self.replaced})

    def method(self, name: str) -> Any:
        """Return the method of a name, the application's own if it has one."""
        return getattr(self._owner, name)

    def call(self, name: str, *args: Any) -> Any:
        """Call the method of a name, the application's own if it has one."""
        return getattr(self._owner, name)(*args)

    def is_on_object(self, name: str) -> bool:
        """Whether a method is replaced on the object, as test clients do, and not in its class."""
        return name in vars(self._owner)

    def add(self, name: str) -> None:
        """Record that the object was given a method."""
        self.replaced |= {name}

    def remove(self, name: str) -> None:
        """Record that a method was taken from the object again."""
        self.replaced = self.replaced - {name} | overridden(type(self._owner), self._own)


def own_methods(names: Iterable[str], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the methods of these names in the body of a class of fastsio."""
    return {name: body[name] for name in names}


def overridden(cls: type, own: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the methods that a subclass overrides, or that were replaced on a class of fastsio."""
    return frozenset(name for name, method in own.items() if getattr_static(cls, name) is not method)


def refuse_class(cls: type, refused: Mapping[str, str]) -> None:
    """Make sure that a class overrides no method that fastsio does not call."""
    for name in refused:
        if hasattr(cls, name):
            refuse(f"{cls.__qualname__} overrides", name, refused)


def refuse(where: str, name: str, refused: Mapping[str, str]) -> None:
    """Refuse a method that python-socketio calls and fastsio does not; *where* is the beginning of the message."""
    if name in refused:
        raise SetupError(f"{where} {name}, which fastsio does not call; {refused[name]}")


def refuse_coroutines(owner: Any, methods: Mapping[str, Any]) -> None:
    """Make sure that a server or client for threads can call its methods, which it does not await."""
    if owner.is_asyncio_based():
        return
    for name, method in methods.items():
        if iscoroutinefunction(method):
            where = f"{type(owner).__name__}.{name}"
            raise SetupError(
                f"{where} is a coroutine function, which nobody awaits without asyncio; write 'def {name}'"
            )

"""
What a room class wants to be asked and told: its hooks, compiled once per kind of server.

Knows no server: what lets clients in, a Socket.IO server or a consumer of raw WebSockets, calls the endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import RoomIdentifierError, SetupError
from fastsio.injection import Endpoint, HandlerKind, compile_endpoint
from fastsio.routing.slips import misspelt_methods, misspelt_settings

if TYPE_CHECKING:
    from fastsio.base.rooms import Room

IDENTIFY: Final = "extract_room_identifier"
_FURTHER: Final = ("can_join", "on_join", "on_leave", "presence_key")


@dataclass(frozen=True, slots=True)
class RoomHooks:
    """
    The hooks of one room class; None for those it does not have.

    Attributes:
        room_class: The class.
        found_by: ``extract_room_identifier``.
        can_join: Whether a client may join.
        on_join: Called when it has.
        on_leave: Called when it has left.
        presence_key: Who the client is.
    """

    room_class: type[Room]
    found_by: Endpoint | None
    can_join: Endpoint | None
    on_join: Endpoint | None
    on_leave: Endpoint | None
    presence_key: Endpoint | None

    def identifying(self) -> Endpoint:
        """
        Return the hook that says which room a payload names.

        Raises:
            SetupError: The class has none, so clients cannot join its rooms.
        """
        if self.found_by is None:
            raise SetupError(
                f"{self.room_class.__qualname__} has no {IDENTIFY}(cls, session, data); "
                "write it, so that clients can say which room they mean"
            )
        return self.found_by

    def settle(self) -> None:
        """
        Compile what has waited for names that did not exist yet.

        Raises:
            SignatureError: An annotation names what does not exist.
        """
        for hook in (self.found_by, self.can_join, self.on_join, self.on_leave, self.presence_key):
            if hook is not None and hook.pending:
                hook.prepare()

    @property
    def join_event(self) -> str:
        """The event with which a client asks to be let in."""
        return f"join_{self.room_class.key}" if self.room_class.key else "join"

    @property
    def leave_event(self) -> str:
        """The event with which a client leaves."""
        return f"leave_{self.room_class.key}" if self.room_class.key else "leave"

    @property
    def is_present(self) -> bool:
        """Whether the room's members are told who comes and goes."""
        return self.room_class.presence or self.presence_key is not None

    def room(self, identifier: Any) -> Room:
        """
        Return the room that an identifier means.

        Args:
            identifier: What the hook returned: a value, a tuple of several, or the room itself.

        Raises:
            RoomIdentifierError: It identifies no room.
        """
        if isinstance(identifier, self.room_class):
            return identifier
        parts = identifier if isinstance(identifier, tuple) else (identifier,)
        try:
            return self.room_class(*parts)
        except SetupError:
            raise
        except ValueError as error:
            raise RoomIdentifierError(str(error)) from error


def hooks_of(room_class: type[Room], *, asynchronous: bool) -> RoomHooks:
    """
    Return the hooks of a room class, which are compiled once.

    Args:
        room_class: The class.
        asynchronous: Whether they may be coroutine functions.

    Raises:
        SetupError: A hook is no class method, or a method is nearly called like one.
        SignatureError: A parameter of a hook cannot be filled.
    """
    known = room_class.compiled_hooks.get(asynchronous)
    if known is None:
        known = room_class.compiled_hooks[asynchronous] = _compile(room_class, asynchronous=asynchronous)
    return known


def _compile(room_class: type[Room], *, asynchronous: bool) -> RoomHooks:
    slips = misspelt_methods(room_class, (IDENTIFY, *_FURTHER)) | misspelt_settings(room_class, ("presence",))
    for name, known in slips.items():
        raise SetupError(f"{room_class.__qualname__}.{name} would never be used; did you mean {known!r}?")

    def hook(name: str, kind: HandlerKind = HandlerKind.ROOM) -> Endpoint | None:
        function = getattr(room_class, name, None)
        if function is None:
            return None
        label = f"{room_class.__qualname__}.{name}"
        if isinstance(function, FunctionType) and not _is_static(room_class, name):
            raise SetupError(f"{label} must be a class method; write @classmethod above it")
        return compile_endpoint(function, kind=kind, label=label, asynchronous=asynchronous)

    return RoomHooks(
        room_class,
        hook(IDENTIFY, HandlerKind.ROOM_IDENTIFIER),
        *(hook(name) for name in _FURTHER),
    )


def _is_static(room_class: type[Room], name: str) -> bool:
    found = next(vars(cls)[name] for cls in room_class.__mro__ if name in vars(cls))
    return isinstance(found, staticmethod)

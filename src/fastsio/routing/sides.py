"""
What differs between the handlers of a server and those of a client: their kinds, and where they are looked for.

Must not know how they are compiled or called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fastsio.injection import HandlerKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class Role:
    """
    One end of a connection.

    Args:
        kinds: The events whose handlers are of a kind of their own.
        event_kind: The kind of all other handlers.
        reserved: Events that happen rather than arrive; they never reach a catch-all event handler.
        falls_back: Whether an event that a namespace with handlers has none for is looked for in ``"*"`` too.
    """

    kinds: Mapping[str, HandlerKind]
    event_kind: HandlerKind
    reserved: frozenset[str]
    falls_back: bool

    def kind_of(self, event: str) -> HandlerKind:
        """Return what kind of handler *event* has."""
        return self.kinds.get(event, self.event_kind)

    @property
    def built_in(self) -> list[str]:
        """The names of the events that happen rather than arrive, apart from those that only fastsio uses."""
        return [event for event in self.reserved if not event.startswith("_")]

    def stand_in(self, event: str) -> str:
        """Return one name for all events that have handlers of the same kind."""
        return event if event in self.kinds else "event"

    def places(self, namespace: str, handlers: Collection[str]) -> tuple[str, ...]:
        """Return the namespaces whose functions may handle an event of *namespace*, the first before the second."""
        if self.falls_back:
            return (namespace, "*")
        return (namespace,) if namespace in handlers else ("*",)


SERVER: Final = Role(
    {"connect": HandlerKind.CONNECT, "disconnect": HandlerKind.DISCONNECT},
    HandlerKind.EVENT,
    frozenset({"connect", "disconnect"}),
    falls_back=True,
)

CLIENT: Final = Role(
    {"connect": HandlerKind.CLIENT_CONNECT, "disconnect": HandlerKind.CLIENT_DISCONNECT},
    HandlerKind.CLIENT_EVENT,
    frozenset({"connect", "connect_error", "disconnect", "__disconnect_final"}),
    falls_back=False,
)

"""
What a server tells its observer: the admin interface.

A server has one observer or none. Its methods are called in the middle of things, so they do not wait and do not raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from fastsio.state import Client


class SizedFrame(Protocol):
    """A message of Engine.IO."""

    @property
    def size(self) -> int:
        """Its size on the wire, in bytes."""
        ...


class Observer(Protocol):
    """Watches a server."""

    def connection_opened(self, eio_sid: str, environ: dict[str, Any]) -> None:
        """An Engine.IO connection begins."""

    def connection_closed(self, eio_sid: str) -> None:
        """An Engine.IO connection is over; its clients may still be leaving."""

    def client_connected(self, client: Client) -> None:
        """A client has been accepted, with the rooms that its connect handler put it in."""

    def client_disconnected(self, client: Client, reason: str) -> None:
        """A client's disconnect handler is done; it is still in its rooms."""

    def room_entered(self, namespace: str, room: Hashable, sid: str) -> None:
        """A connected client has entered a room."""

    def room_left(self, namespace: str, room: Hashable, sid: str) -> None:
        """A connected client has left a room, and stays connected."""

    def event_received(self, client: Client, data: list[Any]) -> None:
        """A client has sent an event: its name and its arguments."""

    def event_sent(self, recipients: Sequence[tuple[str, str]], namespace: str, data: list[Any]) -> None:
        """An event goes to clients, each given as (sid, eio_sid)."""

    def frame_received(self, frame: str | bytes) -> None:
        """A message of Engine.IO has arrived."""

    def frames_sent(self, frames: Sequence[SizedFrame], clients: int) -> None:
        """Messages of Engine.IO go to so many clients."""

    def stop(self) -> None:
        """The server shuts down."""

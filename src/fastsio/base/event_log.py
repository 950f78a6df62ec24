"""
The log of ``logger=True``: what a server or client does, event by event, in python-socketio's words.

Whether a server or client writes it is decided when the server or client is made. It names events, rooms and clients,
never the payload of an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.base.options import takes_information

if TYPE_CHECKING:
    from fastsio.routing import Registry
    from fastsio.state import Client


class EventLog:
    """Writes to the logger of a server or client."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def emitting(self, event: Any, target: Any, namespace: str) -> None:
        """A server is about to emit to the room or rooms *target*; None is all clients."""
        self._logger.info('emitting event "%s" to %s [%s]', event, "all" if target is None else target, namespace)

    def sending(self, event: Any, namespace: str) -> None:
        """A client is about to emit."""
        self._logger.info('Emitting event "%s" [%s]', event, namespace)

    def received(self, client: Client, event: Any) -> None:
        """A server's client has sent an event."""
        self._logger.info('received event "%s" from %s [%s]', _printable(event), client.label, client.namespace)

    def received_from_server(self, event: Any, namespace: str) -> None:
        """The server has sent an event."""
        self._logger.info('Received event "%s" [%s]', event, namespace)

    def acknowledged(self, client: Client) -> None:
        """A server's client has acknowledged an event."""
        self._logger.info("received ack from %s [%s]", client.label, client.namespace)

    def acknowledged_by_server(self, namespace: str) -> None:
        """The server has acknowledged an event."""
        self._logger.info("Received ack [%s]", namespace)

    def entering(self, label: str, room: Any, namespace: str) -> None:
        """A client is put into a room."""
        self._logger.info("%s is entering room %s [%s]", label, room, namespace)

    def leaving(self, label: str, room: Any, namespace: str) -> None:
        """A client is taken out of a room."""
        self._logger.info("%s is leaving room %s [%s]", label, room, namespace)

    def closing(self, room: Any, namespace: str) -> None:
        """A room is emptied."""
        self._logger.info("room %s is closing [%s]", room, namespace)

    def disconnecting(self, label: str, namespace: str) -> None:
        """The server disconnects a client."""
        self._logger.info("Disconnecting %s [%s]", label, namespace)

    def stopping(self) -> None:
        """The server shuts down."""
        self._logger.info("Socket.IO is shutting down")


def _printable(name: Any) -> str:
    """Return the name of a client's event on one line; the decoder has bounded its length."""
    text = str(name)
    return text if text.isprintable() else ascii(text)


def event_log(logger: Any) -> EventLog | None:
    """Return the log of a server or client that writes to *logger*; None if that does not write level INFO."""
    return EventLog(logger) if takes_information(logger) else None


def tell_unhandled(registry: Registry, logger: Any, event: Any, namespace: str) -> None:
    """Log a warning for an event that has no handler, once for each event."""
    name = _printable(event)
    if registry.is_first_miss(namespace, name):
        logger.warning('no handler for event "%s" [%s]; this is said once', name, namespace)

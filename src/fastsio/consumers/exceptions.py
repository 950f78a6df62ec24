"""What a consumer may raise to steer its connection."""

from __future__ import annotations

from fastsio.exceptions import SocketIOError


class AcceptConnection(SocketIOError):  # noqa: N818 - an instruction, not an error; the name is that of Channels
    """Raised in ``connect()``: take the connection."""


class DenyConnection(SocketIOError):  # noqa: N818 - as above
    """Raised in ``connect()``: refuse the connection."""


class StopConsumer(SocketIOError):  # noqa: N818 - as above
    """Raised anywhere in a consumer: it has done its work, and is left without further calls."""

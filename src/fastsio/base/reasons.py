"""Why a client left, as disconnect handlers are told."""

from __future__ import annotations

from typing import Final


class Reasons:
    """The values of a disconnect handler's ``reason``."""

    #: The server ended the connection.
    SERVER_DISCONNECT: Final = "server disconnect"
    #: The client ended the connection.
    CLIENT_DISCONNECT: Final = "client disconnect"
    #: The client did not answer a ping in time.
    PING_TIMEOUT: Final = "ping timeout"
    #: The transport was closed.
    TRANSPORT_CLOSE: Final = "transport close"
    #: The transport failed, or the client broke the protocol.
    TRANSPORT_ERROR: Final = "transport error"

"""
All errors that fastsio raises, as one tree.

::

    SocketIOError
    ├── ConnectionError
    │   └── ConnectionRefusedError      a connect handler refuses a client
    ├── TimeoutError                    call() got no acknowledgement in time
    ├── BadNamespaceError               the namespace is not connected
    ├── DisconnectedError               the peer is gone
    │   └── ClientLeftError (TimeoutError)  the client left before it acknowledged an event
    ├── BusError                        the other servers could not be told
    ├── PacketError (ValueError)        the peer broke the protocol or a limit
    ├── PayloadError (ValueError)       the peer sent data a handler cannot take
    │   └── ValidationFailed
    ├── EventError                      a handler answers with an error object
    │   ├── RateLimited
    │   ├── RoomAccessError         a room does not let a client in, or it is not in it
    │   └── RoomIdentifierError (ValueError)
    ├── LifecycleError (RuntimeError)   a namespace was asked for an impossible step
    ├── MissingExtraError (ImportError) an optional dependency is not installed
    └── SetupError (ValueError)         the developer's mistake, at registration
        ├── SignatureError
        └── DependencyCycleError

SocketIOError and the errors from ConnectionError to DisconnectedError are
python-socketio's. As there, none is a subclass of the builtin of its name.
"""

from __future__ import annotations

from typing import Any


class SocketIOError(Exception):
    """Base of all errors of this package."""


class ConnectionError(SocketIOError):  # noqa: A001 - the name is python-socketio's
    """A connection could not be made."""


class ConnectionRefusedError(ConnectionError):  # noqa: A001 - the name is python-socketio's
    """
    Raised by a ``connect`` handler to refuse the client.

    Args:
        args: The first is the message for the client; the second, or a tuple of all others, is its ``data``.

    Source: Socket.IO protocol v5, "Connection to a namespace" (CONNECT_ERROR).
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.error_args: dict[str, Any] = refusal(*args)


def refusal(*args: Any) -> dict[str, Any]:
    """Build the CONNECT_ERROR payload: ``{"message": str}`` and, with more than one argument, ``"data"``."""
    if not args:
        return {"message": "Connection rejected by server"}
    payload: dict[str, Any] = {"message": str(args[0])}
    if len(args) > 1:
        payload["data"] = args[1] if len(args) == 2 else args[1:]  # noqa: PLR2004 - one message, one datum
    return payload


class TimeoutError(SocketIOError):  # noqa: A001 - the name is python-socketio's
    """The acknowledgement did not arrive in time."""


class BadNamespaceError(SocketIOError):
    """The namespace is not connected."""


class DisconnectedError(SocketIOError):
    """The peer is not connected any more."""


class ClientLeftError(DisconnectedError, TimeoutError):
    """
    The client left before it acknowledged an event, or was not there: no acknowledgement will come.

    It is a :class:`TimeoutError` too, because python-socketio raises only that one.
    """


class BusError(SocketIOError):
    """
    The message broker did not accept a message: the clients of other nodes miss it.

    The clients of this node have got it. ``__cause__`` is the error of the broker's client library.
    """


class PacketError(SocketIOError, ValueError):
    """
    The peer sent a packet that the protocol or a limit does not allow; its connection is closed.

    Args:
        reason: The reason, as one sentence.
        limit: The limit that was exceeded, or None.
        value: The value that exceeded it.
    """

    def __init__(self, reason: str, *, limit: int | None = None, value: int | None = None) -> None:
        super().__init__(reason if limit is None else f"{reason} ({value} > {limit})")
        self.reason = reason
        self.limit = limit
        self.value = value


class PayloadError(SocketIOError, ValueError):
    """The peer sent data that a handler cannot take; the connection stays open."""


class ValidationFailed(PayloadError):  # noqa: N818 - reads as what happened, not as a defect of the program
    """
    A payload, header, cookie or query value does not match its annotation.

    Args:
        detail: One ``{"loc": list, "msg": str, "type": str}`` for each mistake, without the input itself.
    """

    def __init__(self, detail: list[dict[str, Any]]) -> None:
        where = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in detail)
        super().__init__(where)
        self.detail = detail


class EventError(SocketIOError):
    """
    Raised by a handler, dependency or middleware to answer the client with an error object.

    Args:
        type: ``unauthorized``, ``forbidden``, ``not_found``, ``rate_limited`` or a word of the application.
        msg: One sentence for people.
        detail: Further data for the client, of the types of JSON.
    """

    def __init__(self, type: str, msg: str, detail: Any = None) -> None:  # noqa: A002 - the word on the wire
        super().__init__(msg)
        self.type = type
        self.msg = msg
        self.detail = detail


class RateLimited(EventError):  # noqa: N818 - reads as what happened, not as a defect of the program
    """
    The client sent more events than it may.

    Args:
        retry_after: Seconds until the next event is accepted.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__("rate_limited", "Too many events, slow down.", {"retry_after": retry_after})
        self.retry_after = retry_after


class RoomAccessError(EventError):
    """
    A client may not join a room, or is not in a room that an event is for.

    Args:
        msg: One sentence for people.
    """

    def __init__(self, msg: str = "You may not join this room.") -> None:
        super().__init__("forbidden", msg)


class RoomIdentifierError(EventError, ValueError):
    """
    The payload of a client does not identify a room.

    Args:
        msg: One sentence for people: the text of the error that ``extract_room_identifier`` raised.
    """

    def __init__(self, msg: str) -> None:
        super().__init__("validation_error", msg)


class LifecycleError(SocketIOError, RuntimeError):
    """A namespace was asked for a step that its state does not have."""


class MissingExtraError(SocketIOError, ImportError):
    """
    An optional dependency is not installed.

    Args:
        module: The module that could not be imported.
        extra: The extra of fastsio that installs it.
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed; run: pip install 'fastsio[{extra}]'")
        self.module = module
        self.extra = extra


class SetupError(SocketIOError, ValueError):
    """A mistake of the developer, found when a handler, option or router is registered."""


class SignatureError(SetupError):
    """A handler or dependency has a parameter that cannot be filled."""


class DependencyCycleError(SetupError):
    """A dependency depends on itself."""

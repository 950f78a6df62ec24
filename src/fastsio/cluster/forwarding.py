"""
The messages of processes of several machines that forward requests to each other, and the table of these processes.

A message is a line of JSON, followed by the body of the request or response. This module must not know sessions,
brokers or clocks: times are arguments, in seconds of a clock that never goes back.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

#: The name of a process: the name of its machine, a dot, and its number on that machine.
NAME: Final = re.compile(r"[0-9a-z]{1,32}\.[0-9]{1,9}")
#: The strings of an ASGI scope that are sent with a request.
HEAD: Final = frozenset({"method", "path", "root_path", "scheme", "http_version", "raw_path", "query_string"})
#: The valid statuses of a response.
STATUSES: Final = range(200, 600)
#: How many stopped processes are remembered.
MAX_STOPPED: Final = 1000


@dataclass(frozen=True, slots=True)
class Announcement:
    """
    The announcement of a running process, which it sends every few seconds.

    Args:
        sender: The name of the process.
        asks: Whether the receivers must announce themselves to the sender.
    """

    sender: str
    asks: bool


@dataclass(frozen=True, slots=True)
class Stopped:
    """The last message of the process *sender*, which stops."""

    sender: str


@dataclass(frozen=True, slots=True)
class ForwardedRequest:
    """
    A request for a session of the receiver.

    Args:
        sender: The process that waits for the response.
        number: The number of the request, among those of the sender.
        head: The strings of the request's ASGI scope; query and raw path decoded from Latin-1.
        headers: Pairs of name and value, decoded from Latin-1.
        client: Address and port of the client, or None.
        body: The whole body.
    """

    sender: str
    number: int
    head: dict[str, str]
    headers: list[list[str]]
    client: list[Any] | None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The sender of a request no longer waits for its response, because its client has left."""

    sender: str
    number: int


@dataclass(frozen=True, slots=True)
class ForwardedResponse:
    """
    The response to a request.

    Args:
        number: The number of the request.
        status: The status of the response.
        headers: Pairs of name and value, decoded from Latin-1.
        body: The whole body.
    """

    number: int
    status: int
    headers: list[list[str]]
    body: bytes = b""


Message: TypeAlias = Announcement | Stopped | ForwardedRequest | Cancellation | ForwardedResponse
KINDS: Final[dict[str, type[Message]]] = {
    kind.__name__: kind for kind in (Announcement, Stopped, ForwardedRequest, Cancellation, ForwardedResponse)
}


def encode(message: Message) -> bytes:
    """Return a message as bytes."""
    fields = asdict(message)
    body = fields.pop("body", b"")
    line = json.dumps({"kind": type(message).__name__, **fields}, separators=(",", ":"))
    return b"%b\n%b" % (line.encode(), body)


def decode(data: bytes) -> Message:
    """
    Return the message in *data*, which another process of the same version has encoded.

    Raises:
        ValueError: The data is not such a message.
    """
    line, _, body = data.partition(b"\n")
    try:
        fields = json.loads(line)
        kind = KINDS[fields.pop("kind")]
        if kind is ForwardedRequest or kind is ForwardedResponse:
            fields["body"] = body
        message = kind(**fields)
    except (AttributeError, LookupError, RecursionError, TypeError) as error:
        raise ValueError(f"no message of a kind that is known: {error!r}") from error
    if not _is_valid(message):
        raise ValueError(f"a {kind.__name__} with a field that is not valid")
    return message


def _is_valid(message: Message) -> bool:
    """Tell whether the fields of a message have their types."""
    match message:
        case Announcement(str(sender), bool()) | Stopped(str(sender)) | Cancellation(str(sender), int()):
            return NAME.fullmatch(sender) is not None
        case ForwardedRequest(str(sender), int(), dict(head), list(headers), None | [str(), int()]):
            is_named = NAME.fullmatch(sender) is not None and head.keys() >= HEAD
            return is_named and all(isinstance(value, str) for value in head.values()) and _are_headers(headers)
        case ForwardedResponse(int(), int(status), list(headers)):
            return status in STATUSES and _are_headers(headers)
        case _:
            return False


def _are_headers(headers: list[Any]) -> bool:
    return all(type(pair) is list and list(map(type, pair)) == [str, str] for pair in headers)


class Processes:
    """The processes that have announced themselves, and those that have stopped lately."""

    def __init__(self) -> None:
        self._announced: dict[str, float] = {}
        self._stopped: OrderedDict[str, None] = OrderedDict()

    def announced(self, name: str, now: float) -> None:
        """Record the announcement of a process, also of one that counted as stopped because it had lost the broker."""
        if NAME.fullmatch(name):
            self._stopped.pop(name, None)
            self._announced[name] = now

    def stopped(self, name: str) -> None:
        """Record that a process has stopped."""
        if self._announced.pop(name, None) is None:
            return
        self._stopped[name] = None
        if len(self._stopped) > MAX_STOPPED:
            self._stopped.popitem(last=False)

    def is_running(self, name: str) -> bool | None:
        """Return whether a process runs; None if it has never announced itself."""
        if name in self._announced:
            return True
        return False if name in self._stopped else None

    def silent_since(self, time: float) -> list[str]:
        """Return the processes whose last announcement came before *time*."""
        return [name for name, announced in self._announced.items() if announced < time]

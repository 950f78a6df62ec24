"""
The questions and answers of JavaScript's servers with the adapter for Redis Streams, which are not in the stream.

Each is one message on a pub/sub channel of Redis. This module encodes and decodes them. This module must not know how
they are sent.

Source: @socket.io/redis-streams-adapter 0.3.1, and the messages of socket.io-adapter 2.5.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from fastsio.cluster.messages import ROOM_TYPES
from fastsio.cluster.payloads import MessageError, from_msgpack, to_msgpack
from fastsio.cluster.stream_entries import check_event, read_recipients
from fastsio.protocol.packet_type import PacketType

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

#: The key in messages of fastsio's servers. Other servers of fastsio ignore them: they get the event another way.
_OWN: Final = "fastsio"


class MessageType(IntEnum):
    """The type of a message."""

    CALL = 3
    FETCH = 7
    CLIENTS = 8
    SERVER_EVENT = 9
    SERVER_ANSWER = 10
    CLIENT_COUNT = 11
    ACKNOWLEDGEMENT = 12


@dataclass(frozen=True, slots=True)
class Question:
    """
    A question of a server to all others.

    Args:
        type: CALL, FETCH or SERVER_EVENT.
        uid: The server that asks.
        namespace: The namespace.
        request_id: The id that the answers must have.
        rooms: The rooms whose clients are meant; ``(None,)`` is all clients of the namespace.
        without: The rooms whose clients are left out.
        arguments: The name of the event and its arguments, for CALL; otherwise empty.
    """

    type: MessageType
    uid: str
    namespace: str
    request_id: Any
    rooms: tuple[Hashable, ...] = (None,)
    without: frozenset[Hashable] = frozenset()
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The first argument of the acknowledgement of a client of another server, and the id of the question."""

    request_id: Any
    value: Any


def read_message(raw: bytes) -> Question | Acknowledgement | None:
    """
    Decode a message; return None if this server need not answer or read it.

    Raises:
        MessageError: The message is not valid.
    """
    try:
        message = from_msgpack(raw)
    except ValueError as error:
        raise MessageError(f"it cannot be read: {error}") from error
    match message:
        case {"uid": str(uid), "nsp": str(namespace), "type": int(kind)}:
            data = message.get("data")
        case _:
            raise MessageError("it must have a sender, a namespace and a type")
    if _OWN in message or not isinstance(data, dict) or data.get("requestId") is None:
        return None
    request_id = data["requestId"]
    match kind:
        case MessageType.ACKNOWLEDGEMENT:
            return Acknowledgement(request_id, data.get("packet"))
        case MessageType.SERVER_EVENT:
            return Question(MessageType.SERVER_EVENT, uid, namespace, request_id)
        case MessageType.FETCH:
            return Question(MessageType.FETCH, uid, namespace, request_id, *read_recipients(data.get("opts")))
        case MessageType.CALL:
            rooms, without = read_recipients(data.get("opts"))
            return Question(MessageType.CALL, uid, namespace, request_id, rooms, without, _read_event(data))
        case _:
            return None


def _read_event(data: Mapping[Any, Any]) -> tuple[Any, ...]:
    match data.get("packet"):
        case {"data": [event, *rest]}:
            check_event(event)
            return event, *rest
        case _:
            raise MessageError("it must have an event")


def write_answer(host_id: str, question: Question, kind: MessageType, **content: Any) -> bytes:
    """
    Return a message with an answer to a question, and further fields.

    Raise TypeError if MessagePack has no form for something in it; ValueError if an integer in it has more than 64
    bits, a text a lone surrogate, or it is nested too deeply.
    """
    data = {"requestId": question.request_id, **content}
    return to_msgpack({"uid": host_id, "nsp": question.namespace, "type": int(kind), "data": data})


def write_call(
    host_id: str, namespace: str, arguments: Sequence[Any], room: Hashable, request_id: str, timeout_s: float
) -> bytes:
    """
    Return a message with an event that the client in a room must acknowledge within *timeout_s* seconds.

    Raise TypeError and ValueError as :func:`write_answer` does.
    """
    data = {
        "packet": {"type": int(PacketType.EVENT), "data": list(arguments), "nsp": namespace},
        "opts": {"rooms": [room], "except": [], "flags": {"timeout": int(timeout_s * 1000)}},
        "requestId": request_id,
    }
    return to_msgpack({"uid": host_id, "nsp": namespace, "type": int(MessageType.CALL), "data": data, _OWN: True})


def write_client(sid: str, rooms: Sequence[Hashable], data: Any, environ: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a client in the form of an answer to FETCH, for servers of JavaScript.

    Headers, query and auth are left empty, because they may contain cookies and passwords; so is session data that
    MessagePack cannot encode. Rooms that are neither text nor number are left out.
    """
    try:
        to_msgpack(data)
    except (TypeError, ValueError):
        data = {}
    scheme, address = str(environ.get("wsgi.url_scheme", "http")), str(environ.get("REMOTE_ADDR", ""))
    handshake = {
        "headers": {},
        "query": {},
        "auth": {},
        "address": address,
        "secure": scheme in ("https", "wss"),
        "xdomain": False,
        "url": str(environ.get("PATH_INFO", "")),
    }
    names = [sid, *(room for room in rooms if isinstance(room, ROOM_TYPES))]
    return {"id": sid, "handshake": handshake, "rooms": names, "data": data}

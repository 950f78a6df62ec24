"""
What went over the wire or through a handler, as one line of text that is the same for equal meaning.

Knows the grammar of Engine.IO 4 and Socket.IO 5 as the documents give it, and neither of the packages under test but for the names of python-socketio's errors.
"""

from __future__ import annotations

import json
import re
from enum import IntEnum
from typing import Any

import msgpack
import socketio.exceptions

ENGINE_NAMES = {"0": "OPEN", "1": "CLOSE", "2": "PING", "3": "PONG", "5": "UPGRADE", "6": "NOOP"}
PACKET_NAMES = ("CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK")
PACKET = re.compile(r"(?P<type>[0-6])(?:(?P<count>\d+)-)?(?P<nsp>/[^,]*,?)?(?P<id>\d+)?(?P<payload>.*)", re.DOTALL)
SHARED_ERRORS = frozenset(name for name in vars(socketio.exceptions) if name.endswith("Error"))
UNKNOWN_SID = re.compile(r"(?<=['\"])[A-Za-z0-9_-]{20}(?=['\"])")


def canonical(text: str) -> str:
    """Give parsed JSON one spelling, so that spaces and the order of keys do not matter."""
    return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)


def describe_frame(frame: str | bytes, *, packed: bool = False) -> str:
    """Write an Engine.IO frame as a line; *packed* reads binary frames as msgpack packets."""
    if isinstance(frame, bytes):
        return describe_msgpack(frame) if packed else f"BINARY {frame.hex() or '(empty)'}"
    kind, rest = frame[:1], frame[1:]
    if kind == "4":
        return describe_packet(rest)
    if kind == "0":
        return f"OPEN {canonical(rest)}"
    return f"{ENGINE_NAMES.get(kind, 'UNKNOWN')} {rest}".rstrip()


def describe_body(text: str) -> str:
    """Write the body of an HTTP answer, which may be the handshake."""
    return describe_frame(text) if text.startswith("0{") else text


def describe_packet(text: str) -> str:
    """Write a Socket.IO packet as a line: name, attachments, namespace, ack id, payload."""
    match = PACKET.fullmatch(text)
    if match is None:
        return f"UNREADABLE {text}"
    parts = [PACKET_NAMES[int(match["type"])]]
    if match["count"]:
        parts.append(f"{match['count']} attached")
    parts.append((match["nsp"] or "/").removesuffix(","))
    if match["id"]:
        parts.append(f"#{match['id']}")
    if match["payload"]:
        parts.append(canonical(match["payload"]))
    return " ".join(parts)


def describe_msgpack(frame: bytes) -> str:
    """Write a packet of the msgpack serializer as a line."""
    return f"MSGPACK {render(msgpack.unpackb(frame))}"


def sid_in(frame: str | bytes) -> tuple[str, str] | None:
    """Find the sid that a handshake or a CONNECT answer tells, as ``(where, sid)``; *where* is "eio" or a namespace."""
    if isinstance(frame, bytes):
        return _sid_in_msgpack(frame)
    if frame.startswith("0"):
        return "eio", json.loads(frame[1:])["sid"]
    match = PACKET.fullmatch(frame[1:]) if frame.startswith("40") else None
    if match is None or not match["payload"]:
        return None
    return (match["nsp"] or "/").removesuffix(","), json.loads(match["payload"])["sid"]


def _sid_in_msgpack(frame: bytes) -> tuple[str, str] | None:
    try:
        packet = msgpack.unpackb(frame)
    except ValueError:
        return None
    if isinstance(packet, dict) and packet.get("type") == 0:
        return packet["nsp"], packet["data"]["sid"]
    return None


def ack_id_in(frame: str | bytes) -> str | None:
    """Find the ack id that an event asks for."""
    match = PACKET.fullmatch(frame[1:]) if isinstance(frame, str) and frame[:2] in {"42", "45"} else None
    return match and match["id"]


def render(value: Any) -> str:
    """Write a value with its types visible, dict keys sorted, and objects of the packages as their role."""
    if isinstance(value, dict):
        if "asgi.scope" in value:
            return "<environ>"
        return "{" + ", ".join(f"{key!r}: {render(value[key])}" for key in sorted(value, key=repr)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(render, value)) + "]"
    if type(value) is tuple:
        return "(" + "".join(f"{render(item)}, " for item in value).rstrip() + ")"
    if isinstance(value, IntEnum):
        return str(int(value))
    return "<server>" if hasattr(value, "register_namespace") else repr(value)


def describe_error(error: BaseException) -> str:
    """
    Write an error as ``Name: text``.

    The name is that of the class an ``except`` clause of either package can name: the error's own if python-socketio
    has it too, else the builtin it is a subclass of. A TimeoutError of the package, or what is one too, has no text in
    python-socketio.
    """
    for kind in type(error).__mro__:
        if kind.__module__ == "builtins" and kind not in {Exception, BaseException}:
            return f"{kind.__name__}: {error}"
        if kind.__name__ in SHARED_ERRORS and kind is type(error):
            return f"package.{kind.__name__}" + ("" if kind.__name__ == "TimeoutError" else f": {error}")
        if kind.__name__ == "TimeoutError":
            return "package.TimeoutError"
    return f"{type(error).__name__}: {error}"


def with_symbols(lines: list[str], symbols: dict[str, str]) -> list[str]:
    """Replace every sid by its symbol, and sids that no client was told by a number in order of appearance."""
    unknown: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return unknown.setdefault(match[0], f"<sid {len(unknown) + 1}>")

    replaced = []
    for line in lines:
        for sid, symbol in symbols.items():
            line = line.replace(sid, symbol)  # noqa: PLW2901 - one replacement after the other
        replaced.append(UNKNOWN_SID.sub(number, line))
    return replaced

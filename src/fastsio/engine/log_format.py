"""
What of a session and its packets stands in a log, in python-engineio's words.

What lets somebody in is left out: session ids are bearer secrets, and CONNECT has what a client proves itself with.
"""

from __future__ import annotations

from typing import Any, Final

#: How many characters of what a client sent stand in a log.
MAX_SHOWN: Final = 200
_NAMES: Final = ("OPEN", "CLOSE", "PING", "PONG", "MESSAGE", "UPGRADE", "NOOP")
_KINDS: Final = frozenset("0123456")
_HIDDEN: Final = "<hidden>"
_BINARY: Final = "<binary>"


def label(sid: str) -> str:
    """Shorten a session id, which is a bearer secret, to what tells sessions apart in a log."""
    return f"{sid[:6]}..."


def shown(wire: Any, *, from_server: bool) -> str:
    """
    Describe a packet.

    Args:
        wire: The packet as a text frame or in a poll, or bytes.
        from_server: Whether the server sends it.
    """
    if not isinstance(wire, str) or wire[:1] == "b":
        return f"MESSAGE data {_BINARY}"
    if wire[:1] not in _KINDS:
        return shown_text(wire)
    name, data = _NAMES[int(wire[0])], wire[1:]
    if name == "OPEN":
        return f"OPEN data {_HIDDEN}"
    return f"{name} data {shown_message(data, from_server=from_server) if name == 'MESSAGE' else data}"


def shown_message(message: str | bytes, *, from_server: bool) -> str:
    """Return a message of Engine.IO as the log shows it: without the ``auth`` of a client's CONNECT."""
    if not isinstance(message, str):
        return _BINARY
    if message[:1] == "0" and not from_server:
        head = message.partition("{")[0].partition("?")[0]
        if head != message:
            return head + _HIDDEN
    return message if message.isprintable() else ascii(message)


def shown_text(text: str) -> str:
    """Return what a client sent as one short line of printable characters."""
    return text if len(text) <= MAX_SHOWN and text.isprintable() else f"{text[:MAX_SHOWN]!r}..."

"""
How sessions and their packets are written to the log, in python-engineio's words, and how often.

Secrets are left out: session ids, which give access to a session, and the ``auth`` of CONNECT.
"""

from __future__ import annotations

from typing import Any, Final

#: The number of characters that the log shows of what a client sent.
MAX_SHOWN: Final = 200
#: Seconds between two reports of mistakes of clients of the same kind.
INTERVAL_S: Final = 60.0
_NAMES: Final = ("OPEN", "CLOSE", "PING", "PONG", "MESSAGE", "UPGRADE", "NOOP")
_KINDS: Final = frozenset("0123456")
_HIDDEN: Final = "<hidden>"
#: The key of the secret in CONNECT with which a client recovers its session.
_PID: Final = '"pid":'
_BINARY: Final = "<binary>"


def label(sid: str) -> str:
    """Shorten a session id, which is a secret, to its first characters, which distinguish sessions in a log."""
    return f"{sid[:6]}..."


def shown(wire: Any, *, from_server: bool) -> str:
    """Describe a packet: a text frame, one in a poll, or bytes."""
    if not isinstance(wire, str) or wire[:1] == "b":
        return f"MESSAGE data {_BINARY}"
    if wire[:1] not in _KINDS:
        return shown_text(wire)
    name, data = _NAMES[int(wire[0])], wire[1:]
    if name == "OPEN":
        return f"OPEN data {_HIDDEN}"
    return f"{name} data {shown_message(data, from_server=from_server) if name == 'MESSAGE' else data}"


def shown_message(message: str | bytes, *, from_server: bool) -> str:
    """Return a message of Engine.IO as the log shows it: without the ``auth`` or ``pid`` of a CONNECT."""
    if not isinstance(message, str):
        return _BINARY
    if message[:1] == "0" and (not from_server or _PID in message):
        head = message.partition("{")[0].partition("?")[0]
        if head != message:
            return head + _HIDDEN
    return message if message.isprintable() else ascii(message)


def shown_text(text: str) -> str:
    """Return what a client sent as one short line of printable characters."""
    return text if len(text) <= MAX_SHOWN and text.isprintable() else f"{text[:MAX_SHOWN]!r}..."


class Reports:
    """
    Remembers when each kind of mistake was last reported.

    A kind is a word of the server's code, never a text that a client sent.
    """

    __slots__ = ("_kinds",)

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[float, int]] = {}

    def due(self, kind: str, now: float) -> tuple[bool, int] | None:
        """
        Count a mistake; return None if it is not to be reported.

        Otherwise return whether it is the first of its kind, and how many were not reported since the last that was.
        """
        last = self._kinds.get(kind)
        if last is None:
            self._kinds[kind] = (now, 0)
            return True, 0
        reported_at, skipped = last
        if now - reported_at < INTERVAL_S:
            self._kinds[kind] = (reported_at, skipped + 1)
            return None
        self._kinds[kind] = (now, 0)
        return False, skipped

    def warn(self, logger: Any, kind: str, now: float, text: str) -> None:
        """Log a mistake as a warning if it is due, with how many were not reported since the last."""
        match self.due(kind, now):
            case True, _:
                logger.warning("%s", text)
            case False, skipped:
                logger.warning("%s (%d more since the last such message)", text, skipped)

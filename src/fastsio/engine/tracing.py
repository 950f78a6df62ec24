"""What of a session and its packets may stand in a log: a session id is a bearer secret."""

from __future__ import annotations

from typing import Final

#: How many characters of what a client sent stand in a log.
MAX_SHOWN: Final = 200


def label(sid: str) -> str:
    """Shorten a session id, which is a bearer secret, to what tells sessions apart in a log."""
    return f"{sid[:6]}..."


def shown(packet: str) -> str:
    """Hide the handshake, which holds the session id."""
    return "OPEN" if packet[:1] == "0" else packet


def shown_text(text: str) -> str:
    """Return what a client sent as one short line of printable characters."""
    return text if len(text) <= MAX_SHOWN and text.isprintable() else f"{text[:MAX_SHOWN]!r}..."

"""
What consumers send one another over a channel layer, beside the messages of the application.

Plain data, for any process may read it. A text is encoded by who sends it, once for all who get it. What goes to
several groups has an id, so that who is in two of them takes it once, and says which groups they are.
"""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from fastsio.layers.frames import EVENT, ORDER, TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ENVELOPES", "EVENT", "ORDER", "TEXT", "event_envelope", "is_left_out", "text_envelope"]

#: What may leave somebody out, or have an id.
ENVELOPES: Final = frozenset({TEXT, EVENT, ORDER})
_ID_BYTES: Final = 12


def text_envelope(text: str, *, exclude: Sequence[str] = (), groups: Sequence[str] = ()) -> dict[str, Any]:
    """
    Make a message that passes a frame on to clients.

    Args:
        text: The frame.
        exclude: The channels of the consumers, and the sids of the clients of Socket.IO, that are left out.
        groups: Where it goes.
    """
    envelope: dict[str, Any] = {"type": TEXT, "text": text, **_once(groups)}
    if exclude:
        envelope["exclude"] = exclude[0] if len(exclude) == 1 else list(exclude)
    return envelope


def event_envelope(event: dict[str, Any], *, groups: Sequence[str] = ()) -> dict[str, Any]:
    """Make a message that carries an event, as plain data."""
    return {"type": EVENT, "event": event, **_once(groups)}


def is_left_out(exclude: Any, channel: str) -> bool:
    """Whether the consumer of a channel is left out, by the name of one or by a list of them."""
    return exclude == channel or (isinstance(exclude, list) and channel in exclude)


def _once(groups: Sequence[str]) -> dict[str, Any]:
    return {"id": token_hex(_ID_BYTES), "groups": list(groups)} if len(groups) > 1 else {}

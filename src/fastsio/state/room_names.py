"""
Names of rooms made of a key and an identifier: ``chat|5``.

Different identifiers have different names, whatever is in them, and no identifier gives a name of another key.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

SEPARATOR: Final = "|"
_KEY: Final = re.compile(r"[A-Za-z0-9_.-]*")
_WORD_END: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_CONTAINERS: Final = (Mapping, AbstractSet, list, tuple, bytes, bytearray, memoryview)


class RoomName(str):
    """
    The name of a room that was made of the room itself.

    It is the text that managers and the wire know, and says besides that the application means the room: text that came
    from elsewhere, a client perhaps, does not put anybody into it.
    """

    __slots__ = ()


class NamedRoom:
    """An object that stands for a room: :attr:`name` is what managers and the wire know."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return RoomName(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamedRoom) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


def plain_room(room: Any) -> Hashable:
    """Return the name of a room, however it was given."""
    return room.name if isinstance(room, NamedRoom) else room


def entered_room(room: Any) -> Hashable:
    """Return the name under which a room is entered, however it was given: one that shows that a room was meant."""
    return RoomName(room.name) if isinstance(room, NamedRoom) else room


def key_of_name(name: str) -> str:
    """
    Return the key that the classes have whose rooms may have a name.

    >>> key_of_name("chat|5"), key_of_name("chat|a|b"), key_of_name("hall")
    ('chat', 'chat', '')
    """
    key, separator, _ = name.partition(SEPARATOR)
    return key if separator else ""


def snake_case(name: str) -> str:
    """
    Return the name of a class as the name of an event or a key.

    >>> snake_case("PrivateChat"), snake_case("HTTPLog"), snake_case("Chat2Go")
    ('private_chat', 'http_log', 'chat2_go')
    """
    return _WORD_END.sub("_", name).lower()


def key_of_class(name: str) -> str:
    """
    Return the key of a room class that gives none.

    >>> key_of_class("ChatRoom"), key_of_class("Lobby"), key_of_class("Room")
    ('chat', 'lobby', 'room')
    """
    return snake_case(name.removesuffix("Room") or name)


def is_key(key: object) -> bool:
    """Whether *key* can be the key of a room class."""
    return isinstance(key, str) and _KEY.fullmatch(key) is not None


def room_name(key: str, parts: tuple[Any, ...]) -> str:
    """
    Return the name of a room.

    >>> room_name("chat", (5,)), room_name("chat", ("a|b",)), room_name("chat", ("a", "b")), room_name("", ("hall",))
    ('chat|5', 'chat|a%7Cb', 'chat|a|b', 'hall')

    Args:
        key: The key of its class; empty for none.
        parts: The identifier: text, numbers, UUIDs and whatever else has a text of its own.

    Raises:
        ValueError: A part is empty or no identifier, or there are not as many as there must be.
    """
    texts = [_escaped(part) for part in parts]
    if key:
        return SEPARATOR.join((key, *texts))
    if len(texts) != 1:
        # Two would look like a key and an identifier.
        raise ValueError("a room without a key has an identifier of one part")
    return texts[0]


def _escaped(part: Any) -> str:
    if part is None or isinstance(part, (bool, *_CONTAINERS)):
        raise ValueError(f"a room cannot be identified by a value of type {type(part).__name__}; use text or a number")
    # A member of an enumeration of texts is its text.
    text = str.__str__(part) if isinstance(part, str) else str(part)
    if not text:
        raise ValueError("a room cannot be identified by an empty text")
    return text.replace("%", "%25").replace(SEPARATOR, "%7C")

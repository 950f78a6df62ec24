"""
Names of rooms made of a key and an identifier: ``chat|5``.

Two identifiers never have the same name, whatever characters are in them, nor have two keys.
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
    The name of a room, made from an object of a room class.

    Its type shows that the application means that room: a client can be put into a room of a class with it, but not
    with plain text of the same name, which may have come from a client.
    """

    __slots__ = ()


class NamedRoom:
    """An object for a room; :attr:`name` is the room's name in managers and on the wire."""

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
    """Return the name of a room that was given as an object or by name."""
    return room.name if isinstance(room, NamedRoom) else room


def entered_room(room: Any) -> Hashable:
    """Return the name to enter a room with: a :class:`RoomName` for an object, otherwise the name as it was given."""
    return RoomName(room.name) if isinstance(room, NamedRoom) else room


def key_of_name(name: str) -> str:
    """
    Return the key of a room class that may have a room of this name.

    >>> key_of_name("chat|5"), key_of_name("chat|a|b"), key_of_name("hall")
    ('chat', 'chat', '')
    """
    key, separator, _ = name.partition(SEPARATOR)
    return key if separator else ""


def parts_of_name(name: str) -> tuple[str, ...]:
    """
    Return the parts of the identifier in the name of a room, as text.

    >>> parts_of_name("chat|5"), parts_of_name("chat|a%7Cb"), parts_of_name("chat|a|b"), parts_of_name("hall")
    (('5',), ('a|b',), ('a', 'b'), ('hall',))
    """
    _, separator, parts = name.partition(SEPARATOR)
    texts = parts.split(SEPARATOR) if separator else [name]
    return tuple(text.replace("%7C", SEPARATOR).replace("%25", "%") for text in texts)


def snake_case(name: str) -> str:
    """
    Return the name of a class as the name of an event or a key.

    >>> snake_case("PrivateChat"), snake_case("HTTPLog"), snake_case("Chat2Go")
    ('private_chat', 'http_log', 'chat2_go')
    """
    return _WORD_END.sub("_", name).lower()


def key_of_class(name: str) -> str:
    """
    Return the key of a room class that does not set one.

    >>> key_of_class("ChatRoom"), key_of_class("Lobby"), key_of_class("Room")
    ('chat', 'lobby', 'room')
    """
    return snake_case(name.removesuffix("Room") or name)


def is_key(key: object) -> bool:
    """Whether *key* can be the key of a room class."""
    return isinstance(key, str) and _KEY.fullmatch(key) is not None


def room_name(key: str, parts: tuple[Any, ...]) -> str:
    """
    Return the name of a room; *key* is empty for a class without one, *parts* are what ``str()`` tells apart.

    >>> room_name("chat", (5,)), room_name("chat", ("a|b",)), room_name("chat", ("a", "b")), room_name("", ("hall",))
    ('chat|5', 'chat|a%7Cb', 'chat|a|b', 'hall')

    Raises:
        ValueError: A part is empty or of a type that identifies nothing, or there is no key and not exactly one part.
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
    # The member of a StrEnum, or of an Enum that is also str, counts as its text.
    text = str.__str__(part) if isinstance(part, str) else str(part)
    if not text:
        raise ValueError("a room cannot be identified by an empty text")
    return text.replace("%", "%25").replace(SEPARATOR, "%7C")

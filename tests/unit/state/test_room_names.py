"""Names of rooms."""

from __future__ import annotations

import enum
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastsio.state.room_names import (
    NamedRoom,
    RoomName,
    entered_room,
    is_key,
    key_of_class,
    key_of_name,
    parts_of_name,
    plain_room,
    room_name,
    snake_case,
)

PARTS = st.lists(st.text(min_size=1, max_size=6, alphabet=st.sampled_from("ab|%7C25-")), min_size=1, max_size=3)


class Colour(enum.Enum):
    RED = "red"


class Text(str, enum.Enum):  # noqa: UP042 - its str() is not its text
    RED = "red"


@given(PARTS, PARTS)
def test_different_identifiers_have_different_names(one, two):
    """Whatever separators and escapes are in them."""
    assert (room_name("k", tuple(one)) == room_name("k", tuple(two))) == (one == two)


@given(st.text(min_size=1, alphabet=st.sampled_from("ab|%")), PARTS)
def test_no_identifier_without_a_key_gives_a_name_with_one(part, parts):
    """Otherwise a room that everybody may join would be a way into any other."""
    assert room_name("", (part,)) != room_name("k", tuple(parts))


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ((5,), "chat|5"),
        (("5",), "chat|5"),
        ((uuid.UUID(int=1),), "chat|00000000-0000-0000-0000-000000000001"),
        (("a", 1), "chat|a|1"),
        ((), "chat"),
        ((1.5,), "chat|1.5"),
        ((Text.RED,), "chat|red"),
        ((Colour.RED,), "chat|Colour.RED"),
    ],
)
def test_the_parts_are_their_texts(parts, name):
    """Numbers and their texts are one identifier; a room of a class without parts is its key."""
    assert room_name("chat", parts) == name


@pytest.mark.parametrize("part", [None, True, "", {}, {"$gt": ""}, [], (), set(), b"x"])
def test_what_identifies_nothing_is_refused(part):
    """A client may have sent it."""
    with pytest.raises(ValueError, match="a room cannot be identified by"):
        room_name("chat", (part,))


@pytest.mark.parametrize("parts", [(), ("chat", "5")])
def test_without_a_key_there_is_one_part(parts):
    """Two would look like a key and an identifier."""
    with pytest.raises(ValueError, match="an identifier of one part"):
        room_name("", parts)


def test_keys_come_from_the_names_of_classes():
    """In snake case, without ``Room``."""
    assert key_of_class("ChatRoom") == "chat"
    assert key_of_class("PrivateChatRoom") == "private_chat"
    assert key_of_class("Roomy") == "roomy"
    assert key_of_class("Room") == "room"
    assert snake_case("HTTPLogWritten") == "http_log_written"
    assert (is_key("a.B-9_"), is_key(""), is_key("a|b"), is_key(5)) == (True, True, False, False)


def test_an_object_stands_for_its_name():
    """It is its text, equal to others of that name, and nothing else."""
    room = NamedRoom("chat|5")

    assert (str(room), plain_room(room), plain_room("x"), plain_room(5)) == ("chat|5", "chat|5", "x", 5)
    assert room == NamedRoom("chat|5")
    assert room != "chat|5"
    assert len({room, NamedRoom("chat|5"), NamedRoom("chat|6")}) == 2


def test_the_text_of_a_room_shows_that_the_room_was_meant():
    """It is equal to other text of that kind, which does not."""
    room = NamedRoom("chat|5")

    assert isinstance(str(room), RoomName)
    assert (str(room), json.dumps(str(room))) == ("chat|5", '"chat|5"')
    assert entered_room(room) == "chat|5"
    assert isinstance(entered_room(room), RoomName)
    assert entered_room(5) == 5
    assert not isinstance(entered_room("chat|5"), RoomName)
    assert type(plain_room(room)) is str


@pytest.mark.parametrize(
    ("name", "key"), [("chat|5", "chat"), ("chat|a|b", "chat"), ("hall", ""), ("|5", ""), ("", "")]
)
def test_a_name_says_the_key_of_its_class(name, key):
    """A name of one part is that of a class without a key."""
    assert key_of_name(name) == key


@given(PARTS)
def test_a_name_has_its_parts(parts):
    """The texts of an identifier are found again in the name of its room, with and without a key."""
    assert parts_of_name(room_name("chat", tuple(parts))) == tuple(parts)
    assert parts_of_name(room_name("", (parts[0],))) == (parts[0],)

from __future__ import annotations

import pytest

from fastsio.layers.names import channel_of_node, node_of, require_channel_name, require_group_name, safe_group_name

NODE = "n0123456789abcdef"


@pytest.mark.parametrize(
    "name", ["general", "support", "team-alpha", "room_x", "chat_x", "app_v1_room_x", "a.b", "A" * 99]
)
def test_names_of_rooms_are_valid(name):
    """What the tutorials call their rooms and groups is valid, up to 99 characters."""
    require_group_name(name)
    require_channel_name(name)


@pytest.mark.parametrize("name", ["", "a b", "ünï", "a|b", "a:b", "specific!x", "x" * 100, "a\n", None, 5, b"a"])
def test_other_names_are_refused_with_a_cure(name):
    """A name that no broker should see is a TypeError, whoever checks it."""
    with pytest.raises(TypeError, match=r"a group's name .* safe_group_name"):
        require_group_name(name)
    with pytest.raises(TypeError, match=r"a channel's name .* new_channel"):
        require_channel_name(name)


@pytest.mark.parametrize("name", ["general", "team-alpha", "app.v1.room", "room_x"])
def test_a_valid_part_stays_as_it_is(name):
    """Who needs no escaping sees none."""
    assert safe_group_name(name) == name


@pytest.mark.parametrize("part", ["team a", "ünï 💬", "", "a/b", "x" * 300, ".a", "a..b", "\x00"])
def test_anything_becomes_a_valid_name(part):
    """A room with spaces or other alphabets has a group."""
    require_group_name(safe_group_name(part))
    require_group_name(safe_group_name("room", part))


def test_different_parts_have_different_names():
    """Nothing that joins parts can be mistaken for a part."""
    parts = [("a|b",), ("a", "b"), ("a.b",), ("a..b",), ("a", ".b"), ("a.", "b"), ("ab",), ("a", "", "b"), ("A", "B")]

    assert len({safe_group_name(*each) for each in parts}) == len(parts)


def test_a_name_cannot_be_made_of_nothing():
    """No part is a mistake."""
    with pytest.raises(TypeError, match="at least one part"):
        safe_group_name()


def test_a_channel_says_which_process_reads_it():
    """What was put in comes out."""
    assert node_of(channel_of_node("specific", NODE, "ff")) == NODE
    assert channel_of_node("specific.", NODE, "ff") == f"specific.{NODE}.ff"


@pytest.mark.parametrize("name", ["jobs", "a.b.c", f"{NODE}.x", f"a.{NODE}", "a.N0123456789abcdef.x", "."])
def test_other_channels_belong_to_nobody(name):
    """Only the form of new_channel() names a process."""
    assert node_of(name) is None


def test_a_prefix_that_makes_the_name_too_long_is_refused():
    """The name has to fit as a whole."""
    with pytest.raises(TypeError, match="1 to 99 characters"):
        channel_of_node("x" * 80, NODE, "0" * 16)

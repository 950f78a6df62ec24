from __future__ import annotations

import pytest

from fastsio.exceptions import PacketError
from fastsio.protocol.limits import (
    DEFAULT_LIMITS,
    Limits,
    check_ack_id,
    check_namespace,
    check_packet_type,
    check_text_depth,
    check_value_depth,
    text_depth,
)
from fastsio.protocol.packet_type import PacketType


def test_the_defaults_are_the_documented_ones():
    """A decoder without options enforces what the documentation promises."""
    assert Limits() == DEFAULT_LIMITS
    assert DEFAULT_LIMITS.max_attachments == 10
    assert DEFAULT_LIMITS.max_binary_bytes == 1_000_000
    assert DEFAULT_LIMITS.max_json_depth == 64
    assert DEFAULT_LIMITS.max_ack_id == 2**53 - 1
    assert DEFAULT_LIMITS.max_event_length == 256
    assert DEFAULT_LIMITS.max_namespace_length == 256


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_attachments", -1),
        ("max_attachments", 10_000_000),
        ("max_binary_bytes", 1.5),
        ("max_binary_bytes", True),
        ("max_json_depth", 0),
        ("max_json_depth", 513),
        ("max_ack_id", 2**53),
        ("max_event_length", "256"),
        ("max_namespace_length", None),
    ],
)
def test_a_limit_out_of_range_is_refused(option, value):
    """The error names the option, the value and what is allowed."""
    with pytest.raises(ValueError, match=rf"{option} is {value!r}; it must be an integer from \d+ to \d+"):
        Limits(**{option: value})


def test_a_limit_may_be_at_either_end_of_its_range():
    """The ends of the range are allowed."""
    assert Limits(max_attachments=0, max_json_depth=512).max_json_depth == 512


@pytest.mark.parametrize("value", [None, "2", 2.0, True, -1, 7, [2]])
def test_what_is_no_packet_type_is_refused(value):
    """Only whole numbers of the protocol are types."""
    with pytest.raises(PacketError, match="unknown packet type"):
        check_packet_type(value)


def test_a_packet_type_beyond_the_encodings_last_is_refused():
    """MessagePack has no binary types."""
    assert check_packet_type(4, highest=PacketType.CONNECT_ERROR) is PacketType.CONNECT_ERROR
    with pytest.raises(PacketError):
        check_packet_type(5, highest=PacketType.CONNECT_ERROR)


def test_a_namespace_loses_its_query_string():
    """What follows the question mark never selects another namespace."""
    assert check_namespace("/chat?token=1", Limits()) == "/chat"


@pytest.mark.parametrize("value", [None, 1, b"/", "/" + "a" * 256, "*", "", "chat", "?/"])
def test_a_namespace_that_no_packet_in_json_can_have_is_refused(value):
    """It is a text with a slash at its start, within the limit, in every encoding: "*" is a server's word."""
    with pytest.raises(PacketError):
        check_namespace(value, Limits())


@pytest.mark.parametrize("value", [None, 0, 1, 2**53 - 1])
def test_an_ack_id_is_none_or_a_whole_number(value):
    """0 is an id."""
    assert check_ack_id(value, Limits()) == value


@pytest.mark.parametrize("value", ["1", 1.0, True, -1, 2**53, [1]])
def test_what_is_no_ack_id_is_refused(value):
    """Above 2**53 - 1 numbers are not exact in JavaScript."""
    with pytest.raises(PacketError):
        check_ack_id(value, Limits())


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("", 0),
        ("1", 0),
        ("[]", 1),
        ('{"a":[{}]}', 3),
        ("[],[],[]", 1),
        ('["[[[[[["]', 1),
        (r'["\"[[["]', 1),
        (r'["\\",[[]]]', 3),
        ('["é[[\u2028"]', 1),
        ('["\ud800["]', 1),
        ("[[[", 3),
        ('[["[[[[', 2),
        ('[["[[[[\\', 2),
        ("]]]", 0),
        (r'["\\\"[",[]]', 2),
        ("[" * 20 + "]" * 20 + "[[]]", 20),
        ("[[],[[]],{}]" * 3, 3),
    ],
)
def test_brackets_are_counted_outside_of_strings_only(text, depth):
    """Also in text that is not valid, or ends in the middle of a string."""
    assert text_depth(text) == depth


def test_text_as_deep_as_allowed_passes():
    """The limit itself is allowed."""
    check_text_depth("[" * 3 + "]" * 3, 3)


def test_text_deeper_than_allowed_is_refused():
    """The error tells limit and value."""
    with pytest.raises(PacketError) as caught:
        check_text_depth("[" * 4 + "]" * 4, 3)

    assert (caught.value.limit, caught.value.value) == (3, 4)


@pytest.mark.parametrize("text", ["[][][[[[", "[[]]" * 3 + "[" * 9 + "x", "[" * 9 + '"\\'])
def test_text_that_is_not_valid_is_not_measured_as_less_than_it_is(text):
    """A parser would be that deep before it found the mistake."""
    assert text_depth(text) >= len(text.rstrip('x"\\')) - len(text.rstrip('x"\\').rstrip("["))


def test_many_brackets_beside_each_other_are_not_deep():
    """The exact count follows the cheap one."""
    check_text_depth("[" + ",".join(["{}"] * 1000) + "]", 2)


def test_escaped_quotes_in_an_unterminated_string_are_read_once():
    """A megabyte of them takes milliseconds; the test's timeout is for the quadratic way."""
    check_text_depth('["' + '\\"[' * 300_000, 64)


def test_values_as_deep_as_allowed_pass():
    """Scalars have no depth."""
    check_value_depth(None, 1)
    check_value_depth([1, {"a": "b"}], 2)


def test_values_deeper_than_allowed_are_refused():
    """Dicts and lists count alike."""
    with pytest.raises(PacketError, match="nested too deeply"):
        check_value_depth([{"a": [1]}], 2)

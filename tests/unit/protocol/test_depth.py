from __future__ import annotations

import pytest

from fastsio.exceptions import PacketError
from fastsio.protocol.depth import check_text_depth, check_value_depth, text_depth


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

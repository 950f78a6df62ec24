"""Which texts are offsets of events."""

from __future__ import annotations

import pytest

from fastsio.protocol.offset import MAX_OFFSET_CHARS, TOLERANCE_S, is_offset, read_offset, write_offset

NOW_S = 1_796_000_000.0


@pytest.mark.parametrize("text", ["Q8fyIW0", "Q8fyIW0.0", "1796000000000-0", "1796000000000-12345"])
def test_offsets_of_the_javascript_server_are_known(text):
    """By their form and their time: in memory, the second in one millisecond, in a stream."""
    assert is_offset(text, NOW_S)
    assert is_offset(text, NOW_S - TOLERANCE_S / 2)
    assert not is_offset(text, NOW_S + 2 * TOLERANCE_S)


@pytest.mark.parametrize("position", [0, 7, 10**18 - 1])
def test_offsets_of_fastsio_are_known(position):
    """At any time; they are read as they were written."""
    text = write_offset(position)

    assert is_offset(text, NOW_S)
    assert is_offset(text, 0.0)
    assert read_offset(text) == position


@pytest.mark.parametrize(
    "text",
    [
        "",
        "welcome",
        "QQQQQQQ",
        "1000000000000-0",
        "1796000000000",
        "1796000000000-",
        "Q8fyIW0.",
        "Q8fyIW0\n",
        "ä" * 7,
        "7",
        "~~",
        "~7",
        "~-7~",
        "~\u0667~",
        "~7~\n",
        "~" + "7" * 19 + "~",
    ],
)
def test_other_texts_are_not(text):
    """Words and numbers of the same length are of another time."""
    assert not is_offset(text, NOW_S)
    assert read_offset(text) is None


def test_a_long_text_is_no_offset():
    """Whatever its form is."""
    assert not is_offset("1796000000000-" + "0" * MAX_OFFSET_CHARS, NOW_S)

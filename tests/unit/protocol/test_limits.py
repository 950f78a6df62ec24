from __future__ import annotations

import pytest

from fastsio.protocol.limits import DEFAULT_LIMITS, Limits


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

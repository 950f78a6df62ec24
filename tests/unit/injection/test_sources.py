"""Getters."""

from __future__ import annotations

import pytest

from fastsio.exceptions import ValidationFailed
from fastsio.injection import sources
from fastsio.injection.parameters import CALL_FORMS
from fastsio.injection.signature import EMPTY
from fastsio.types import Source


def test_every_source_and_every_slot_has_a_getter():
    """A new one cannot be forgotten."""
    assert set(sources.SOURCES) == set(Source)
    assert {slot for slots, _ in CALL_FORMS.values() for slot in slots} <= set(sources.WIRE)


def test_payload_getters_report_what_is_missing(harness):
    """Unless there is a default."""
    for getter in (
        sources.raw_argument(0, EMPTY),
        sources.valid_argument(0, int, EMPTY),
        sources.auth_argument(int, EMPTY),
    ):
        with pytest.raises(ValidationFailed, match="Field required"):
            getter(harness.context())

    assert sources.raw_argument(0, 5)(harness.context()) == 5
    assert sources.valid_argument(0, int, 5)(harness.context()) == 5
    assert sources.auth_argument(int, 5)(harness.context()) == 5


def test_named_values_are_validated_when_they_are_there(harness):
    """None with a default is the default."""
    getter = sources.valid_named_value("data", int, EMPTY)

    assert getter(harness.context(named={"data": "5"})) == 5
    with pytest.raises(ValidationFailed):
        getter(harness.context(named={"data": None}))
    assert sources.valid_named_value("data", int, 7)(harness.context(named={"data": None})) == 7

"""Calling functions with getters."""

from __future__ import annotations

import pytest

from fastsio.injection.calls import Arguments, bind
from fastsio.injection.sources import constant


@pytest.mark.parametrize("count", range(7))
def test_any_number_of_positional_getters(harness, count):
    """The short forms and the general one give the same."""
    call = bind(lambda *values: values, Arguments([constant(number) for number in range(count)]))

    assert call(harness.context()) == tuple(range(count))


def test_keywords_the_rest_of_the_payload_and_open_keywords(harness):
    """Everything a signature can take."""
    arguments = Arguments([constant("a")], {"key": constant("b")}, rest=1, open_keywords=constant({"other": "c"}))
    call = bind(lambda *values, **named: (values, named), arguments)

    assert call(harness.context("first", "second")) == (("a", "second"), {"key": "b", "other": "c"})

"""The garbage collector's threshold."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from fastsio.engine.collecting import catch_up

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Leave the collector as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.enable()
    gc.set_threshold(*thresholds)


def test_the_former_default_becomes_that_of_newer_versions():
    """Whatever the version's own default is; once is enough."""
    gc.set_threshold(700, 10, 10)
    catch_up()
    catch_up()

    assert gc.get_threshold() == (2000, 10, 10)


@pytest.mark.parametrize("thresholds", [(700, 10, 5), (50_000, 20, 30), (0, 10, 10), (2000, 10, 10)])
def test_thresholds_of_the_application_are_left_alone(thresholds):
    """Any that is not the former default, as a whole, was somebody's choice."""
    gc.set_threshold(*thresholds)
    catch_up()

    assert gc.get_threshold() == thresholds


def test_a_collector_that_is_off_is_left_alone():
    """Whoever collects by hand has reasons."""
    gc.disable()
    gc.set_threshold(700, 10, 10)
    catch_up()

    assert gc.get_threshold() == (700, 10, 10)
    assert not gc.isenabled()

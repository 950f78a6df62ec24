"""The garbage collector's threshold."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from fastsio.engine.gc_policy import collect_less_often, freeze_loaded_objects

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Let nothing be frozen at first, and leave the collector as it was."""
    thresholds = gc.get_threshold()
    was_frozen = gc.get_freeze_count() > 0
    gc.unfreeze()
    yield
    gc.enable()
    gc.unfreeze()
    if was_frozen:
        gc.freeze()
    freeze_loaded_objects.cache_clear()
    gc.set_threshold(*thresholds)


@pytest.mark.parametrize("young", [700, 2000])
def test_the_default_becomes_ten_thousand(young):
    """The default of each version of CPython is raised; a second call changes nothing."""
    gc.set_threshold(young, 10, 10)

    assert collect_less_often()
    assert collect_less_often()
    assert gc.get_threshold() == (10_000, 10, 10)


@pytest.mark.parametrize("thresholds", [(700, 10, 5), (50_000, 20, 30), (0, 10, 10), (2000, 10, 0)])
def test_thresholds_of_the_application_are_left_alone(thresholds):
    """Thresholds that are not a default are the application's, or those of the incremental collector of 3.14.0."""
    gc.set_threshold(*thresholds)

    assert not collect_less_often()
    assert gc.get_threshold() == thresholds


def test_a_collector_that_is_off_is_left_alone():
    """An application that collects by hand goes on to do so."""
    gc.disable()
    gc.set_threshold(700, 10, 10)

    assert not collect_less_often()
    assert gc.get_threshold() == (700, 10, 10)
    assert not gc.isenabled()


@pytest.mark.parametrize("is_raised_before", [False, True])
def test_what_is_loaded_is_frozen_whether_or_not_the_threshold_was_raised_before(is_raised_before):
    """The first connection of a server may have polled, and raised the threshold."""
    gc.set_threshold(700, 10, 10)
    if is_raised_before:
        collect_less_often()

    freeze_loaded_objects()

    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold() == (10_000, 10, 10)


def test_nothing_is_frozen_where_the_application_has_set_the_collector():
    """Neither is the threshold changed."""
    gc.set_threshold(5000, 10, 10)

    freeze_loaded_objects()

    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == (5000, 10, 10)

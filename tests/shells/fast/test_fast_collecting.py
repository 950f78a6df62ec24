"""What becomes of the garbage collector, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import gc, json
from fastsio.engine.gc_policy import freeze_loaded_objects
{setting}
freeze_loaded_objects()
frozen = gc.get_freeze_count()
freeze_loaded_objects()
print(json.dumps([frozen > 1000, gc.get_freeze_count() == frozen, gc.get_threshold()[0], gc.isenabled()]))
"""


def after(setting: str) -> list[object]:
    """Return whether much was frozen, and once; the threshold of young objects; and whether there is collecting."""
    program = PROGRAM.format(setting=setting)
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)  # type: ignore[no-any-return] # what is printed above


def test_what_is_loaded_is_frozen_once():
    """And young objects are looked through less often."""
    assert after("") == [True, True, 10_000, True]


@pytest.mark.parametrize(
    ("setting", "threshold", "enabled"),
    [("gc.disable()", None, False), ("gc.set_threshold(50_000)", 50_000, True), ("gc.set_threshold(0)", 0, True)],
)
def test_what_the_application_has_decided_is_left_alone(setting, threshold, enabled):
    """A collector that is off, or has thresholds of its own."""
    frozen, _, young, is_enabled = after(setting)

    assert not frozen
    assert is_enabled == enabled
    assert threshold is None or young == threshold

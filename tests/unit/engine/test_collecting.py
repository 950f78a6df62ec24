"""The garbage collector's threshold, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import gc, json
from fastsio.engine.collecting import catch_up
{setting}
catch_up()
print(json.dumps([*gc.get_threshold(), gc.isenabled()]))
"""


def after(setting: str) -> list[object]:
    """Return the thresholds, and whether there is collecting."""
    program = PROGRAM.format(setting=setting)
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)  # type: ignore[no-any-return] # what is printed above


def test_the_default_becomes_that_of_newer_versions():
    """Whatever the version's own default is."""
    assert after("gc.set_threshold(700, 10, 10)") == [2000, 10, 10, True]
    assert after("")[0] == 2000


@pytest.mark.parametrize(
    ("setting", "thresholds"),
    [
        ("gc.disable(); gc.set_threshold(700, 10, 10)", [700, 10, 10, False]),
        ("gc.set_threshold(700, 10, 5)", [700, 10, 5, True]),
        ("gc.set_threshold(50_000, 20, 30)", [50_000, 20, 30, True]),
        ("gc.set_threshold(0, 10, 10)", [0, 10, 10, True]),
    ],
)
def test_what_the_application_has_decided_is_left_alone(setting, thresholds):
    """A collector that is off, or has thresholds of its own."""
    assert after(setting) == thresholds

"""The differences that scenarios declare are the ones the documentation lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.parity.scenario import load

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "compatibility.md"
DECLARED = {name: scenario.differs for name, scenario in load().items() if scenario.differs is not None}


@pytest.mark.parametrize("name", DECLARED)
def test_declared_difference_has_a_row_in_the_compatibility_page(name: str) -> None:
    """Whatever differs on purpose is documented."""
    rows = re.findall(r"^\| (C-\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert DECLARED[name].row in rows


@pytest.mark.parametrize("name", DECLARED)
def test_declared_difference_says_what_differs(name: str) -> None:
    """A declaration gives a reason and at least one line that one package alone has."""
    difference = DECLARED[name]

    assert difference.reason.endswith(".")
    assert [*difference.socketio, *difference.fastsio]

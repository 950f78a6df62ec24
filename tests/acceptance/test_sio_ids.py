"""Which tests show which acceptance checks."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
MARKER = re.compile(r"""mark\.acceptance\((["'])(SIO-\d+)\1\)""")
CHECKS = {f"SIO-{number}" for number in range(1, 29)}


def test_every_check_is_shown_by_a_test() -> None:
    """SIO-1 to SIO-28 each stand in the marker of a test, and no other id does."""
    modules = [path for path in TESTS.rglob("test_*.py") if "node_modules" not in path.parts]
    named = {found[2] for path in modules for found in MARKER.finditer(path.read_text(encoding="utf-8"))}

    assert named == CHECKS

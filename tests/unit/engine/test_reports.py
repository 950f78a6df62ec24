"""How often mistakes of clients are reported."""

from __future__ import annotations

from fastsio.engine.reports import INTERVAL_S, Reports


def test_each_kind_is_reported_once_a_minute():
    """The next report says how many were left out."""
    reports = Reports()

    assert reports.due("a", 10.0) == (True, 0)
    assert reports.due("a", 10.0) is None
    assert reports.due("b", 10.0) == (True, 0)
    assert reports.due("a", 9.9 + INTERVAL_S) is None
    assert reports.due("a", 10.0 + INTERVAL_S) == (False, 2)
    assert reports.due("a", 10.1 + INTERVAL_S) is None

"""Dicts that say when they change."""

from __future__ import annotations

import pytest

from fastsio.routing.registry import WatchedDict


@pytest.fixture
def table():
    """Return a table that writes its changes down."""
    changes = []
    table = WatchedDict(lambda: changes.append(1))
    table["a"] = 1
    table["b"] = 2
    changes.clear()
    table.changes = changes
    return table


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda table: table.__setitem__("a", 3), {"a": 3, "b": 2}),
        (lambda table: table.__delitem__("a"), {"b": 2}),
        (lambda table: table.setdefault("c", 3), {"a": 1, "b": 2, "c": 3}),
        (lambda table: table.update(a=5), {"a": 5, "b": 2}),
        (lambda table: table.__ior__({"a": 5}), {"a": 5, "b": 2}),
        (lambda table: table.pop("a"), {"b": 2}),
        (lambda table: table.pop("z", None), {"a": 1, "b": 2}),
        (lambda table: table.popitem(), {"a": 1}),
        (lambda table: table.clear(), {}),
    ],
)
def test_every_change_is_reported(table, change, left):
    """However a dict can be changed."""
    change(table)

    assert table == left
    assert len(table.changes) == 1


def test_reading_reports_nothing(table):
    """setdefault of a key that is there is a read."""
    assert table.setdefault("a", 9) == table["a"] == table.get("a") == 1
    assert table.changes == []


def test_dicts_in_a_nested_table_are_watched_too():
    """handlers[namespace][event] = f is a change."""
    changes = []
    table = WatchedDict(lambda: changes.append(1), nested=True)
    table["/"] = {"a": 1}
    changes.clear()

    table["/"]["b"] = 2
    table["/x"] = table["/"]

    assert table["/x"] is table["/"]
    assert table == {"/": {"a": 1, "b": 2}, "/x": {"a": 1, "b": 2}}
    assert len(changes) == 2

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Overlook what python-socketio's client leaves to the garbage collector."""
    for item in items:
        if "tests/acceptance/" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning"))


@pytest.fixture(scope="module", autouse=True)
def left_here(collected: None) -> None:
    """Collect that before the tests of another module run."""

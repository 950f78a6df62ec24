from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.shells.sync_engine.wire import Application

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def make_app() -> Iterator[Any]:
    """Make applications that end with the test."""
    made: list[Application] = []

    def make(**options: Any) -> Application:
        made.append(Application(**options))
        return made[-1]

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app) -> Application:
    """An application whose heartbeat plays no part."""
    return make_app()

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.shells.sync_engine.wire import Application, made

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def close_apps() -> Iterator[None]:
    """Let applications end with the test."""
    yield
    while made:
        made.pop().close()


@pytest.fixture
def make_app() -> type[Application]:
    """Make applications."""
    return Application


@pytest.fixture
def app(make_app) -> Application:
    """An application whose heartbeat plays no part."""
    return make_app()

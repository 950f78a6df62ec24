"""The event loops that tests of the shells run on: a folder's conftest imports the hook of pytest-asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import uvloop

from tests.support.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test on asyncio's loop and on uvloop's, those that are about time on a virtual one."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualLoop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

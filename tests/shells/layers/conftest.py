from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from fastsio.layers import InMemoryChannelLayer, override
from tests.shells.layers.chat import BANNED, LOG, Stage
from tests.support.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A server and consumers."""
    BANNED.clear()
    LOG.clear()
    layer = InMemoryChannelLayer()
    with override("chat", layer):
        async with AsyncExitStack() as stack:
            made = Stage(stack, layer)
            stack.push_async_callback(made.sio.shutdown)
            yield made
    await layer.close()

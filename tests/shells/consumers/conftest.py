from __future__ import annotations

import pytest

from fastsio.layers import InMemoryChannelLayer, override
from tests.support.loops import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]


@pytest.fixture
async def layer():
    """A layer with the alias ``chat``."""
    with override("chat", InMemoryChannelLayer()) as layer:
        yield layer
        await layer.close()

"""Waiting for what other tasks do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(is_so: Callable[[], Any]) -> None:
    """Let others run until something is the case."""
    async with asyncio.timeout(WAIT_S):
        while not is_so():  # noqa: ASYNC110 - what changes has no event
            await asyncio.sleep(0)

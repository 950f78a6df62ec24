"""An administrator of the admin interface."""

from __future__ import annotations

import asyncio
from typing import Any

import fastsio
from tests.support.waiting import WAIT_S

ADA = {"username": "ada", "password": "secret"}


class Administrator:
    """Keeps what an administrator is told."""

    def __init__(self) -> None:
        self.client = fastsio.AsyncClient(handle_sigint=False)
        self.client.on("*", self._take, namespace="/admin")
        self.told: list[tuple[Any, ...]] = []
        self._news = asyncio.Event()

    async def _take(self, *report: Any) -> None:
        self.told.append(report)
        self._news.set()

    async def until(self, event: str, *start: Any) -> tuple[Any, ...]:
        """Wait for a report that begins so, and return it."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for report in self.told:
                    if report[: 1 + len(start)] == (event, *start):
                        return report
                self._news.clear()
                await self._news.wait()

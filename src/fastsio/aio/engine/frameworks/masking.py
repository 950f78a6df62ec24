"""
Whether a framework's WebSockets can be made to refuse frames without a mask, found out before the first needs it.

The frameworks have no public way to look at frames, so private parts of them are used. These are tried out once, with a
WebSocket in memory: if a version does something else, its WebSockets are left as they are, and a warning is logged.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from logging import Logger

#: How long a trial may take, on a busy machine too.
TRIAL_S: Final = 5.0
#: A handshake, and frames: "a" in a frame with a mask, "b" in another, "c" in one without.
REQUEST: Final = (
    b"GET / HTTP/1.1\r\nHost: trial\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
FIRST: Final = b"\x81\x81\x00\x00\x00\x00a"
SECOND: Final = b"\x81\x81\x01\x01\x01\x01c"
UNMASKED: Final = b"\x81\x01c"


class Trial:
    """The trial of what is used of a framework: *find_problem* returns what is otherwise than expected, or None."""

    def __init__(self, framework: str, find_problem: Callable[[], Awaitable[str | None]], logger: Logger) -> None:
        self._framework = framework
        self._find_problem = find_problem
        self._logger = logger
        self._fits: bool | None = None

    async def fits(self) -> bool:
        """Tell whether the framework does what is expected of it; only the first call tries it out."""
        if self._fits is None:
            problem = await self._problem()
            if self._fits is None:  # connections that come at once each run the trial, and one of them logs
                self._record(problem)
        return self._fits is True

    def _record(self, problem: str | None) -> None:
        self._fits = problem is None
        if problem is not None:
            self._logger.warning(
                "WebSocket frames that are not masked are accepted, for this version of %s is not as fastsio expects: "
                "%s. Everything else works; install a version that fastsio was tested with to have them refused",
                self._framework,
                problem,
            )

    async def _problem(self) -> str | None:
        try:
            async with asyncio.timeout(TRIAL_S):
                return await self._find_problem()
        except TimeoutError:
            return f"a WebSocket was not served within {TRIAL_S:g} seconds"
        except Exception as error:  # noqa: BLE001 - whatever another version does
            return repr(error)

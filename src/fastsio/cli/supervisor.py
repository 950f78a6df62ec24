"""
uvicorn's supervisor of several workers, extended: what the starting process does when workers end by themselves.

uvicorn starts a worker again as soon as it has ended, and exits with status 0 when the application cannot start.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger("uvicorn.error")
#: The exit status of a worker whose application cannot start, and then of the command.
STARTUP_FAILURE: Final = 3
#: Seconds until ended workers are looked for again: after the first one that has ended, and the most. The time doubles
#: with each look that finds one, and begins anew after CALM_S seconds without.
FIRST_DELAY_S: Final = 0.5
MAX_DELAY_S: Final = 10.0
CALM_S: Final = 60.0
#: Two workers may end soon after each other by chance; a longer delay is logged.
WARNED_DELAY_S: Final = 1.0


def supervisor_class(standard: Any, clock: Callable[[], float] = monotonic) -> Any:
    """Return a subclass of uvicorn's supervisor; *clock* returns seconds."""

    class Supervisor(standard):  # type: ignore[misc] # uvicorn's class
        """Starts workers; it waits longer and longer before it starts one again, and fails if the application does."""

        _due_s = _last_end_s = float("-inf")
        _delay_s = FIRST_DELAY_S

        def run(self) -> None:
            """Supervise the workers until a signal comes, or the application cannot start."""
            super().run()
            if any(each.process.exitcode == STARTUP_FAILURE for each in self.processes):
                raise SystemExit(STARTUP_FAILURE)

        def keep_subprocess_alive(self) -> None:
            """Start ended workers again; called twice a second."""
            now_s = clock()
            if now_s < self._due_s:
                return
            before = list(self.processes)
            super().keep_subprocess_alive()
            if all(map(_is_same, before, self.processes)):
                return
            now_s = clock()
            if now_s - self._last_end_s > CALM_S:
                self._delay_s = FIRST_DELAY_S
            else:
                self._delay_s = min(2 * self._delay_s, MAX_DELAY_S)
            if self._delay_s > WARNED_DELAY_S:
                logger.warning("Workers end again and again; the next is started in %s seconds at least", self._delay_s)
            self._last_end_s, self._due_s = now_s, now_s + self._delay_s

    return Supervisor


def _is_same(one: object, other: object) -> bool:
    return one is other


@contextmanager
def supervised(main: Any) -> Iterator[None]:
    """Let uvicorn's module *main* use :func:`supervisor_class` for the length of the block."""
    standard = main.Multiprocess
    main.Multiprocess = supervisor_class(standard)
    try:
        yield
    finally:
        main.Multiprocess = standard

"""
Middlewares: code that runs around the handlers of events.

The classes to subclass, and those that come with fastsio: authentication, logging, rate limiting. Not to be confused
with :mod:`fastsio.middleware`, without an s: python-socketio's module with the WSGI application.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections import OrderedDict, deque
from threading import Lock
from typing import TYPE_CHECKING, Any

from fastsio.engine.request import PROTOCOL_KEY
from fastsio.exceptions import EventError, RateLimited, SetupError
from fastsio.injection.signature import Colour, colour_of
from fastsio.protocol import CURRENT, LEGACY
from fastsio.routing import BaseMiddleware, MiddlewareChain, SyncMiddleware

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = [
    "BaseMiddleware",
    "MiddlewareChain",
    "SyncMiddleware",
    "auth_middleware",
    "logging_middleware",
    "rate_limit_middleware",
]


class _Auth(SyncMiddleware):
    def __init__(self, auth_checker: Callable[[str, dict[str, Any]], bool | Awaitable[bool]]) -> None:
        super().__init__()
        self._auth_checker = auth_checker

    def before_event(self, event: str, sid: str, data: Any, environ: Any = None, **_: Any) -> Any:
        # The disconnect handler of a client that was let in must run, even if the checker refuses the client now.
        if event == "disconnect":
            return data
        verdict = self._auth_checker(sid, environ or {})
        return self._let_in_later(verdict, data) if inspect.isawaitable(verdict) else self._let_in(verdict, data)

    async def _let_in_later(self, verdict: Awaitable[Any], data: Any) -> Any:
        return self._let_in(await verdict, data)

    def _let_in(self, verdict: Any, data: Any) -> Any:
        if not verdict:
            raise EventError("unauthorized", "Authentication required.")
        return data


class _WaitingAuth(_Auth):
    """The middleware for a checker that is a coroutine function; servers for threads refuse its hook."""

    async def before_event(self, event: str, sid: str, data: Any, environ: Any = None, **_: Any) -> Any:
        verdict = super().before_event(event, sid, data, environ)
        return await verdict if inspect.isawaitable(verdict) else verdict

    before_event.__qualname__ = "the checker of auth_middleware()"


class _Logging(SyncMiddleware):
    def __init__(self, logger: logging.Logger | None) -> None:
        super().__init__()
        self._logger = logger or logging.getLogger("fastsio.events")

    def before_event(self, event: str, sid: str, data: Any, namespace: str = "/", environ: Any = None, **_: Any) -> Any:
        self._logger.info("%s %s: %s", namespace, _shown(sid, environ), event)
        return data

    def after_event(
        self, event: str, sid: str, response: Any, namespace: str = "/", environ: Any = None, **_: Any
    ) -> Any:
        self._logger.debug("%s %s: %s done", namespace, _shown(sid, environ), event)
        return response

    def handle_exception(
        self, exc: Exception, event: str, sid: str, data: Any, namespace: str = "/", environ: Any = None, **_: Any
    ) -> Any:
        self._logger.warning("%s %s: %s failed: %s", namespace, _shown(sid, environ), event, type(exc).__name__)
        raise exc


def _shown(sid: str, environ: Any) -> str:
    """Return a sid for logs: without the Engine.IO session id, a secret, which is in a sid of Engine.IO 3."""
    return (LEGACY if PROTOCOL_KEY in (environ or {}) else CURRENT).label(sid)


class _RateLimit(SyncMiddleware):
    def __init__(self, max_requests: int, window_seconds: float, clock: Callable[[], float]) -> None:
        super().__init__()
        self.window = RateWindow(max_requests, window_seconds)
        self._clock = clock

    def before_event(self, event: str, sid: str, data: Any, **_: Any) -> Any:
        if event not in ("connect", "disconnect"):
            retry_after = self.window.count(sid, self._clock())
            if retry_after:
                raise RateLimited(round(retry_after, 3))
        return data


def auth_middleware(auth_checker: Callable[[str, dict[str, Any]], bool | Awaitable[bool]]) -> BaseMiddleware:
    """
    Return a middleware that calls *auth_checker* before ``connect`` and every event.

    Args:
        auth_checker: ``(sid, environ) -> bool``, or a coroutine function, which servers for threads refuse. If the
            result is false, the client is refused, or its event is answered with ``unauthorized``.

    Raises:
        SetupError: *auth_checker* cannot be called.
    """
    if not callable(auth_checker):
        raise SetupError(f"auth_middleware() takes a function checker(sid, environ), not {auth_checker!r}")
    waits = colour_of(auth_checker) is Colour.COROUTINE
    return _WaitingAuth(auth_checker) if waits else _Auth(auth_checker)


def logging_middleware(logger: logging.Logger | None = None) -> BaseMiddleware:
    """
    Return a middleware that logs each event, at INFO, and each failure, at WARNING. Payloads are not logged.

    Args:
        logger: The logger; None is ``fastsio.events``.
    """
    return _Logging(logger)


def rate_limit_middleware(
    max_requests: int, window_seconds: float, *, clock: Callable[[], float] = time.monotonic
) -> BaseMiddleware:
    """
    Return a middleware that answers ``rate_limited`` to a client that sends too much.

    The error's ``detail`` is ``{"retry_after": seconds}``. ``connect`` and ``disconnect`` do not count.

    Args:
        max_requests: Events that a client may send in any window.
        window_seconds: The window's length.
        clock: Returns seconds that never go back.

    Raises:
        ValueError: A number is not positive.
    """
    return _RateLimit(max_requests, window_seconds, clock)


class RateWindow:
    """A sliding window for each client; threads may share it. ValueError for a number that is not positive."""

    def __init__(self, max_requests: int, window_s: float) -> None:
        if max_requests < 1 or window_s <= 0:
            raise ValueError(f"max_requests={max_requests!r}, window={window_s!r}: both must be positive")
        self._max_requests = max_requests
        self._window_s = window_s
        self._lock = Lock()
        self._taken: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, client: str, now_s: float) -> float:
        """Count an event of *client* and return 0, or return the seconds until its next event is counted."""
        with self._lock:
            taken = self._taken.setdefault(client, deque(maxlen=self._max_requests))
            if len(taken) == self._max_requests and now_s - taken[0] < self._window_s:
                return self._window_s - (now_s - taken[0])
            taken.append(now_s)
            self._taken.move_to_end(client)
            self._forget_idle(now_s)
            return 0.0

    def _forget_idle(self, now_s: float) -> None:
        """Remove clients whose last event is out of the window; the table is in the order of last events."""
        while True:
            client, taken = next(iter(self._taken.items()))
            if now_s - taken[-1] < self._window_s:
                return
            del self._taken[client]

    def __len__(self) -> int:
        return len(self._taken)

"""Send to a broker in batches, for any number of tasks: what they bring while one is on its way is the next."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fastsio.exceptions import BusError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

RequestT = TypeVar("RequestT")


def unchanged(error: Exception) -> Exception:
    """Return *error*: callers get what has been raised."""
    return error


def bus_error(what: str, cause: Exception) -> BusError:
    """Return the error that says *what* went wrong and why."""
    error = BusError(f"{what}: {type(cause).__name__}: {cause}")
    error.__cause__ = cause
    return error


class BatchPublisher(Generic[RequestT]):
    """
    Sends requests in the order in which they are submitted, one batch at a time.

    Args:
        send: Sends a batch and returns what became of each request, an Exception if it failed; what it raises is the
            failure of all.
        to_error: Returns the error that a caller gets for a failure.
        sends_cancelled: Whether a request is sent although its future was cancelled meanwhile.
    """

    def __init__(
        self,
        send: Callable[[list[RequestT]], Awaitable[Sequence[Any]]],
        *,
        to_error: Callable[[Exception], Exception] = unchanged,
        sends_cancelled: bool = False,
    ) -> None:
        self._send = send
        self._to_error = to_error
        self._sends_cancelled = sends_cancelled
        self._waiting: dict[asyncio.Future[Any], RequestT] = {}
        self._flushing: asyncio.Task[None] | None = None

    def submit(self, request: RequestT) -> asyncio.Future[Any]:
        """Give a request; the future is done when the broker has answered it. Not waiting for it is no mistake."""
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[outcome] = request
        if not self._sends_cancelled:
            outcome.add_done_callback(self._withdraw)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return outcome

    async def close(self) -> None:
        """Stop sending; what waits, and what is on its way, fails with a ConnectionError."""
        if self._flushing is not None:
            self._flushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._flushing
        waiting, self._waiting = self._waiting, {}
        self._settle(waiting, [_closed()] * len(waiting))

    def _withdraw(self, outcome: asyncio.Future[Any]) -> None:
        self._waiting.pop(outcome, None)

    async def _flush(self) -> None:
        """Send what waits, until nothing does."""
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            try:
                results = await self._send(list(batch.values()))
            except Exception as error:  # noqa: BLE001 - those who wait get it
                results = [error] * len(batch)
            except BaseException:
                self._settle(batch, [_closed()] * len(batch))
                raise
            self._settle(batch, results)

    def _settle(self, batch: dict[asyncio.Future[Any], RequestT], results: Sequence[Any]) -> None:
        for outcome, result in zip(batch, results, strict=True):
            if outcome.done():
                continue
            if isinstance(result, Exception):
                outcome.set_exception(self._to_error(result))
                outcome.exception()  # callers that do not wait are not warned of it
            else:
                outcome.set_result(result)


def _closed() -> ConnectionError:
    return ConnectionError("the connection to the broker was closed")

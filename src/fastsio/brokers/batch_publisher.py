"""Sending to a broker in batches, for tasks or for threads: requests made during one batch are the next one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fastsio.exceptions import BusError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

RequestT = TypeVar("RequestT")


def unchanged(error: Exception) -> Exception:
    """Return *error* itself, for callers that get the error as it was raised."""
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
        send: Sends a batch and returns the result of each request, an Exception if it failed; if *send* itself raises,
            all requests have failed.
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
        """Add a request; return a future that is done when the broker has answered. It need not be awaited."""
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[outcome] = request
        if not self._sends_cancelled:
            outcome.add_done_callback(lambda done: self._waiting.pop(done, None))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return outcome

    async def close(self) -> None:
        """Stop sending; requests that wait or were not answered yet fail with a ConnectionError."""
        if self._flushing is not None:
            self._flushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._flushing
        waiting, self._waiting = self._waiting, {}
        self._finish(waiting, [_closed()] * len(waiting))

    async def _flush(self) -> None:
        """Send the requests that wait, until there are no more."""
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            try:
                results = await self._send(list(batch.values()))
            except Exception as error:  # noqa: BLE001 - those who wait get it
                results = [error] * len(batch)
            except BaseException:
                self._finish(batch, [_closed()] * len(batch))
                raise
            self._finish(batch, results)

    def _finish(self, batch: dict[asyncio.Future[Any], RequestT], results: Sequence[Any]) -> None:
        for outcome, result in zip(batch, results, strict=True):
            if outcome.done():
                continue
            if isinstance(result, Exception):
                outcome.set_exception(self._to_error(result))
                outcome.exception()  # no warning if the caller does not await it
            else:
                outcome.set_result(result)


@dataclass(slots=True, eq=False)
class _Waiting(Generic[RequestT]):
    """A request of a thread, and its result: an Exception if it has failed."""

    request: RequestT
    is_sent: bool = False
    result: Any = None


class BlockingBatchPublisher(Generic[RequestT]):
    """
    Sends the requests of any number of threads: one thread at a time sends the requests of all.

    Args:
        send: As for :class:`BatchPublisher`.
        timeout_s: Seconds that a thread waits for another that sends.
    """

    def __init__(self, send: Callable[[list[RequestT]], Sequence[Any]], timeout_s: float) -> None:
        self._send = send
        self._timeout_s = timeout_s
        self._waiting: list[_Waiting[RequestT]] = []
        self._guard = Lock()
        self._sending = Lock()

    def submit(self, *requests: RequestT) -> list[Any]:
        """Send requests; return the answers, or raise the first error, or TimeoutError if others send for too long."""
        waiting = [_Waiting(request) for request in requests]
        with self._guard:
            self._waiting += waiting
        if not self._sending.acquire(timeout=self._timeout_s):
            with self._guard:
                self._waiting = [each for each in self._waiting if each not in waiting]
            raise TimeoutError("other messages are still on their way to the broker")
        try:
            if not all(each.is_sent for each in waiting):
                self._flush()
        finally:
            self._sending.release()
        for each in waiting:
            if isinstance(each.result, Exception):
                raise each.result
        return [each.result for each in waiting]

    def _flush(self) -> None:
        """Send the requests that wait."""
        with self._guard:
            batch, self._waiting = self._waiting, []
        # What other threads get if this one is interrupted.
        results: Sequence[Any] = [ConnectionError("sending to the broker was interrupted")] * len(batch)
        try:
            results = self._send([waiting.request for waiting in batch])
        except Exception as error:  # noqa: BLE001 - those who wait get it
            results = [error] * len(batch)
        finally:
            for waiting, result in zip(batch, results, strict=True):
                waiting.result = result
                waiting.is_sent = True


def _closed() -> ConnectionError:
    return ConnectionError("the connection to the broker was closed")

"""
Reading the body of a POST, and noticing that a client gave its request up, with asyncio.

Written by hand in both halves: a task that reads is cancelled, a thread that reads is not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastsio.aio.engine.eager import Rest
from fastsio.engine.request import BodyCutOff, BodyTooSlow, bytes_to_read, check_body
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from fastsio.aio.engine.session import Session


def watch(session: Session, environ: dict[str, Any]) -> asyncio.Task[None] | None:
    """Start a task that ends the session if the client gives its request up; None if the framework does not tell."""
    wait_disconnected = session.server.wait_disconnected
    if wait_disconnected is None:
        return None

    async def end_session() -> None:
        await wait_disconnected(environ)
        session.server.logger.info("A client gave its request up")
        await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)

    return session.server.spawn(end_session())


class Watch:
    """Calls :func:`watch` after ``ahead_after`` seconds: most requests are answered before, and need no task."""

    __slots__ = ("_environ", "_session", "_task", "timer_key")

    def __init__(self, session: Session, environ: dict[str, Any]) -> None:
        self._session = session
        self._environ = environ
        self._task: asyncio.Task[None] | None = None
        self.timer_key = 0.0
        session.server.watches.set(self, session.server.ahead_after)

    def start(self) -> None:
        """Start the task."""
        self._task = watch(self._session, self._environ)

    def cancel(self) -> None:
        """End the task; if it has not begun, it will not begin."""
        if self._task is None:
            self._session.server.watches.clear(self)
        else:
            self._task.cancel()


def start_watches(due: list[Watch]) -> None:
    """Start the tasks of the watches that are due."""
    for each in due:
        each.start()


async def read_body(session: Session, environ: dict[str, Any]) -> bytes:
    """
    Read the whole body, unless the session ends meanwhile.

    Raises:
        PacketError: It is too large, was cut off or takes too long, or the session is over.
    """
    reading = _read(environ, session.server.max_http_buffer_size).__await__()
    try:
        waited = next(reading)
    except StopIteration as read:  # the body had arrived: no time runs, and nothing can end the session meanwhile
        whole: bytes = read.value
        return whole
    task = session.body_reader = asyncio.current_task()
    try:
        async with asyncio.timeout(session.server.body_timeout):
            body: bytes = await Rest(reading, waited)
    except TimeoutError:
        raise BodyTooSlow("a body that took too long") from None
    except asyncio.CancelledError:
        if task is None or not session.closed:
            raise
        task.uncancel()
        raise PacketError("a body that came later than the end of its session") from None
    finally:
        session.body_reader = None
    return body


async def _read(environ: dict[str, Any], limit: int) -> bytes:
    length = bytes_to_read(environ, limit)
    body = b""
    try:
        while len(body) < length and (chunk := await environ["wsgi.input"].read(length - len(body))):
            body = body + chunk if body else chunk
    except OSError as error:
        raise BodyCutOff("a body that was cut off") from error
    return check_body(body, limit)

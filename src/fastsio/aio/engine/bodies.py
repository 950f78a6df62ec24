"""
Reading the body of a POST, and noticing that a client gave its request up, with asyncio.

By hand in both halves: a task that reads is cancelled, a thread that reads is not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastsio.engine.request import BodyTooLarge, BodyTooSlow, content_length
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from fastsio.aio.engine.session import Session


def watch(session: Session, environ: dict[str, Any]) -> asyncio.Task[None] | None:
    """
    End the session if the client gives its request up; return the task that does, if the framework tells.

    Args:
        session: The session.
        environ: Of the request.
    """
    wait_disconnected = session.server.wait_disconnected
    if wait_disconnected is None:
        return None

    async def end_session() -> None:
        await wait_disconnected(environ)
        session.server.logger.info("A client gave its request up")
        await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)

    return session.server.spawn(end_session())


class Watch:
    """
    Does as :func:`watch` after a while: most requests are answered before that is worth a task.

    Args:
        session: The session.
        environ: Of the request.
    """

    __slots__ = ("_environ", "_session", "_task", "_timer")

    def __init__(self, session: Session, environ: dict[str, Any]) -> None:
        self._session = session
        self._environ = environ
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(session.server.ahead_after, self._start)

    def _start(self) -> None:
        self._task = watch(self._session, self._environ)

    def cancel(self) -> None:
        """Look no more."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


async def read_body(session: Session, environ: dict[str, Any]) -> bytes:
    """
    Read the whole body, unless the session ends meanwhile.

    Raises:
        PacketError: It is too large, was cut off or takes too long, or the session is over.
    """
    task = session.body_reader = asyncio.current_task()
    try:
        async with asyncio.timeout(session.server.body_timeout):
            return await _read(environ, session.server.max_http_buffer_size)
    except TimeoutError:
        raise BodyTooSlow("a body that took too long") from None
    except asyncio.CancelledError:
        if task is None or not session.closed:
            raise
        task.uncancel()
        raise PacketError("a body that came later than the end of its session") from None
    finally:
        session.body_reader = None


async def _read(environ: dict[str, Any], limit: int) -> bytes:
    """Read the whole body, or one byte more than the limit of one that does not declare its length."""
    declared = content_length(environ)
    if declared is not None and declared > limit:
        raise BodyTooLarge("a body over the size limit", limit=limit, value=declared)
    length = limit + 1 if declared is None else declared
    body = bytearray()
    try:
        while len(body) < length and (chunk := await environ["wsgi.input"].read(length - len(body))):
            body += chunk
    except OSError as error:
        raise PacketError("a body that was cut off") from error
    if len(body) > limit:
        raise BodyTooLarge("a body over the size limit", limit=limit, value=len(body))
    return bytes(body)

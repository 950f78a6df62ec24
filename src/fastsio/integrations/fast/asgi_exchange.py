"""
One HTTP request that the ASGI application answers, without uvicorn's HTTP protocol: ``receive`` and ``send``.

The response is written at once, head and body together. It has the bytes of uvicorn's own.

Source: ASGI specification, "HTTP".
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from fastsio.aio.engine.links import Event

    Header = tuple[bytes, bytes]

logger = logging.getLogger("uvicorn.error")
#: The response of an application that failed: status, headers and body.
SERVER_ERROR: Final[tuple[int, list[Header], bytes]] = (
    500,
    [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21"), (b"connection", b"close")],
    b"Internal Server Error",
)


class Writer(Protocol):
    """The connection that the response is written to."""

    def write_response(self, status: int, headers: list[Header], body: bytes) -> None:
        """Write a response, and go on to the next request."""

    def hang_up(self) -> None:
        """Close the connection without a response."""


class AsgiExchange:
    """A request without a body, whose response *writer* writes."""

    __slots__ = ("_body", "_is_abandoned", "_is_body_sent", "_is_over", "_scope", "_start", "_waiters", "_writer")

    def __init__(self, scope: dict[str, Any], writer: Writer) -> None:
        self._scope = scope
        self._writer: Writer | None = writer
        self._start: Event | None = None
        self._body = b""
        self._is_body_sent = self._is_over = self._is_abandoned = False
        self._waiters: list[asyncio.Future[None]] = []

    async def run(self, app: Any) -> None:
        """Call the application."""
        try:
            result = await app(self._scope, self.receive, self.send)
        except BaseException:
            logger.exception("Exception in ASGI application\n")
            if self._start is None:
                self._fail()
            else:
                self._hang_up()
        else:
            if result is not None:
                logger.error("ASGI callable should return None, but returned '%s'.", result)
                self._hang_up()
            elif self._start is None and not self._is_over:
                logger.error("ASGI callable returned without starting response.")
                self._fail()
            elif not self._is_over:
                logger.error("ASGI callable returned without completing response.")
                self._hang_up()

    async def receive(self) -> Event:
        """Return the body, which is empty; after that, wait until the request is over."""
        if not self._is_body_sent and not self._is_over:
            self._is_body_sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if not self._is_over:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        """Handle an event of the response."""
        kind = event["type"]
        if self._is_abandoned:
            return
        if self._start is None:
            if kind != "http.response.start":
                raise RuntimeError(f"Expected ASGI message 'http.response.start', but got '{kind}'.")
            self._start = event
        elif self._is_over:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' sent, after response already completed.")
        elif kind != "http.response.body":
            raise RuntimeError(f"Expected ASGI message 'http.response.body', but got '{kind}'.")
        else:
            self._body += event.get("body", b"")
            if not event.get("more_body", False):
                self._respond(self._start["status"], list(self._start.get("headers", ())), self._body)

    def abandon(self) -> None:
        """End the request: the client has closed the connection. The application's further events are ignored."""
        self._is_abandoned = True
        self._end()

    def _respond(self, status: int, headers: list[Header], body: bytes) -> None:
        writer = self._end()
        if writer is not None:
            writer.write_response(status, headers, body)

    def _fail(self) -> None:
        self._respond(*SERVER_ERROR)

    def _hang_up(self) -> None:
        writer = self._end()
        if writer is not None:
            writer.hang_up()

    def _end(self) -> Writer | None:
        """End the request; return what writes its response, if nothing has."""
        writer, self._writer = self._writer, None
        self._is_over = True
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        return writer

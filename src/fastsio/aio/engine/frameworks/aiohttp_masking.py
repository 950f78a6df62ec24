"""
aiohttp's WebSockets, made to refuse frames of a client that are not masked.

aiohttp takes them, and has no public way to look at frames. So this is the one module that knows how its protocol hands
bytes to its parser; :func:`trial` tries that out before the first WebSocket depends on it.
"""

from __future__ import annotations

import asyncio
import logging
from functools import cache
from typing import Any, Final

from fastsio._extras import require
from fastsio.aio.engine.frameworks import masking
from fastsio.aio.engine.frameworks.masking import FIRST, REQUEST, SECOND, UNMASKED, Trial
from fastsio.engine.frame_reader import PROTOCOL_ERROR
from fastsio.engine.frames import MaskCheck

EXTRA: Final = "aiohttp"
#: Seconds that the server of a trial may take to shut down, which it normally does at once.
SHUTDOWN_S: Final = 0.1


async def response_class() -> Any:
    """Return the class of WebSockets: one that refuses frames without a mask, or aiohttp's own where that cannot be."""
    return masked_response() if await trial().fits() else require("aiohttp.web", EXTRA).WebSocketResponse


@cache
def masked_response() -> Any:
    """Return aiohttp's WebSocket as a class that looks at the frames before aiohttp's parser does."""
    base: Any = require("aiohttp.web", EXTRA).WebSocketResponse

    class MaskedResponse(base):  # type: ignore[misc]  # aiohttp is optional, so its class is Any
        """Looks at the frames before aiohttp's parser does."""

        def _post_start(self, request: Any, *arguments: Any) -> None:
            connection = request.protocol
            # aiohttp parses it while it sets its parser, before there is a way to look.
            tail, connection._message_tail = connection._message_tail, b""  # noqa: SLF001 - aiohttp offers no other way
            super()._post_start(request, *arguments)
            connection._payload_parser = parser = MaskedParser(connection._payload_parser, self._reader)  # noqa: SLF001 - as above
            if tail:
                parser.feed_data(tail)

    return MaskedResponse


class MaskedParser:
    """Hands frames to aiohttp's parser as long as they are masked; *queue* is where its messages go."""

    __slots__ = ("_check", "_parser", "_queue", "feed_eof")

    def __init__(self, parser: Any, queue: Any) -> None:
        self._check = MaskCheck()
        self._parser = parser
        self._queue = queue
        self.feed_eof = parser.feed_eof

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what has arrived; True when nothing more is to be read."""
        good = self._check.feed(data)
        if good is None:
            over: tuple[bool, bytes] = self._parser.feed_data(data)
            return over
        self._parser.feed_data(data[:good])
        aiohttp = require("aiohttp", EXTRA)
        error = aiohttp.WebSocketError(aiohttp.WSCloseCode.PROTOCOL_ERROR, "a frame without a mask")
        self._queue.set_exception(error)
        return True, b""


class TrialTransport(asyncio.Transport):
    """A connection that sends nothing anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send nothing."""

    def pause_reading(self) -> None:
        """Do nothing: the trial gives the bytes itself."""

    def resume_reading(self) -> None:
        """Do nothing."""

    def is_closing(self) -> bool:
        """Tell whether it was closed."""
        return self._is_closing

    def close(self) -> None:
        """Mark the transport as closed."""
        self._is_closing = True

    abort = close


async def find_problem() -> str | None:
    """Serve a WebSocket in memory; return what the installed aiohttp does otherwise than expected, None if it fits."""
    web = require("aiohttp.web", EXTRA)
    seen: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

    async def serve(request: Any) -> Any:
        websocket = masked_response()(autoping=False, timeout=0.0)
        try:
            async with asyncio.timeout(masking.TRIAL_S / 2):
                await websocket.prepare(request)
                # The first frame comes with the handshake, the others when there is a parser.
                received = [(await websocket.receive()).data]
                connection.data_received(SECOND + UNMASKED)
                received += [(await websocket.receive()).data, (await websocket.receive()).data]
        except Exception as error:  # noqa: BLE001 - aiohttp would log it, and the trial would wait in vain
            _settle(seen, error)
        else:
            _settle(seen, received)
        return websocket

    server = web.Server(serve, access_log=None)
    connection = server()
    try:
        connection.connection_made(TrialTransport())
        connection.data_received(REQUEST + FIRST)
        *messages, error = await seen
    finally:
        connection.connection_lost(None)
        await server.shutdown(SHUTDOWN_S)
    is_refused = getattr(error, "code", None) == PROTOCOL_ERROR
    return None if messages == ["a", "b"] and is_refused else "frames are read in another way"


def _settle(seen: asyncio.Future[list[Any]], outcome: list[Any] | Exception) -> None:
    if seen.done():  # the connection that asked for the trial is gone
        return
    if isinstance(outcome, Exception):
        seen.set_exception(outcome)
    else:
        seen.set_result(outcome)


@cache
def trial() -> Trial:
    """Return the trial of the installed aiohttp."""
    version = getattr(require("aiohttp", EXTRA), "__version__", "")
    return Trial(f"aiohttp {version}".strip(), find_problem, logging.getLogger("aiohttp.websocket"))

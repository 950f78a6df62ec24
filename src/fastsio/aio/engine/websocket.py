"""
The WebSocket transport: the loop that reads. How a session comes here from polling stands in :mod:`.upgrading`.

Source: Engine.IO protocol v4, "WebSocket".
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from fastsio.aio.engine.direct import Reader
from fastsio.aio.engine.eager import begin_waiting
from fastsio.aio.engine.ending import absorb_cancellation, close, end
from fastsio.aio.engine.links import DirectLink, LinkLost
from fastsio.aio.engine.read_ahead import Ahead
from fastsio.aio.engine.upgrading import upgrade
from fastsio.engine.frame_reader import MESSAGES, NORMAL_CLOSURE, READERS, ClientLeft
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fastsio.aio.engine.links import AnyLink, Event, Receive
    from fastsio.aio.engine.socket import EngineSocket

#: Frames that are read before everybody else has a turn.
FAIR_SHARE: Final = 64
#: The most bytes a character takes in UTF-8.
MAX_CHARACTER_BYTES: Final = 4


async def serve(socket: EngineSocket, link: AnyLink) -> None:
    """
    Run a session over an accepted WebSocket until either end closes it; on a direct link, only begin to.

    What waits here stays in memory for as long as the WebSocket is open, so there are few calls between.

    Args:
        socket: The session.
        link: The WebSocket.
    """
    socket.reader = asyncio.current_task()
    code: int | None = NORMAL_CLOSURE
    error: Exception | None = None
    try:
        refused = await upgrade(socket, link) if socket.connected else None
        if refused is not None:
            code = refused
            return
        _begin(socket, link)
        if isinstance(link, DirectLink):
            Reader(socket, link).start()
            code = None
            return
        try:
            await _read(socket, link.receive)
        except (ClientLeft, LinkLost, PacketError) as raised:
            error = raised
        except asyncio.CancelledError:
            if not absorb_cancellation(socket):
                raise
        finally:
            code = await end(socket, error)
            error = None  # its traceback knows this frame
    finally:
        if code is not None:
            socket.reader = None
            await close(socket, link, code)


async def turn_away(link: AnyLink) -> None:
    """Close a WebSocket for a session that has one, as the JavaScript server does; the session is untouched."""
    await link.send({"type": "websocket.close", "code": NORMAL_CLOSURE})


def _begin(socket: EngineSocket, link: AnyLink) -> None:
    socket.connected = socket.upgraded = True
    socket.upgrading = False
    socket.attach(link)


async def _read(socket: EngineSocket, receive: Receive) -> None:  # noqa: PLR0915 - what waits here stays in memory
    """
    Dispatch frames in order until the session is over.

    Raises:
        ClientLeft: The client said goodbye.
        LinkLost: The WebSocket is closed.
        PacketError: The client sent what the protocol does not have.
    """
    server = socket.server
    ahead: Ahead | None = None
    on_message, key = socket.message_handler()
    credit = FAIR_SHARE
    try:
        while not socket.closed:
            credit -= 1
            if not credit:
                credit = FAIR_SHARE
                # A server may have more frames ready than are read without waiting, and the message handler need not
                # wait.
                await asyncio.sleep(0)
            if ahead is not None and ahead.is_idle:
                ahead = None
            # A session that waits keeps nothing of its last frame in memory: it may wait for very long.
            data = _message(socket, await (receive() if ahead is None else ahead.next()))
            if data is None or socket.closing:
                continue
            socket.handling = True
            try:
                waiting = on_message(key, data)
                if waiting is not None and (rest := begin_waiting(waiting)) is not None:
                    ahead = ahead or Ahead(receive, partial(_keep, socket), server.ahead_after)
                    await _wait(socket, ahead, rest)
            except Exception:
                server.logger.exception("message handler error")
            finally:
                socket.handling = False
                data = waiting = rest = None
            if socket.is_given_up and not socket.closed:
                raise (ahead and ahead.error) or LinkLost
    finally:
        if ahead is not None:
            ahead.stop()


async def _wait(socket: EngineSocket, ahead: Ahead, waiting: Awaitable[None]) -> None:
    """Wait for a message handler; after the client is gone, not for long."""
    try:
        await ahead.wait_for(waiting)
        socket.has_progressed = True
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or not socket.is_given_up:
            raise
        task.uncancel()


def _keep(socket: EngineSocket, event: Event) -> bool:
    """Tell whether an event is to wait for those before it; a heartbeat counts when it arrives."""
    text: str | None = event.get("text")
    if text is None:
        if event.get("bytes") is None:
            socket.limit_handling()
        return True
    if text[:1] in MESSAGES:
        return True
    try:
        return _message(socket, event) is not None
    except (ClientLeft, PacketError):
        socket.limit_handling()
        raise


def _message(socket: EngineSocket, event: Event) -> str | bytes | None:
    """Return the message in a frame, or None for a frame without one."""
    text: str | None = event.get("text")
    if text and text[0] == "4" and len(text) * MAX_CHARACTER_BYTES <= socket.server.max_http_buffer_size:
        return text[1:]
    read_text, read_binary = READERS[socket.protocol]
    if text is not None:
        return read_text(socket, text)
    data = event.get("bytes")
    if data is None:
        raise LinkLost
    return read_binary(data, socket.server.max_http_buffer_size)

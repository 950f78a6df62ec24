"""
The WebSocket transport: the loop that reads, and the end.

Source: Engine.IO protocol v4, "WebSocket".
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from fastsio.engine.frame_reader import MESSAGES, NORMAL_CLOSURE, READERS, ClientLeft, LinkLost
from fastsio.engine.packet import closing_frame, pong_frame
from fastsio.engine.session_tables import Transport
from fastsio.exceptions import PacketError
from fastsio.sync.engine.limit import Limit
from fastsio.sync.engine.socketlink import traced
from fastsio.sync.engine.upgrade import upgrade

if TYPE_CHECKING:
    from fastsio.sync.engine.session import Session
    from fastsio.sync.engine.socketlink import SocketLink

#: The most bytes a character takes in UTF-8.
MAX_CHARACTER_BYTES: Final = 4


def serve(session: Session, link: SocketLink) -> None:
    """Run a session over an accepted WebSocket until either end closes it; the caller's thread reads."""
    if session.server.is_traced:
        link.join = traced(link.join, session.sid, session.server.logger)
    code = None if session.transport is Transport.NEW else upgrade(session, link)
    if code is None:
        _run(session, link)
    else:
        turn_away(session.server, link, code)


def turn_away(server: Any, link: SocketLink, code: int = NORMAL_CLOSURE) -> None:
    """Close a WebSocket that no session uses, within ``close_grace``; a session that has another one is untouched."""
    with Limit(server.deadlines, server.close_grace, link.abort), suppress(OSError):
        link.send(closing_frame(code))
        link.drain()


def _run(session: Session, link: SocketLink) -> None:
    server = session.server
    link.answer_pings(lambda payload: session.post((pong_frame(payload),)))
    reason = server.reason.TRANSPORT_CLOSE
    try:
        session.attach(link)
        _read(session, link)
    except (LinkLost, ClientLeft, PacketError) as error:
        reason = prepare_close(session, error)
    finally:
        session.finish(reason, abort=True)
        if not session.is_attached:
            link.abort()  # the client is not told, and need not end the connection
        link.drain()
        session.detach()
        server.deadlines.clear(session)


def _read(session: Session, link: SocketLink) -> None:
    """Dispatch frames in order until the session is over, or raise ClientLeft, LinkLost or PacketError."""
    server = session.server
    limit = server.max_http_buffer_size
    # Chosen once, so that clients of Engine.IO 4 do not pay for the others with every frame.
    read_text, read_binary = READERS[session.protocol]
    on_message, key = session.message_handler()
    while not session.closed:
        frame = link.receive()
        data: str | bytes | None
        if isinstance(frame, bytes):
            data = read_binary(frame, limit)
        elif frame[:1] == "4" and len(frame) * MAX_CHARACTER_BYTES <= limit:
            data = frame[1:]
        else:
            data = read_text(session, frame)
        if data is None or session.closing:
            continue
        session.handling = True
        if not server.hang_watch.is_running:
            server.hang_watch.start()
        try:
            on_message(key, data)
        except Exception:
            server.logger.exception("message handler error")
        finally:
            session.progress += 1
            session.handling = False


def prepare_close(session: Session, error: Exception) -> str:
    """Prepare the last frame for a client that has left, and report what it did wrong; return the reason of the end."""
    reason, code = session.end_of_websocket(error)
    if not isinstance(error, ClientLeft):
        session.close_frame = closing_frame(code)
    if isinstance(error, LinkLost):
        session.shut()
    return reason


def end_left_client(session: Session, error: Exception) -> None:
    """End the session of a client that has left; its message handler is not interrupted."""
    session.finish(prepare_close(session, error), abort=True)


def how_client_left(session: Session) -> Exception | None:
    """
    Read what a client has sent while the thread that reads it handles a message; heartbeats count at once.

    Returns:
        How the client left; None while it is there, or nothing can be read.
    """
    read_text, _ = READERS[session.protocol]
    errors: list[Exception] = []

    def handle(frame: str | bytes) -> bool:
        if isinstance(frame, bytes) or frame[:1] in MESSAGES:
            return False
        try:
            return read_text(session, frame) is None
        except (ClientLeft, PacketError) as error:
            errors.append(error)
            return False

    error = session.read_ahead(handle)
    return errors[0] if errors else error

"""
How clients leave a WebSocket: by closing it, by saying goodbye, or by breaking the protocol.

What follows for the session is the same, whichever thread finds out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastsio.engine.frame_reader import MESSAGES, READERS, ClientLeft, closing_code
from fastsio.exceptions import PacketError
from fastsio.sync.engine.framing import close_frame

if TYPE_CHECKING:
    from fastsio.sync.engine.session import Session


def note_departure(session: Session, error: Exception) -> str:
    """
    Prepare the last frame of a session whose client has left, and report what it did wrong.

    Args:
        session: The session.
        error: How it left: :class:`~.links.LinkLost`, :class:`ClientLeft` or a :class:`PacketError`.

    Returns:
        The reason of the session's end.
    """
    server = session.server
    if isinstance(error, ClientLeft):
        return server.reason.CLIENT_DISCONNECT
    if isinstance(error, PacketError):
        code = closing_code(error)
        server.report(f"Closing a websocket session: {error}", f"bad-frame-{code}")
        session.outbox.close_frame = close_frame(code)
        return server.reason.TRANSPORT_ERROR
    session.outbox.close_frame = close_frame(session.outbox.peer_code())
    session.outbox.close()
    return server.reason.TRANSPORT_CLOSE


def departure_of(session: Session) -> Exception | None:
    """
    Read what a client has sent while the thread that reads it handles a message; heartbeats are taken at once.

    Returns:
        How the client left; None while it is there, or nothing can be read.
    """
    read_text, _ = READERS[session.protocol]
    said: list[Exception] = []

    def take(frame: str | bytes) -> bool:
        if isinstance(frame, bytes) or frame[:1] in MESSAGES:
            return False
        try:
            return read_text(session, frame) is None
        except (ClientLeft, PacketError) as error:
            said.append(error)
            return False

    error = session.outbox.read_ahead(take)
    return said[0] if said else error

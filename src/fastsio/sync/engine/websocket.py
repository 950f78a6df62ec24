"""
The WebSocket transport: the upgrade from polling, and the loop that reads.

Source: Engine.IO protocol v4, "WebSocket", "Upgrade".
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from fastsio.engine.deadlines import NEVER
from fastsio.engine.frame_reader import MESSAGES, NORMAL_CLOSURE, READERS, ClientLeft, LinkLost, closing_code
from fastsio.engine.log_format import label
from fastsio.engine.packet import ControlPacket, closing_frame, pong_frame
from fastsio.engine.session import CLOSE_GRACE_S, Move, Transport
from fastsio.exceptions import PacketError
from fastsio.sync.engine.links import TracedLink

if TYPE_CHECKING:
    from fastsio.engine.packet import WirePacket
    from fastsio.sync.engine.links import Link
    from fastsio.sync.engine.session import Session

PROBE: Final = "2probe"
PROBE_ANSWER: Final = ControlPacket(3, "probe")
UPGRADE: Final = "5"
#: Seconds between two looks whether the POST is taken that an upgrade waits for.
POST_POLL_S: Final = 0.01
#: The most bytes a character takes in UTF-8.
MAX_CHARACTER_BYTES: Final = 4


class Limit:
    """
    The time a link has for something; then it is cut.

    Args:
        link: The link.

    Attributes:
        is_over: True once it was cut.
    """

    def __init__(self, link: Link) -> None:
        self.timer_key = NEVER
        self.is_over = False
        self._link = link

    def on_deadline(self) -> None:
        """Cut the link."""
        self.is_over = True
        self._link.abort()

    on_shutdown = on_deadline


def serve(session: Session, link: Link) -> None:
    """
    Run a session over an accepted WebSocket until either end closes it; the caller's thread reads.

    Args:
        session: The session.
        link: The WebSocket.
    """
    if session.server.is_traced:
        link = TracedLink(link, session.sid, session.server.logger)
    if session.transport is Transport.NEW or _upgrade(session, link):
        _run(session, link)


def turn_away(server: Any, link: Link) -> None:
    """Close a WebSocket for a session that has one, as the JavaScript server does; the session is untouched."""
    limit = Limit(link)
    server.deadlines.set(limit, CLOSE_GRACE_S)
    _leave(link)
    server.deadlines.clear(limit)


def _run(session: Session, link: Link) -> None:
    server = session.server
    link.answer_pings(lambda payload: session.post((pong_frame(payload),)))
    reason = server.reason.TRANSPORT_CLOSE
    try:
        session.attach(link)
        _read(session, link)
    except (LinkLost, ClientLeft, PacketError) as error:
        reason = note_departure(session, error)
    finally:
        session.finish(reason, abort=True)
        if not session.is_attached:
            link.abort()  # the client is not told, and need not end the connection
        link.drain()
        session.detach()
        server.deadlines.clear(session)


def _read(session: Session, link: Link) -> None:
    """
    Dispatch frames in order until the session is over.

    Raises:
        ClientLeft: The client said goodbye.
        LinkLost: The WebSocket is closed.
        PacketError: The client sent what the protocol does not have.
    """
    server = session.server
    limit = server.max_http_buffer_size
    # Chosen once, so that clients of Engine.IO 4 do not pay for the others with every frame.
    read_text, read_binary = READERS[session.protocol]
    on_message, key = session.message_handler()
    while not session.closed:
        frame = link.receive()
        if frame is None:
            raise LinkLost
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


def note_departure(session: Session, error: Exception) -> str:
    """
    Prepare the last frame of a session whose client has left, and report what it did wrong.

    Args:
        session: The session.
        error: How it left: :class:`~.links.LinkLost`, :class:`ClientLeft` or a :class:`PacketError`.

    Returns:
        The reason of the session's end.
    """
    reason, code = session.departure(error)
    if isinstance(error, LinkLost):
        session.close_frame = closing_frame(session.peer_code())
        session.shut()
    elif isinstance(error, PacketError):
        session.close_frame = closing_frame(code)
    return reason


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

    error = session.read_ahead(take)
    return said[0] if said else error


def _upgrade(session: Session, link: Link) -> bool:
    """
    Move a polling session to this WebSocket.

    A client may leave the probe out. One that vanishes, takes too long or says something else loses the WebSocket, and
    its session stays on polling. What came in a POST is taken before anything that comes here.

    Returns:
        True when the client asked for the switch.
    """
    server = session.server
    if server.is_traced:
        server.logger.info("%s: Received request to upgrade to websocket", label(session.sid))
    limit = Limit(link)
    server.deadlines.set(limit, server.upgrade_timeout)
    upgraded = False
    code = NORMAL_CLOSURE
    try:
        if _expect(link, PROBE, UPGRADE) == PROBE:
            session.hold_polls()
            _send(link, PROBE_ANSWER)
            _expect(link, UPGRADE)
        upgraded = _move(session, limit)
    except PacketError as error:
        server.report(f"An upgrade failed, the session stays on polling: {error}", "bad-probe")
        code = closing_code(error)
    except (LinkLost, OSError):
        server.logger.info("An upgrade was not completed, the session stays on polling")
    finally:
        session.end_upgrade()
        if not upgraded:
            server.deadlines.set(limit, CLOSE_GRACE_S)
            _leave(link, code)
        server.deadlines.clear(limit)
    return upgraded


def _move(session: Session, limit: Limit) -> bool:
    """Move a session to its WebSocket once no POST is taken; False when its time is over before, or the session is."""
    while not (session.closing or limit.is_over):
        if session.move(Move.SWITCH):
            if session.server.is_traced:
                session.server.logger.info("%s: Upgrade to websocket successful", label(session.sid))
            return True
        session.server.sleep(POST_POLL_S)
    return False


def _expect(link: Link, *frames: str) -> str | bytes:
    """Wait for one of *frames*, and return it."""
    frame = link.receive()
    if frame is None:
        raise LinkLost
    if frame not in frames:
        raise PacketError(f"expected {' or '.join(frames)}")
    return frame


def _send(link: Link, packet: WirePacket) -> None:
    if not link.write((packet,)):
        link.flush()


def _leave(link: Link, code: int = NORMAL_CLOSURE) -> None:
    """Close a link that no session writes to."""
    with suppress(OSError):
        _send(link, closing_frame(code))
        link.drain()

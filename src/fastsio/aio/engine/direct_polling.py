"""
Long-polling for a web server that reads the requests of sessions itself, as the fast transport does.

The web server finds the session of a request, and gives the session an :class:`Exchange` for it. A poll that waits for
packets has neither a task nor a future: the session keeps the exchange. Rare requests, a second poll or a client of
Engine.IO 3, are left to :mod:`.polling`: the methods then return False and have changed nothing.

Source: Engine.IO protocol v4, "HTTP long-polling".
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from fastsio.aio.engine import polling
from fastsio.aio.engine.eager import Rest, run_or_begin
from fastsio.aio.engine.posted import Posted
from fastsio.engine import http, polls
from fastsio.engine.payload import decode_payload
from fastsio.engine.session_tables import Asked
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

    from fastsio.aio.engine.server import EngineServer
    from fastsio.aio.engine.session import Session


class Exchange(ABC):
    """
    A request of long-polling; a subclass of the web server writes its response.

    Attributes:
        environ: The method and headers of the request as a WSGI environ has them; other requests may share the dict.
        session: The session that the request waits for; None before that, and after the response.
    """

    __slots__ = ("_is_woken", "environ", "session")

    environ: dict[str, Any]

    def __init__(self) -> None:
        self.session: Session | None = None
        self._is_woken = False

    @abstractmethod
    def respond(self, response: http.Response) -> None:
        """Write the response."""

    @abstractmethod
    def call_later(self) -> None:
        """Call :meth:`flush` at the end of this turn of the loop."""

    @abstractmethod
    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a task that the web server lets finish when it stops."""

    # The methods of a future: a waiting poll is ``session.poll_waiter``, as a future is in :mod:`.polling`.

    def done(self) -> bool:
        """Return whether :meth:`flush` will be called at the end of this turn of the loop."""
        return self._is_woken

    def set_result(self, result: None) -> None:  # noqa: ARG002 - a future's signature
        """Call :meth:`flush` at the end of this turn of the loop, so that one response has all packets of the turn."""
        self._is_woken = True
        self.call_later()

    def flush(self) -> None:
        """Answer the poll, if the session has packets for it, has ended, or is about to upgrade."""
        self._is_woken = False
        session = self.session
        if session is not None and (session.pending or session.closed or session.holds_polls):
            session.poll_waiter = self.session = None
            self.respond(polls.answer_poll(session, self.environ))

    # The three kinds of requests.

    def open(self, server: EngineServer) -> None:
        """Open a session and answer with its handshake; raise what an observer raises, and keep no session then."""
        answer: Any = run_or_begin(server.answer(self.environ))
        if isinstance(answer, Rest):
            self.spawn(self._answer_later(answer))
        else:
            self.respond(answer)

    async def _answer_later(self, answer: Rest) -> None:
        self.respond(await answer)

    def poll(self, session: Session) -> bool:
        """Answer a poll now, or when there are packets; return False, and change nothing, if it is not a plain case."""
        if session.poll_waiter is not None or not session.takes_at_once(Asked.POLL):
            return False
        if session.pending:
            self.respond(polls.answer_poll(session, self.environ))
        else:
            self.session = session
            session.poll_waiter = self
        return True

    def post(self, session: Session, body: bytes) -> bool:
        """Handle the packets of a POST, and answer it; return False, and change nothing, if it is not a plain case."""
        server = session.server
        if session.posting or not session.takes_at_once(Asked.POST):
            return False
        session.posting = True
        posted = Posted(session, decode_payload(body))
        if server.handlers["message"] not in server.stepped_handlers:
            self._handle_in_task(session, posted, None, None)
            return True
        try:
            waiting = posted.advance()
        except PacketError as error:
            self._handle_in_task(session, posted, None, error)
            return True
        if waiting is None:
            session.end_post()
            self.respond(http.accepted())
        else:
            self._handle_in_task(session, posted, waiting, None)
        return True

    def _handle_in_task(
        self, session: Session, posted: Posted, waiting: Awaitable[Any] | None, error: PacketError | None
    ) -> None:
        self.session = session
        self.spawn(self._handle_rest(session, posted, waiting, error))

    async def _handle_rest(
        self, session: Session, posted: Posted, waiting: Awaitable[Any] | None, error: PacketError | None
    ) -> None:
        """Handle the remaining packets, whose handlers must be awaited, then answer."""
        try:
            response = await _finish(session, posted, waiting, error)
        finally:
            session.end_post()
        self.session = None
        self.respond(response)

    def lost(self) -> None:
        """End the session: the client has closed the connection of its request."""
        session, self.session = self.session, None
        if session is None:
            return
        if session.poll_waiter is self:
            session.poll_waiter = None
            _give_up(session)
        elif session.posting:
            # As with other web servers, a POST that is handled within *ahead_after* seconds does not end its session.
            asyncio.get_running_loop().call_later(session.server.ahead_after, _end_posting, session)


async def _finish(
    session: Session, posted: Posted, waiting: Awaitable[Any] | None, error: PacketError | None
) -> http.Response:
    try:
        if error is not None:
            raise error
        await posted.finish(posted.advance() if waiting is None else waiting)
    except asyncio.CancelledError:
        await session.finish(session.server.reason.TRANSPORT_ERROR, abort=True)
        raise
    except PacketError as refused:
        return await polling.reject(session, http.refusal(http.Code.BAD_REQUEST), str(refused))
    return http.accepted()


def _end_posting(session: Session) -> None:
    if session.posting:
        _give_up(session)


def _give_up(session: Session) -> None:
    session.server.logger.info("A client gave its request up")
    session.finish_later(session.server.reason.TRANSPORT_ERROR)

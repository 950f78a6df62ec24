"""
Handles the packets of a POST in order, without a task until a message handler must be awaited.

This module is for asyncio alone: in the half for threads, :mod:`fastsio.sync.engine.polling` handles the packets.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastsio.engine.payload import IGNORED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from fastsio.aio.engine.session import Session


class Posted:
    """The packets of one POST, as :func:`.polls.split_body` yields them."""

    __slots__ = ("_credit", "_packets", "_session")

    def __init__(self, session: Session, packets: Iterator[str | bytes]) -> None:
        self._session = session
        self._packets = packets
        #: How many more packets are handled before the event loop runs other tasks.
        self._credit = session.server.packets_per_payload

    def advance(self) -> Awaitable[Any] | None:
        """
        Handle packets until something must be awaited before the next call; return that, or None when all is done.

        Raises:
            PacketError: The next packet is malformed.
        """
        session = self._session
        server = session.server
        on_message, key = session.message_handler()
        for packet in self._packets:
            if session.closing:
                break
            self._credit -= 1
            if isinstance(packet, bytes) or packet[0] == "4":
                try:
                    waiting = on_message(key, packet if isinstance(packet, bytes) else packet[1:])
                except Exception:
                    server.logger.exception("message handler error")
                else:
                    if waiting is not None:
                        return self._handle(waiting)
            elif packet[0] == "1":
                return session.finish(server.reason.CLIENT_DISCONNECT, abort=True)
            elif packet[0] not in IGNORED:
                session.on_heartbeat()
            if self._credit <= 0:
                return self._give_way()
        return None

    async def finish(self, waiting: Awaitable[Any] | None) -> None:
        """Await what :meth:`advance` has returned, and handle the remaining packets."""
        while waiting is not None:
            await waiting
            waiting = self.advance()

    async def _handle(self, waiting: Awaitable[None]) -> None:
        """Wait for the message handler, which is cancelled some time after the client is lost."""
        session = self._session
        session.handling = True
        task = asyncio.current_task()
        session.reader = session.reader or task
        try:
            await waiting
            session.has_progressed = True
        except asyncio.CancelledError:
            if task is None or not session.is_given_up:
                raise
            task.uncancel()
        except Exception:
            session.server.logger.exception("message handler error")
        finally:
            session.handling = False
            if session.reader is task:
                session.reader = None
        if self._credit <= 0:
            await self._give_way()

    async def _give_way(self) -> None:
        """Let the event loop run other tasks, and begin to count packets anew."""
        self._credit = self._session.server.packets_per_payload
        await self._session.server.sleep(0)

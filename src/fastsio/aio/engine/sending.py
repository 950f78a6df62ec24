"""
The sending half of the Engine.IO server: packets out to one client, or to many.

How a session writes stands in :mod:`.socket`; this module finds the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.aio.engine.eager import NOTHING
from fastsio.engine.packet import WirePacket, join_frames, message_of, packet_of
from fastsio.engine.server_base import ServerBase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from fastsio.aio.engine.socket import EngineSocket


class SendingServer(ServerBase):
    """
    Sends; by the Engine.IO session id, and never to a session that is over.

    Attributes:
        sockets: The sessions by their id.
        congested: Those that others wait for: more waits for them than the high-water mark.
    """

    sockets: dict[str, EngineSocket]
    congested: set[EngineSocket]

    def post(self, eio_sid: str, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """
        Send packets to a client, in order and with nothing between them; never waits.

        Args:
            eio_sid: The client.
            packets: What to send. Those of a broadcast are shared by all clients.
            waits: Whether the caller waits afterwards, with :meth:`let_read`. Then a full buffer takes them too,
                unless the client has been behind for long.

        Returns:
            False when there is no such client, or it is too slow and the packets were dropped.
        """
        socket = self.sockets.get(eio_sid)
        if socket is None:
            self.logger.debug("Cannot send, the client is gone")
            return False
        return socket.post(packets, waits)

    def post_to_all(self, sessions: Iterable[EngineSocket], packets: Sequence[WirePacket], waits: bool = False) -> None:
        """
        Send packets to many clients as :meth:`post` does to one; those that are gone are left out.

        Args:
            sessions: The sessions of the clients.
            packets: What to send, shared by all.
            waits: As with :meth:`post`.
        """
        frames = b""
        for socket in sessions:
            write_shared = socket.write_shared
            if write_shared is None or socket.idle_send is None:
                socket.post(packets, waits)
                continue
            frames = frames or join_frames(packets)
            if not write_shared(frames):
                socket.post(packets, waits)

    async def let_read(self, eio_sids: Sequence[str]) -> None:
        """
        Wait while any of some clients is behind and reads; call it when there are :attr:`congested` ones.

        Args:
            eio_sids: The clients. With several, one delays the caller by no more than ``slow_client_timeout``.
        """
        sockets, is_shared = self.sockets, len(eio_sids) > 1
        for socket in self.congested.intersection(map(sockets.get, eio_sids)):
            await socket.let_read(is_shared=is_shared)

    def write(self, eio_sid: str, packets: Sequence[WirePacket]) -> Awaitable[None]:
        """
        Send as :meth:`post` does; await the result to wait while the client is behind and reads.

        Args:
            eio_sid: The client.
            packets: What to send.
        """
        socket = self.sockets.get(eio_sid)
        if socket is None:
            self.logger.debug("Cannot send, the client is gone")
            return NOTHING
        return socket.write(packets)

    async def send(self, sid: str, data: Any) -> bool:
        """Send a message: text, bytes, or what JSON can hold; waits while the client is behind and reads."""
        is_sent = self.post(sid, (message_of(data),), True)
        if self.congested:
            await self.let_read((sid,))
        return is_sent

    async def send_packet(self, sid: str, pkt: Any) -> bool:
        """Send a packet, one of ours or one of engineio's; never waits."""
        return self.post(sid, (packet_of(pkt),))

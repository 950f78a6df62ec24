"""
The replies to CONNECT: the confirmation with the sid, the refusal, and the events that a recovered client has missed.

:mod:`.lifecycle` decides which reply a client gets, and changes its state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.engine.log_format import label
from fastsio.exceptions import refusal
from fastsio.protocol import NamespaceState, PacketType
from fastsio.protocol.lifecycle import Reasons

# Only threads:
# | from fastsio.engine.packet import MessagePacket
# Both:

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from fastsio.aio.runner import HandlerRunner
    from fastsio.base.parts import Handlers, PartServer
    from fastsio.state import Client, Connection


class ConnectReplies:
    """
    Sends the replies to CONNECT.

    Attributes:
        write_connect: Writes the text of a CONNECT; None while packets are shown to others before they are sent.
    """

    def __init__(self, server: PartServer, sender: Handlers, runner: HandlerRunner) -> None:
        self._server = server
        self._sender = sender
        self._runner = runner
        self.write_connect: Callable[[Any], str] | None = None

    async def confirm(self, client: Client) -> Awaitable[None] | None:
        """Send a client its sid; return what :meth:`wait_until_read` waits for."""
        client.is_told = True
        payload = client.connection.dialect.confirmation(client.sid)
        if client.recovery is not None:
            payload["pid"] = client.recovery.pid
        # Only asyncio:
        return await self._send_connect(client, payload)
        # Only threads:
        # | self._send_connect(client, payload)
        # | return client.eio_sid if self._server.eio.congested else None
        # Both:

    async def wait_until_read(self, waiting: Any) -> None:
        """Wait while a client that was sent its sid is behind; *waiting* is the result of :meth:`confirm`."""
        if waiting is not None:
            # Only asyncio:
            await waiting
            # Only threads:
            # | self._server.eio.let_read((waiting,))
            # Both:

    async def _send_connect(self, client: Client, payload: Any) -> Awaitable[None] | None:
        """Send the answer to a CONNECT; return what to await while the client is behind, or None."""
        write, session = self.write_connect, client.connection.session
        if write is not None and session is not None and client.namespace == "/" and payload is not None:
            # Only asyncio:
            waiting: Awaitable[None] | None = session.write_text(write(payload))
            return waiting
            # Only threads:
            # | session.post((MessagePacket(write(payload)),), True)
            # | return None
            # Both:
        # The payload has no bytes, so the encoder need not look for any.
        packet = self._server.packet_class(PacketType.CONNECT, payload, client.namespace, binary=False)
        await self._sender.send(client.connection.eio_sid, packet)
        return None

    async def send_missed(self, client: Client, batches: Iterable[Any]) -> bool:
        """Send the events that a client has missed, no faster than it reads; False if it is too slow or has left."""
        for frames in batches:
            if client.state is not NamespaceState.CONNECTED:
                return False
            if not await self._sender.reply_frames(client.eio_sid, frames):
                close = self._server.eio.close_client
                self._runner.start_task(close, client.eio_sid, Reasons.TRANSPORT_ERROR, abort=True)
                return False
        return True

    async def refuse(self, connection: Connection, namespace: str, payload: dict[str, Any]) -> None:
        """Send CONNECT_ERROR, with a general text if the payload cannot be written."""
        dialect = connection.dialect
        try:
            await self.send(connection, PacketType.CONNECT_ERROR, namespace, dialect.refusal(payload))
        except (TypeError, ValueError):
            self._server.logger.exception("%s: the refusal cannot be sent as it is", label(connection.eio_sid))
            await self.send(connection, PacketType.CONNECT_ERROR, namespace, dialect.refusal(refusal()))

    async def send(self, connection: Connection, packet_type: PacketType, namespace: str, payload: Any = None) -> None:
        """Send a packet to a client of a connection."""
        packet = self._server.packet_class(packet_type, payload, namespace)
        await self._sender.send(connection.eio_sid, packet)

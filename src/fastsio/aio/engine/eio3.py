"""
The session of an Engine.IO 3 client, which is what Socket.IO clients 1.x and 2.x speak.

Owns what differs while it runs: the form of binary, and a heartbeat that the client starts. What is on the wire stands
in :mod:`fastsio.engine.eio3`.

Source: Engine.IO protocol v3; the JavaScript server's ``allowEIO3``.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from fastsio.aio.engine.socket import EngineSocket
from fastsio.engine.packet import PONG_PACKET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.aio.engine.links import DirectLink
    from fastsio.aio.engine.server import EngineServer
    from fastsio.engine.packet import WirePacket


class Eio3Socket(EngineSocket):
    """
    A session of an Engine.IO 3 client.

    Args:
        server: The server it belongs to.
        sid: Its Engine.IO session id.
        base64: Whether the client said in its handshake that it reads no binary.

    Attributes:
        polls_base64: Whether polls are answered with nothing but text.
    """

    __slots__ = ("polls_base64",)

    protocol: ClassVar[int] = 3

    def __init__(self, server: EngineServer, sid: str, *, base64: bool) -> None:
        super().__init__(server, sid)
        self.polls_base64 = self.frames_base64 = base64

    def post(self, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """Send packets as :class:`EngineSocket` does, each in the form this client reads."""
        forms = [packet.eio3 for packet in packets]
        return super().post([form.text for form in forms] if self.frames_base64 else forms, waits)

    def _shared_writer(self, link: DirectLink) -> None:
        """Have none: binary has a form of its own."""

    def start_heartbeat(self) -> None:
        """Wait for the client's ping."""
        server = self.server
        self.awaiting_pong = True
        allowed_s = server.ping_interval + server.ping_interval_grace_period + server.ping_timeout
        self.expires = monotonic() + allowed_s
        server.deadlines.set(self, allowed_s)

    def on_heartbeat(self) -> None:
        """Answer a ping; it counts like a message, so that a client that never reads cannot pile up pongs."""
        if not self.closing:
            self.start_heartbeat()
            self.post((PONG_PACKET,))

"""
The session of a client of Engine.IO 3, as Socket.IO clients 1.x and 2.x are.

It writes binary in another form, and the client starts the heartbeat.

Source: Engine.IO protocol v3; the JavaScript server's ``allowEIO3``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastsio.aio.engine.session import Session
from fastsio.engine.packet import PONG_PACKET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.aio.engine.host import Host
    from fastsio.engine.packet import WirePacket


class Eio3Session(Session):
    """A session of an Engine.IO 3 client; *base64*: the client said in its handshake that it reads no binary."""

    __slots__ = ("polls_base64",)

    protocol: ClassVar[int] = 3
    # Only asyncio:
    has_usual_form: ClassVar[bool] = False
    # Both:

    def __init__(self, server: Host, sid: str, *, base64: bool) -> None:
        super().__init__(server, sid)
        self.polls_base64 = self.frames_base64 = base64

    def post(self, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """Send packets as :class:`Session` does, each in the form this client reads."""
        forms = [packet.eio3 for packet in packets]
        # Only asyncio:
        if self.frames_base64:
            forms = [form.text for form in forms]
        # Both:
        return super().post(forms, waits)

    def start_heartbeat(self) -> None:
        """Wait for the client's ping."""
        server = self.server
        self.awaiting_pong = True
        allowed_s = server.ping_interval + server.ping_interval_grace_period + server.ping_timeout
        self.expires = self.clock() + allowed_s
        server.deadlines.set(self, allowed_s)

    def accepts_heartbeat(self) -> bool:
        """Tell whether a ping of the client counts: it does while the session is open."""
        return not self.closing

    def on_heartbeat(self) -> None:
        """Answer a ping; it counts like a message, so that a client that never reads cannot pile up pongs."""
        if self.accepts_heartbeat():
            self.start_heartbeat()
            self.post((PONG_PACKET,))

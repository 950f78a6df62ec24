"""
One end of an open WebSocket, as sessions write to it.

What is read is read by one thread; what is written is written by one thread at a time, which the session sees to. So a
link needs no lock. What a link does is said in :mod:`.socketlink`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

from fastsio.engine.log_format import label, shown
from fastsio.engine.packet import ControlFrame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from logging import Logger

    from fastsio.engine.packet import WirePacket
    from fastsio.sync.engine.socketlink import SocketLink

    Link: TypeAlias = "SocketLink | PreparedLink"


class PreparedLink(ABC):
    """
    A link whose packets are looked at, or changed, before they are written.

    Args:
        link: The link, a socket's or one that is prepared already.
    """

    def __init__(self, link: Any) -> None:
        self._link: SocketLink = link
        self.receive = link.receive
        self.read_ahead = link.read_ahead
        self.peer_code = link.peer_code
        self.answer_pings = link.answer_pings
        self.flush = link.flush
        self.unsent = link.unsent
        self.drain = link.drain
        self.abort = link.abort
        self.unread = link.unread

    @abstractmethod
    def prepare(self, packets: Sequence[WirePacket]) -> Sequence[WirePacket]:
        """Return what is to be written for *packets*."""

    def write(self, packets: Sequence[WirePacket]) -> bool:
        """Write frames as far as that does not wait."""
        return self._link.write(self.prepare(packets))

    def write_later(self, packets: Sequence[WirePacket]) -> None:
        """Keep frames for :meth:`flush`."""
        self._link.write_later(self.prepare(packets))


class TextLink(PreparedLink):
    """A link that carries binary as base64 in text frames."""

    def prepare(self, packets: Sequence[WirePacket]) -> Sequence[WirePacket]:
        """Return *packets* as text, but for the frames of WebSocket itself."""
        return [packet.text for packet in packets]


class TracedLink(PreparedLink):
    """
    Log each packet before it is written, as ``engineio_logger=True`` asks for.

    Args:
        link: The link.
        sid: The session it belongs to.
        logger: Where to.
    """

    def __init__(self, link: Link, sid: str, logger: Logger) -> None:
        super().__init__(link)
        self._sid = sid
        self._logger = logger

    def prepare(self, packets: Sequence[WirePacket]) -> Sequence[WirePacket]:
        """Log *packets*; frames of WebSocket itself are none."""
        for packet in packets:
            if isinstance(packet, ControlFrame):
                continue
            self._logger.info("%s: Sending packet %s", label(self._sid), shown(packet.wire, from_server=True))
        return packets

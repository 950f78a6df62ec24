"""
One end of an open WebSocket.

What is read is read by one thread; what is written is written by one thread at a time, which the session sees to. So a
link needs no lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fastsio.engine.log_format import label, shown
from fastsio.engine.packet import ControlFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger

    from fastsio.engine.packet import WirePacket


class LinkLost(Exception):  # noqa: N818 - says what happened
    """The peer closed the WebSocket."""


class Link(Protocol):
    """An accepted WebSocket."""

    def receive(self) -> str | bytes | None:
        """
        Wait for the next message; None when the WebSocket is over.

        Raises:
            PacketError: The message is larger than the server takes, or a frame breaks WebSocket's own rules.
        """

    def read_ahead(self, take: Callable[[str | bytes], bool]) -> Exception | None:
        """
        Read what has arrived while the thread that reads is busy, without waiting and up to a bound; for one thread.

        Args:
            take: Called with each message; tells whether it took it. The others wait for :meth:`receive`. Must not
                wait.

        Returns:
            Why nothing more will come: :class:`LinkLost`, or what :meth:`receive` will raise; None while more may.
        """

    def peer_code(self) -> int:
        """Return the code that the peer has closed the WebSocket with."""
        raise NotImplementedError

    def answer_pings(self, answer: Callable[[bytes], Any]) -> None:
        """Call *answer* with the payload of each of the peer's ping frames; before, the link answers itself."""

    def write(self, packets: Sequence[WirePacket]) -> bool:
        """
        Write frames as far as that does not wait.

        Returns:
            False when something is left, for :meth:`flush`, which must come before the next write.

        Raises:
            OSError: The peer is gone.
        """
        raise NotImplementedError

    def write_later(self, packets: Sequence[WirePacket]) -> None:
        """Keep frames for :meth:`flush`."""

    def flush(self) -> None:
        """
        Write what is left, however long the peer takes.

        Raises:
            OSError: The peer is gone, or the link was aborted.
        """

    def unsent(self) -> int:
        """Return how many bytes of what is being written the network has not taken yet."""
        raise NotImplementedError

    def drain(self) -> None:
        """Read on without a use for it until the peer has closed too."""

    def unread(self) -> int | None:
        """
        Tell how many bytes of the peer nobody has read yet, up to a few ten thousand; may be called by any thread.

        Returns:
            The number; -1 when the peer has closed; None where there is no telling.
        """

    def abort(self) -> None:
        """Cut the connection; a thread that reads or writes is woken. May be called by any thread, and twice."""


class PreparedLink:
    """
    A link whose packets are looked at, or changed, before they are written.

    Args:
        link: The link.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self.receive = link.receive
        self.read_ahead = link.read_ahead
        self.peer_code = link.peer_code
        self.answer_pings = link.answer_pings
        self.flush = link.flush
        self.unsent = link.unsent
        self.drain = link.drain
        self.abort = link.abort
        self.unread = link.unread

    def prepare(self, packets: Sequence[WirePacket]) -> Sequence[WirePacket]:
        """Return what is to be written for *packets*."""
        raise NotImplementedError

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

"""
The packet log of ``engineio_logger=True``, put around a session's link and handler when it begins.

So a session that is not traced pays nothing for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.engine.log_format import label, shown, shown_message
from fastsio.sync.engine.framing import ControlFrame
from fastsio.sync.engine.links import PreparedLink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger

    from fastsio.engine.packet import WirePacket
    from fastsio.sync.engine.links import Link

    MessageHandler = Callable[[Any, str | bytes], Any]


def trace_messages(on_message: MessageHandler, sid: str, logger: Logger) -> MessageHandler:
    """Log each message of a session before it is handled."""

    def traced(key: Any, data: str | bytes) -> None:
        logger.info("%s: Received packet MESSAGE data %s", label(sid), shown_message(data, from_server=False))
        on_message(key, data)

    return traced


class TracedLink(PreparedLink):
    """
    Log each packet before it is written.

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

"""
The framing reads frames with picows, and assembles messages from them. No other module uses picows.

The protocol class of picows is not in its public API, so :func:`find_problem` tests it before the first connection.
picows does not write to the socket: its writes go to :class:`DiscardingTransport`.

This module also handles what picows does not: fragments, reserved bits, text that is not UTF-8, close frames.

**Limits for a client.** A read takes at most ``MAX_READ_BYTES``, so no connection has more handled before the other
connections have their turn. The rate of frames without a message is limited too (see :class:`MessageAssembler`). The
buffer grows for a frame that does not fit, and shrinks when that frame has been read.

Source: RFC 6455, sections 5 and 7.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from multidict import CIMultiDict
from picows import WSAutoPingStrategy, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeResponse
from picows.common import WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined] # not public; see above

from fastsio.engine.frame_reader import MESSAGE_TOO_BIG, POLICY_VIOLATION, PROTOCOL_ERROR, FrameRate
from fastsio.engine.frames import CLOSE, PONG, frame

if TYPE_CHECKING:
    from fastsio.aio.engine.links import Frame
    from fastsio.integrations.fast.websocket import Flushable, Wire

INVALID_UTF8: Final = 1007
#: The size of the buffer that picows reads into; picows doubles it when it is full.
READ_BUFFER_BYTES: Final = 2048
#: The most bytes that are read at a time; they may be many frames of six bytes.
MAX_READ_BYTES: Final = 8192
#: A buffer with room for more than this is not kept.
MAX_KEPT_BYTES: Final = 32_768
#: Frames that are handled before other connections have a turn.
FAIR_SHARE: Final = 64
#: Stands for a number of bytes that is not known.
UNKNOWN_BYTES: Final = -1
#: The request that picows reads, and its answer. Other code reads and answers the real request of the peer.
REQUEST: Final = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TEXT: Final = WSMsgType.TEXT
BINARY: Final = WSMsgType.BINARY
PING: Final = WSMsgType.PING
PONG_FRAME: Final = WSMsgType.PONG
logger = logging.getLogger("uvicorn.error")


class UnsentResponse(WSUpgradeResponse):
    """The answer of picows, which is not sent."""

    def to_bytes(self) -> bytearray:
        """Write nothing."""
        return bytearray()


class MessageAssembler(WSListener):
    """
    Assembles messages from the frames that picows has read.

    **Floods.** After ``FAIR_SHARE`` frames that are not messages, the connection is not read until the next turn of the
    loop, which may read it many times in one turn. Of the pings of a turn the last is answered (RFC 6455, section
    5.5.3). The WebSocket of a client that sends more pings, pongs and empty fragments in a second than *max_rate* is
    closed.

    Attributes:
        wire: Gets the messages.
        max_bytes: The largest message.
        is_watched: Whether :attr:`unread_bytes` is updated, because picows's buffer is large.
        unread_bytes: How many bytes of an incomplete frame picows's buffer held behind the last complete frame.
    """

    __slots__ = (
        "_is_text",
        "_parts",
        "_ping",
        "_rate",
        "_share",
        "is_watched",
        "max_bytes",
        "unread_bytes",
        "wire",
    )

    def __init__(self, wire: Wire, max_bytes: int, max_rate: int) -> None:
        self.is_watched = False
        self.unread_bytes = UNKNOWN_BYTES
        self.wire = wire
        self.max_bytes = max_bytes
        self._rate = FrameRate(max_rate, asyncio.get_running_loop().time)
        self._share = FAIR_SHARE
        #: The payload of a ping that is not answered yet.
        self._ping: bytes | None = None
        self._parts: bytearray | None = None
        self._is_text = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Forget picows's own request, which would be kept as long as the connection."""
        transport.request.headers = RESPONSE.headers

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002 - picows's signature
        """Handle a frame."""
        if self.is_watched:
            self.unread_bytes = frame.tail_size
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            # Only an extension could use these bits, and none was negotiated.
            self.wire.fail(PROTOCOL_ERROR)
        elif frame.msg_type is TEXT and frame.fin and self._parts is None:
            try:
                data = frame.get_payload_as_utf8_text()
            except UnicodeDecodeError:
                self.wire.fail(INVALID_UTF8)
            else:
                self.wire.deliver(data)
        else:
            self._handle_other(frame)

    def _handle_other(self, received: WSFrame) -> None:
        # The handlers of messages count their own share.
        self._share -= 1
        if not self._share:
            self._share = FAIR_SHARE
            self.wire.give_way()
        kind = received.msg_type
        if kind is BINARY and received.fin and self._parts is None:
            self.wire.deliver(received.get_payload_as_bytes())
        elif kind is PING:
            self._check_rate()
            self._handle_ping(received.get_payload_as_bytes())
        elif kind is PONG_FRAME:
            self._check_rate()
        elif kind is WSMsgType.CLOSE:
            self._handle_close(received.get_payload_as_bytes())
        else:
            if not received.payload_size:
                self._check_rate()
            self._handle_fragment(kind, received)

    def _check_rate(self) -> None:
        if self._rate.is_exceeded():
            self.wire.fail(POLICY_VIOLATION)

    def _handle_ping(self, payload: bytes) -> None:
        is_first, self._ping = self._ping is None, payload
        if is_first:
            self.wire.call_later(self)

    def flush(self) -> None:
        """Answer the last ping."""
        payload, self._ping = self._ping, None
        self.wire.write_raw(frame(PONG, payload or b""))

    def _handle_fragment(self, kind: WSMsgType, received: WSFrame) -> None:
        if (kind is WSMsgType.CONTINUATION) is (self._parts is None):
            self.wire.fail(PROTOCOL_ERROR)
            return
        if self._parts is None:
            self._parts = bytearray()
            self._is_text = kind is TEXT
        if len(self._parts) + received.payload_size > self.max_bytes:
            self.wire.fail(MESSAGE_TOO_BIG)
            return
        self._parts += received.get_payload_as_memoryview()
        if received.fin:
            whole, self._parts = self._parts, None
            self._deliver_whole(whole)

    def _deliver_whole(self, whole: bytearray) -> None:
        if not self._is_text:
            self.wire.deliver(bytes(whole))
            return
        try:
            text = whole.decode()
        except UnicodeDecodeError:
            self.wire.fail(INVALID_UTF8)
        else:
            self.wire.deliver(text)

    def _handle_close(self, payload: bytes) -> None:
        """Answer with the same code, if it is one that may be sent."""
        if payload and not _may_be_sent(int.from_bytes(payload[:2])):
            self.wire.fail(PROTOCOL_ERROR)
        else:
            self.wire.peer_closes(frame(CLOSE, payload[:2]))

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows's signature
        """End the WebSocket: its connection is gone."""
        self.wire.lost()

    def pause_writing(self) -> None:
        """Stop writing: the peer does not keep up with reading."""
        self.wire.pause_writing()

    def resume_writing(self) -> None:
        """Write again: the peer has caught up."""
        self.wire.resume_writing()


def _may_be_sent(code: int) -> bool:
    """Return whether a close frame may have a code (RFC 6455, section 7.4; the registry of IANA)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999  # noqa: PLR2004 - as registered


class NoSocket:
    """A stand-in for the socket that picows asks for; picows must not set its options or write to it."""

    def setsockopt(self, *_options: int) -> None:
        """Do nothing."""

    def getsockopt(self, *_options: int) -> int:
        """Return 0."""
        return 0

    def fileno(self) -> int:
        """Return -1, which is no file."""
        return -1


NO_SOCKET: Final = NoSocket()


class DiscardingTransport:
    """The transport that picows writes to: it sends nothing, and reports errors of the peer to the wire."""

    __slots__ = ("_is_open", "_wire")

    #: Returns a socket that does nothing; a built-in method, because it is called five times for each connection.
    get_extra_info = staticmethod({"socket": NO_SOCKET}.get)

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._is_open = False

    def get_write_buffer_size(self) -> int:
        """Return a size above 0, because picows would otherwise write to the socket itself."""
        return 1

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Drop what picows writes: the answer to the handshake, and the close frame after an error that it finds."""
        if self._is_open:
            self._wire.fail(int.from_bytes(bytes(data)[2:4]))
        self._is_open = True

    def close(self) -> None:
        """Do nothing: the wire, which gets the error, closes the connection."""

    abort = close


class DebugLogger:
    """The logger of picows: logs its messages about single clients at DEBUG, and its exceptions as errors."""

    exception = staticmethod(logger.exception)

    @staticmethod
    def isEnabledFor(level: int) -> bool:  # noqa: N802 - logging's name
        """Tell whether a level is logged."""
        return logger.isEnabledFor(level)

    @staticmethod
    def log(_level: int, msg: object, *args: object) -> None:
        """Log at DEBUG."""
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(msg, *args)

    @classmethod
    def info(cls, msg: object, *args: object) -> None:
        """Log at DEBUG."""
        cls.log(logging.DEBUG, msg, *args)

    debug = warning = error = info


RESPONSE: Final = UnsentResponse()
RESPONSE.version, RESPONSE.status = b"HTTP/1.1", HTTPStatus.SWITCHING_PROTOCOLS
RESPONSE.headers = CIMultiDict()


class Framing(WSProtocol):  # type: ignore[misc] # picows has no types for it
    """
    picows's protocol, which reads little at a time and does not keep a large buffer.

    picows does not tell how full its buffer is, only how much room it has, and how much was behind each frame. A buffer
    with room for more than ``MAX_KEPT_BYTES``, nothing behind the last frame and no read since is large and empty.
    """

    __slots__ = ()

    def get_buffer(self, size_hint: int) -> memoryview:
        """Return the buffer to read into."""
        buffer: memoryview = GET_BUFFER(self, size_hint)
        return buffer if len(buffer) <= MAX_READ_BYTES else self._bounded(buffer)

    def _bounded(self, buffer: memoryview) -> memoryview:
        if len(buffer) > MAX_KEPT_BYTES:
            self.listener.is_watched = True
            self.listener.unread_bytes = UNKNOWN_BYTES
            asyncio.get_running_loop().call_soon(self._drop_large_buffer)
        return buffer[:MAX_READ_BYTES]

    def _drop_large_buffer(self) -> None:
        assembler = self.listener
        assembler.is_watched = False
        if not assembler.unread_bytes:
            assembler.wire.replace(_open(assembler))


GET_BUFFER: Final = WSProtocol.get_buffer


def open_framing(wire: Wire, *, max_bytes: int, max_rate: int) -> asyncio.BufferedProtocol:
    """Frame a connection whose handshake is answered; return the protocol that its transport gets."""
    return _open(MessageAssembler(wire, max_bytes, max_rate))


def _open(assembler: MessageAssembler) -> asyncio.BufferedProtocol:
    protocol: asyncio.BufferedProtocol = Framing(
        host_port=None,
        ws_path=None,
        is_client_side=False,
        ws_listener_factory=lambda _request: WSUpgradeResponseWithListener(RESPONSE, assembler),
        logger=DebugLogger,
        disconnect_on_exception=False,
        websocket_handshake_timeout=None,
        enable_auto_ping=False,
        auto_ping_idle_timeout=1,
        auto_ping_reply_timeout=1,
        auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
        enable_auto_pong=False,
        max_frame_size=assembler.max_bytes,
        extra_headers=None,
        read_buffer_init_size=READ_BUFFER_BYTES,
    )
    protocol.connection_made(DiscardingTransport(assembler.wire))  # type: ignore[arg-type] # as much of a transport as picows uses
    memoryview(protocol.get_buffer(-1))[: len(REQUEST)] = REQUEST
    protocol.buffer_updated(len(REQUEST))
    return protocol


def feed(protocol: asyncio.BufferedProtocol, data: bytes | bytearray) -> None:
    """Pass bytes to a protocol which its transport has not read into the buffer of the protocol."""
    rest = memoryview(data)
    while rest:
        buffer = memoryview(protocol.get_buffer(len(rest)))
        count = min(len(buffer), len(rest))
        buffer[:count] = rest[:count]
        protocol.buffer_updated(count)
        rest = rest[count:]


class TrialWire:
    """The wire of :func:`find_problem`, which records messages and frames."""

    def __init__(self) -> None:
        self.written = b""
        self.delivered: list[Frame] = []
        self.codes: list[int] = []

    def deliver(self, data: Frame) -> None:
        """Keep a message."""
        self.delivered.append(data)

    def write_raw(self, data: bytes) -> None:
        """Keep a frame."""
        self.written += data

    def call_later(self, flushable: Flushable) -> None:
        """Call it at once."""
        flushable.flush()

    def replace(self, protocol: asyncio.BufferedProtocol) -> None:
        """Keep the old one."""

    def fail(self, code: int) -> None:
        """Keep a code."""
        self.codes.append(code)

    def peer_closes(self, reply: bytes) -> None:
        """Keep the answer."""
        self.written += reply

    def lost(self) -> None:
        """Do nothing."""

    give_way = pause_writing = resume_writing = lost


def find_problem() -> str | None:
    """Test the installed picows, in the running loop; return what differs from what is expected, or None."""
    trial: Any = TrialWire()
    try:
        protocol = open_framing(trial, max_bytes=64, max_rate=64)
        # A text in two fragments with a ping between them, a frame that is not masked.
        feed(protocol, b"\x01\x81\x00\x00\x00\x00a\x89\x81\x00\x00\x00\x00p\x80\x81\x01\x01\x01\x01c\x81\x01x")
    except Exception as error:  # noqa: BLE001 - whatever another version does
        return repr(error)
    if (trial.written, trial.delivered, trial.codes) != (b"\x8a\x01p", ["ab"], [PROTOCOL_ERROR]):
        return "frames are read in another way"
    return None

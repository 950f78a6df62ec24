"""
The MessagePack form of a packet: one binary frame a packet, binary in its place, no attachments.

This module owns the map that a packet is on the wire, and its validation. It needs the extra ``msgpack``: importing
this module without it raises :class:`MissingExtraError`, so it is imported only by the facade and when this serializer
is chosen.
Source: socket.io-msgpack-parser 3.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from fastsio._extras import require
from fastsio.exceptions import PacketError
from fastsio.protocol.limits import (
    DEFAULT_LIMITS,
    Limits,
    check_ack_id,
    check_namespace,
    check_packet_type,
    check_value_depth,
)
from fastsio.protocol.packet import Packet
from fastsio.protocol.packet_type import PacketType
from fastsio.protocol.plain import to_plain

if TYPE_CHECKING:
    from collections.abc import Callable

_msgpack: Final = require("msgpack", "msgpack")

#: Types on the wire; the binary ones do not exist there.
_WIRE_TYPES: Final[tuple[int, ...]] = (0, 1, 2, 3, 4, 2, 3)


#: How notepack.io, which socket.io-msgpack-parser uses, writes undefined: the payload of a CONNECT without auth.
_UNDEFINED: Final = (0, b"\x00")


class MsgPackPacket(Packet):
    """A Socket.IO packet encoded with MessagePack, as python-socketio's class of that name."""

    __slots__ = ()

    uses_binary_events: ClassVar[bool] = False
    #: Converts what MessagePack has no form for; None for fastsio's own conversion of models, dates and the like.
    dumps_default: ClassVar[Any] = None
    #: Makes a value of an extension type's code and bytes.
    ext_hook: ClassVar[Any] = _msgpack.ExtType

    @classmethod
    def configure(
        cls,
        dumps_default: Callable[[Any], Any] | None = None,
        ext_hook: Callable[[int, bytes], Any] | None = _msgpack.ExtType,
    ) -> type[MsgPackPacket]:
        """
        Make a packet class with conversions of the application's.

        Args:
            dumps_default: Converts a value MessagePack has no form for, often to ``msgpack.ExtType``; what it refuses
                with TypeError is converted as without it.
            ext_hook: Makes a value of an extension type's code and bytes; None for ``msgpack.ExtType``.

        Returns:
            A subclass, to be given as ``serializer``.
        """
        attributes = {
            "__slots__": (),
            "__module__": __name__,
            "dumps_default": None if dumps_default is None else staticmethod(dumps_default),
            "ext_hook": staticmethod(_msgpack.ExtType if ext_hook is None else ext_hook),
        }
        return type("CustomMsgPackPacket", (cls,), attributes)

    def encode(self) -> bytes:
        """
        Encode the packet for sending.

        Returns:
            The one frame of the packet.

        Raises:
            TypeError: Something in the payload has no MessagePack form.
            ValueError: A text has a lone surrogate, which has no UTF-8 form and, unlike in JSON, no escaped one.
        """
        wire: dict[str, Any] = {"type": _WIRE_TYPES[self._type], "nsp": self.namespace or "/"}
        if self.data is not None:
            # A nil would be a payload; JavaScript refuses a DISCONNECT that has one.
            wire["data"] = self.data
        if self.id is not None:
            wire["id"] = self.id
        encoded: bytes = _msgpack.packb(wire, default=self._convert)
        return encoded

    def _convert(self, value: Any) -> Any:
        """Convert what MessagePack has no form for."""
        # Read from the class: read from the packet, a function in this attribute would be called with the packet first.
        dumps_default = type(self).dumps_default
        if dumps_default is not None:
            try:
                return dumps_default(value)
            except TypeError:
                pass
        return to_plain(value)

    def decode(self, encoded_packet: bytes | str, *, limits: Limits = DEFAULT_LIMITS) -> int:
        """
        Read a packet's frame into this object.

        Args:
            encoded_packet: The binary frame; a text is never a packet of this form.
            limits: What the frame may contain.

        Returns:
            0: no attachments follow.

        Raises:
            PacketError: The frame is no packet, or passes a limit.
        """
        if isinstance(encoded_packet, str):
            raise PacketError("text where a MessagePack packet was expected")
        try:
            wire = _msgpack.unpackb(encoded_packet, ext_hook=self._read_extension)
        except Exception as error:  # the peer's bytes made msgpack, or the application's ext_hook, raise
            raise PacketError("the packet is not MessagePack") from error
        if not isinstance(wire, dict):
            raise PacketError("the packet is no map")
        self.packet_type = check_packet_type(wire.get("type"), highest=PacketType.CONNECT_ERROR)
        self.namespace = check_namespace(wire.get("nsp"), limits)
        self.id = check_ack_id(wire.get("id"), limits)
        self.data = wire.get("data")
        self.attachment_count = 0
        self.attachments = []
        self._binary = None
        check_value_depth(self.data, limits.max_json_depth)
        return 0

    def _read_extension(self, code: int, data: bytes) -> Any:
        """
        Read an extension; socket.io-msgpack-parser writes JavaScript's undefined as one.

        An application may use the code of undefined for something of its own, so it is asked first.
        """
        ext_hook = type(self).ext_hook or _msgpack.ExtType
        if (code, data) != _UNDEFINED:
            return ext_hook(code, data)
        try:
            value = ext_hook(code, data)
        except Exception:  # noqa: BLE001 - the application does not know undefined
            return None
        return None if isinstance(value, _msgpack.ExtType) else value

    @classmethod
    def parse(cls, frame: str | bytes, limits: Limits) -> Self:
        """Make a packet of the bytes that a peer sent; raise PacketError if they are no packet, or pass a limit."""
        packet = cls.__new__(cls)
        packet.decode(frame, limits=limits)
        return packet

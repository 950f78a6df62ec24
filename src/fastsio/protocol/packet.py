"""
The JSON form of a packet: python-socketio's ``Packet``, strict about the grammar and quick about small events.

This module owns the text of a packet and its attachments. The decoder and the lifecycle decide which packets a peer may
send, and when.
Source: Socket.IO protocol v5, "Packet encoding".
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Self, TypeAlias, TypeVar

from fastsio.exceptions import PacketError
from fastsio.protocol import plain as _plain
from fastsio.protocol.jsoncodec import DEFAULT_CODEC, BinaryInPayload, JSONCodec, adapt
from fastsio.protocol.limits import (
    DEFAULT_LIMITS,
    Limits,
    check_ack_id,
    check_namespace,
    check_packet_type,
    check_text_depth,
    check_value_depth,
)
from fastsio.protocol.packet_type import PACKET_NAMES, PACKET_TYPES, PacketType

_BINARY_EVENT: Final = PacketType.BINARY_EVENT
_TYPES: Final[dict[str, PacketType]] = {str(number): packet_type for number, packet_type in enumerate(PACKET_TYPES)}
_TYPES_WITH_ID: Final = frozenset({PacketType.EVENT, PacketType.ACK, PacketType.BINARY_EVENT, PacketType.BINARY_ACK})
#: Digits of the highest attachment count and of the highest ack id that limits can allow.
_COUNT_DIGITS: Final = 7
_ID_DIGITS: Final = 16
#: White space that JSON allows before a value.
_WHITE_SPACE: Final = " \t\n\r"


#: Packet type, attachment count, namespace, acknowledgement id, and where the payload starts. A plain tuple, because
#: making a named one takes a third of the time of reading the header.
Header: TypeAlias = tuple[PacketType, int, str | None, int | None, int]


def read_header(text: str, limits: Limits) -> Header:
    """
    Read the header of a packet; raise PacketError if it does not follow the grammar, or passes a limit.

    The namespace is None for the root when the text leaves it out, and has no query string.
    """
    packet_type = _TYPES.get(text[:1])
    if packet_type is None:
        raise PacketError("unknown packet type")
    count, position = _read_count(text, limits) if packet_type >= _BINARY_EVENT else (0, 1)
    namespace = ack_id = None
    if text.startswith("/", position):
        namespace, position = _read_namespace(text, position, limits)
    if packet_type in _TYPES_WITH_ID:
        ack_id, position = _read_id(text, position, limits)
    return packet_type, count, namespace, ack_id, position


def _read_count(text: str, limits: Limits) -> tuple[int, int]:
    """Return the attachment count and the position after it."""
    end = text.find("-", 1, _COUNT_DIGITS + 2)
    digits = text[1:end] if end > 0 else ""
    if not (digits.isdecimal() and digits.isascii()):
        raise PacketError("a binary packet without a valid attachment count")
    count = int(digits)
    if count == 0:
        # Accepted by socket.io-parser before 4.2.7.
        raise PacketError("a binary packet without attachments")
    if count > limits.max_attachments:
        raise PacketError("too many attachments", limit=limits.max_attachments, value=count)
    return count, end + 1


def _read_namespace(text: str, start: int, limits: Limits) -> tuple[str, int]:
    """Return the namespace, which may end the packet, and the position after it."""
    end = text.find(",", start)
    if end < 0:
        end = len(text)
    query = text.find("?", start, end)
    name_end = end if query < 0 else query
    length = name_end - start
    if length > limits.max_namespace_length:
        raise PacketError("the namespace's name is too long", limit=limits.max_namespace_length, value=length)
    return text[start:name_end], end + 1


def _read_id(text: str, start: int, limits: Limits) -> tuple[int | None, int]:
    """Return the acknowledgement id, if there is one, and the position after it."""
    end = text.find("[", start)
    if end == start:
        return None, start
    digits = text[start:] if end < 0 else text[start:end].rstrip(_WHITE_SPACE)
    if not (digits.isdecimal() and digits.isascii()):
        return None, start
    if len(digits) > _ID_DIGITS or int(digits) > limits.max_ack_id:
        raise PacketError("the acknowledgement id is too large")
    return int(digits), start + len(digits)


CONNECT: Final = PacketType.CONNECT
DISCONNECT: Final = PacketType.DISCONNECT
EVENT: Final = PacketType.EVENT
ACK: Final = PacketType.ACK
CONNECT_ERROR: Final = PacketType.CONNECT_ERROR
BINARY_EVENT: Final = PacketType.BINARY_EVENT
BINARY_ACK: Final = PacketType.BINARY_ACK
packet_names: Final = PACKET_NAMES

#: The message of the error for a payload that is not JSON.
NOT_JSON: Final = "the payload is not JSON"
#: Stands for the only attachment of an event with one argument, until the attachment has arrived.
PLACEHOLDER: Final[dict[str, Any]] = {"_placeholder": True, "num": 0}
#: The first character of a packet without attachments.
_DIGITS: Final[dict[int, str]] = {
    CONNECT: "0",
    DISCONNECT: "1",
    EVENT: "2",
    ACK: "3",
    CONNECT_ERROR: "4",
    BINARY_EVENT: "2",
    BINARY_ACK: "3",
}
#: The first character of a packet with attachments, and the type it then has.
_BINARY_DIGITS: Final[dict[int, str]] = {EVENT: "5", ACK: "6", BINARY_EVENT: "5", BINARY_ACK: "6"}
_BINARY_TYPES: Final[dict[int, PacketType]] = {
    EVENT: BINARY_EVENT,
    ACK: BINARY_ACK,
    BINARY_EVENT: BINARY_EVENT,
    BINARY_ACK: BINARY_ACK,
}

#: One frame, or a text frame and the attachments that follow it.
EncodedPacket: TypeAlias = str | bytes | list[str | bytes]

_PacketT = TypeVar("_PacketT", bound="Packet")


class Packet:
    """
    A Socket.IO packet, as python-socketio's class of that name.

    Args:
        packet_type: One of the module's constants.
        data: The payload. For an event the list of its name and arguments, for an acknowledgement that of its
            arguments. bytes, bytearray and memoryview travel as attachments.
        namespace: None or ``"/"`` for the root.
        id: The acknowledgement id, if one is asked for or answered.
        binary: True or False when the caller knows whether there is binary in *data*; None to find out while encoding.
        encoded_packet: Text to decode instead of all of the above.

    Raises:
        PacketError: *encoded_packet* does not follow the protocol.
        ValueError: There is binary in a packet that is neither event nor acknowledgement.
    """

    __slots__ = ("_binary", "_type", "attachment_count", "attachments", "data", "id", "namespace")

    #: Whether binary travels in frames of its own.
    uses_binary_events: ClassVar[bool] = True
    #: A codec, or a module or object with ``dumps(obj, separators=...)`` and ``loads(text)``; None for the default.
    json: ClassVar[Any] = DEFAULT_CODEC

    data: Any
    namespace: str | None
    id: int | None
    attachment_count: int
    attachments: list[bytes]

    def __init__(
        self,
        packet_type: int = EVENT,
        data: Any = None,
        namespace: str | None = None,
        id: int | None = None,  # noqa: A002 - the name is python-socketio's
        binary: bool | None = None,
        encoded_packet: Any = None,
    ) -> None:
        self._type = packet_type
        self.data = data
        self.namespace = namespace
        self.id = id
        self._binary = binary
        self.attachment_count = 0
        self.attachments = []
        if data is not None and packet_type not in _BINARY_TYPES:
            self._refuse_binary()
        if encoded_packet:
            self.attachment_count = self.decode(encoded_packet) or 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A subclass may override decode() alone, as subclasses of python-socketio's class do: parse() then calls it.
        owner = next(base for base in cls.__mro__ if "decode" in vars(base) or "parse" in vars(base))
        if "parse" not in vars(owner):
            cls.parse = classmethod(_parse_by_decoding)  # type: ignore[method-assign,assignment]  # decided once, here

    def __repr__(self) -> str:
        name = PACKET_NAMES[self.packet_type]
        return f"<{type(self).__name__} {name} namespace={self.namespace!r} id={self.id!r}>"

    @property
    def packet_type(self) -> int:
        """One of the module's constants: a binary one as soon as there is binary in the data."""
        if self._binary is None and self.uses_binary_events:
            # Binary is looked for here and not earlier: encode() does not need the answer.
            self._binary = self._type in _BINARY_TYPES and self.data_is_binary(self.data)
        return _BINARY_TYPES.get(self._type, self._type) if self._binary and self.uses_binary_events else self._type

    @packet_type.setter
    def packet_type(self, packet_type: int) -> None:
        self._type = packet_type

    def _refuse_binary(self) -> None:
        if self.uses_binary_events and (self._binary or (self._binary is None and self.data_is_binary(self.data))):
            raise ValueError("Packet does not support binary payload.")

    def encode(self) -> EncodedPacket:
        """
        Encode the packet for sending.

        Returns:
            The text of the packet or, if there is binary in it, a list of that text and the attachments.

        Raises:
            TypeError: Something in the payload has no JSON form.
            ValueError: There is binary in a packet that is neither event nor acknowledgement.
        """
        codec = self.json
        if codec is not DEFAULT_CODEC:
            codec = adapt(codec)
        data = self.data
        if self._binary:
            return self._encode_attachments(codec)
        if data is None:
            body = ""
        else:
            try:
                body = codec.dumps(data)
            except BinaryInPayload:
                if self._binary is not None:
                    raise
                return self._encode_attachments(codec)
        digit = _DIGITS[self._type]
        if self.namespace is None or self.namespace == "/":
            return digit + body if self.id is None else f"{digit}{self.id}{body}"
        return digit + self._address() + body

    def _address(self) -> str:
        """Return the text between the type and the payload: the namespace and the acknowledgement id."""
        namespace = self.namespace
        text = "" if namespace is None or namespace == "/" else namespace + ","
        return text if self.id is None else text + str(self.id)

    def _encode_attachments(self, codec: JSONCodec) -> EncodedPacket:
        """Encode a packet that has, or may have, binary in it."""
        tree, attachments = _plain.deconstruct(self.data)
        body = codec.dumps(tree)
        if not attachments:
            # Since socket.io-parser 4.2.7 a binary packet without attachments is an error.
            return _DIGITS[self._type] + self._address() + body
        if self._type not in _BINARY_DIGITS:
            raise ValueError("Packet does not support binary payload.")
        head = f"{_BINARY_DIGITS[self._type]}{len(attachments)}-{self._address()}"
        self._type = _BINARY_TYPES[self._type]
        return [head + body, *attachments]

    def decode(self, encoded_packet: str, *, limits: Limits = DEFAULT_LIMITS) -> int:
        """
        Read a packet's text into this object.

        Args:
            encoded_packet: The text, without Engine.IO's own packet type.
            limits: What the text may contain.

        Returns:
            How many attachments follow; :meth:`add_attachment` takes them.

        Raises:
            PacketError: The text does not follow the grammar, or passes a limit.
        """
        self.attachments = []
        self._type, self.attachment_count, self.namespace, self.id, position = read_header(encoded_packet, limits)
        self._binary = self.attachment_count > 0
        body = encoded_packet[position:]
        # Valid JSON has two brackets for each level, so a shorter text cannot be nested too deeply.
        if len(body) > 2 * limits.max_json_depth:
            check_text_depth(body, limits.max_json_depth)
        self.data = self._decode_body(body) if body else None
        return self.attachment_count

    @classmethod
    def parse(cls, frame: str | bytes, limits: Limits) -> Self:
        """Make a packet of what a peer sent; raise PacketError if it does not follow the grammar, or passes a limit."""
        if not isinstance(frame, str):
            raise PacketError("binary without a packet that announces it")
        packet = cls.__new__(cls)
        packet.decode(frame, limits=limits)
        return packet

    def _decode_body(self, body: str) -> Any:
        """Read the payload's JSON."""
        codec = self.json
        if codec is not DEFAULT_CODEC:
            codec = adapt(codec)
        try:
            data = codec.loads(body)
        except ValueError as error:
            raise PacketError(NOT_JSON) from error
        if data is None:
            raise PacketError("the payload is null")
        return data

    def add_attachment(self, attachment: bytes) -> bool:
        """
        Take the next attachment of a decoded packet.

        Args:
            attachment: The binary frame.

        Returns:
            True when the packet is complete; ``data`` then has the attachments in their places.

        Raises:
            PacketError: The packet needs no more attachments, or its placeholders are wrong.
        """
        if len(self.attachments) >= self.attachment_count:
            raise PacketError("Unexpected binary attachment")
        self.attachments.append(attachment)
        if len(self.attachments) < self.attachment_count:
            return False
        data = self.data
        if type(data) is list and data and data[-1] is PLACEHOLDER:
            data[-1] = attachment
        else:
            self.data = self.reconstruct_binary(data, self.attachments)
        return True

    @classmethod
    def reconstruct_binary(cls, data: Any, attachments: list[bytes]) -> Any:
        """Put attachments in the places of their placeholders; raise PacketError if the two do not match."""
        return _plain.reconstruct(data, attachments)

    @classmethod
    def deconstruct_binary(cls, data: Any) -> tuple[Any, list[bytes]]:
        """Take the attachments out of a payload; return it with placeholders, and the attachments in order."""
        return _plain.deconstruct(data)

    @classmethod
    def data_is_binary(cls, data: Any) -> bool:
        """Tell whether a payload contains binary, so that its packet needs attachments."""
        return _plain.contains_binary(data)


def _parse_by_decoding(cls: type[_PacketT], frame: str | bytes, limits: Limits) -> _PacketT:
    """Do what :meth:`Packet.parse` does, with the ``decode`` of a subclass."""
    if cls.uses_binary_events and not isinstance(frame, str):
        raise PacketError("binary without a packet that announces it")
    try:
        packet = cls(encoded_packet=frame)
    except PacketError:
        raise
    except Exception as error:
        raise PacketError("the packet could not be decoded") from error
    packet.packet_type = check_packet_type(packet._type)
    packet._binary = packet.attachment_count > 0
    packet.namespace = check_namespace(packet.namespace or "/", limits)
    packet.id = check_ack_id(packet.id, limits)
    check_value_depth(packet.data, limits.max_json_depth)
    if packet.attachment_count > limits.max_attachments:
        raise PacketError("too many attachments", limit=limits.max_attachments, value=packet.attachment_count)
    return packet

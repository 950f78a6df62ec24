"""
Fast functions for the packets that a busy server reads and writes most: events and acknowledgements in the root.

They make no :class:`Packet`. A packet with anything unusual is left to :class:`Decoder` and :class:`Packet`; only text
that is not JSON, or is nested too deeply, is refused here already. A serializer with a format of its own does not have
these functions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastsio.exceptions import PacketError
from fastsio.protocol.jsoncodec import adapt
from fastsio.protocol.limits import check_text_depth
from fastsio.protocol.packet import NOT_JSON, PLACEHOLDER, Packet
from fastsio.protocol.packet_type import FORBIDDEN_EVENTS, PacketType

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.protocol.limits import Limits

#: Where the payload of an event begins at the latest; clients count ids from 0, so nearly all ids are short enough.
ID_END: Final = 10

#: An event in the root with one argument, an attachment: its id and its name, which has no escapes.
BINARY_EVENT: Final = re.compile(r'51-([0-9]{0,9})\["([^"\\\x00-\x1f]*)",\{"_placeholder":true,"num":0\}\]')
#: The levels of the payload of such an event: an array, and the object that stands for the attachment.
BINARY_EVENT_DEPTH: Final = 2

#: Name and arguments of an event, and the id of the acknowledgement that is asked for.
Event: TypeAlias = tuple[list[Any], int | None]


def event_reader(packet_class: type[Packet], limits: Limits) -> Callable[[str], Event | None] | None:
    """
    Return a function that reads the text of an event; None if the class reads packets in a way of its own.

    The function returns None for a packet with anything unusual, and raises PacketError when the payload is not JSON or
    is nested too deeply.
    """
    if getattr(packet_class.parse, "__func__", None) is not getattr(Packet.parse, "__func__", None):
        return None
    loads = adapt(packet_class.json).loads
    max_ack_id, max_depth, max_name = limits.max_ack_id, limits.max_json_depth, limits.max_event_length
    # Valid JSON has two brackets for each level, so a shorter text cannot be nested too deeply.
    shallow_chars = 2 * max_depth

    def read(text: str) -> Event | None:
        end = text.find("[", 1, ID_END)
        if end < 0 or text[0] != "2":
            return None
        try:
            ack_id = _read_id(text[1:end], max_ack_id) if end > 1 else None
        except ValueError:
            return None
        if len(text) > shallow_chars:
            check_text_depth(text, max_depth)
        try:
            data = loads(text[end:])
        except ValueError as error:
            raise PacketError(NOT_JSON) from error
        if not data or type(data[0]) is not str or data[0] in FORBIDDEN_EVENTS or len(data[0]) > max_name:
            return None
        return data, ack_id

    return read


def binary_event_reader(packet_class: type[Packet], limits: Limits) -> Callable[[str], Packet | None] | None:
    """
    Return a function that reads the text of an event with one argument, an attachment; it returns None for other text.

    There is no such function if the class is not the default one, or the limits allow no such event.
    """
    if packet_class is not Packet or not limits.max_attachments or limits.max_json_depth < BINARY_EVENT_DEPTH:
        return None
    max_ack_id, max_name = limits.max_ack_id, limits.max_event_length
    match = BINARY_EVENT.fullmatch

    def read(text: str) -> Packet | None:
        found = match(text)
        if found is None:
            return None
        digits, name = found.groups()
        ack_id = int(digits) if digits else None
        if name in FORBIDDEN_EVENTS or len(name) > max_name or (ack_id is not None and ack_id > max_ack_id):
            return None
        packet = Packet(PacketType.BINARY_EVENT, [name, PLACEHOLDER], id=ack_id, binary=True)
        packet.attachment_count = 1
        return packet

    return read


def _read_id(digits: str, max_ack_id: int) -> int:
    """Read an acknowledgement id; raise ValueError unless it is a plain number within the limit."""
    ack_id = int(digits)
    if not digits.isdigit() or not digits.isascii() or ack_id > max_ack_id:
        raise ValueError(digits)
    return ack_id


def connect_writer(packet_class: type[Packet]) -> Callable[[Any], str] | None:
    """Return what writes a server's CONNECT in the root from its payload; None if the class writes in its own way."""
    if packet_class.encode is not Packet.encode:
        return None
    dumps = adapt(packet_class.json).dumps

    def write(payload: Any) -> str:
        return f"0{dumps(payload)}"

    return write


def ack_writer(packet_class: type[Packet]) -> Callable[[int, list[Any]], str] | None:
    """
    Return what writes an acknowledgement in the root from its id and arguments, or None, as :func:`connect_writer`.

    It raises BinaryInPayload when there is binary in them, and TypeError when something has no JSON form.
    """
    if packet_class.encode is not Packet.encode:
        return None
    dumps = adapt(packet_class.json).dumps

    def write(ack_id: int, arguments: list[Any]) -> str:
        return f"3{ack_id}{dumps(arguments)}"

    return write


def binary_ack_writer(packet_class: type[Packet]) -> Callable[[int], str] | None:
    """Return what writes an acknowledgement of one attachment in the root; None if the class is not the default one."""
    if packet_class is not Packet:
        return None

    def write(ack_id: int) -> str:
        return f'61-{ack_id}[{{"_placeholder":true,"num":0}}]'

    return write

"""Which class the packets of a server or client have, by the ``serializer`` and ``json`` arguments."""

from __future__ import annotations

from typing import Any, ClassVar

from fastsio.exceptions import SetupError
from fastsio.protocol import Packet
from fastsio.protocol.jsoncodec import CLIENT_CODEC


class ClientPacket(Packet):
    """A packet of a client: NaN, infinities and too large numbers of a server are read as None."""

    __slots__ = ()

    json: ClassVar[Any] = CLIENT_CODEC


def choose_client_packet_class(serializer: Any, json: Any) -> type[Packet]:
    """Return the class of the packets of a client; as :func:`choose_packet_class`, but for the default."""
    if serializer == "default" and json is None:
        return ClientPacket
    return choose_packet_class(serializer, json)


def choose_packet_class(serializer: Any, json: Any) -> type[Packet]:
    """
    Return the class of the packets of a server or client, with a JSON module of its own if one is given.

    Args:
        serializer: ``"default"``, ``"msgpack"`` or a subclass of :class:`Packet`.
        json: A module or object with ``dumps(obj, separators=...)`` and ``loads(text)``, or None.

    Raises:
        SetupError: The serializer or the module is not one of these.
        MissingExtraError: ``"msgpack"`` without the extra.
    """
    if serializer == "default":
        packet_class: type[Packet] = Packet
    elif serializer == "msgpack":
        from fastsio.protocol.msgpack import MsgPackPacket  # noqa: PLC0415 - an optional extra

        packet_class = MsgPackPacket
    elif isinstance(serializer, type) and issubclass(serializer, Packet):
        packet_class = serializer
    else:
        raise SetupError(f"serializer={serializer!r} is not valid; give 'default', 'msgpack' or a subclass of Packet")
    if json is None:
        return packet_class
    if not (callable(getattr(json, "dumps", None)) and callable(getattr(json, "loads", None))):
        raise SetupError(f"json={json!r} is not valid; give a module with dumps() and loads()")
    # A class of its own keeps the module to its owner; python-socketio sets it for the whole process.
    own_class: Any = type(packet_class.__name__, (packet_class,), {"__slots__": (), "json": json})
    return own_class  # type: ignore[no-any-return] # built of packet_class just now

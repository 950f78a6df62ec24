"""The msgpack serializer, own JSON modules and own packet classes."""

from __future__ import annotations

import importlib
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgpack

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


def pack(kind: int, *, nsp: str = "/", **fields: Any) -> bytes:
    """Write a packet as the JavaScript msgpack parser does."""
    return msgpack.packb({"type": kind, "nsp": nsp, **fields})


@scenario()
async def msgpack_clients_connect_and_talk(lab: Lab) -> None:
    """CONNECT, EVENT and ACK are one binary frame each; binary data needs no attachments."""
    sio = lab.server(serializer="msgpack")
    sio.on("connect", lab.noting("connect"))
    sio.on("ask", lab.noting("ask", returns={"a": b"\x01"}))
    client = await lab.client(packed=True)

    await client.send_frames(pack(0, data={"token": 1}))
    await client.send_frames(pack(2, data=["ask", {"b": b"\x02"}, None, 1.5], id=1))
    await lab.do("emit", sio.emit, "x", (1, b"\x03", "grüße"))


@scenario()
async def msgpack_refusals_and_namespaces(lab: Lab) -> None:
    """CONNECT_ERROR and namespaces have the same fields."""
    sio = lab.server(serializer="msgpack")
    sio.on("connect", lab.noting("connect", returns=False), namespace="/no")
    sio.on("x", lab.noting("x", returns=(1, 2)), namespace="/yes")
    client = await lab.client(packed=True)

    await client.send_frames(pack(0, nsp="/no"))
    await client.send_frames(pack(0, nsp="/yes"))
    await client.send_frames(pack(2, nsp="/yes", data=["x"], id=5))


@scenario()
async def msgpack_callbacks(lab: Lab) -> None:
    """An emit with a callback carries its id, and the ACK reaches the callback."""
    sio = lab.server(serializer="msgpack")
    client = await lab.client(packed=True)
    await client.send_frames(pack(0))

    await lab.do("emit", sio.emit, "ask", 1, callback=lab.noting("callback"))
    await client.send_frames(pack(3, data=["yes", b"\x01"], id=1))


@scenario()
async def msgpack_over_polling(lab: Lab) -> None:
    """The same packets travel as base64."""
    sio = lab.server(serializer="msgpack")
    sio.on("ask", lab.noting("ask", returns="answer"))
    client = await lab.client(packed=True, polling=True)

    await client.send_frames(pack(0))
    await client.send_frames(pack(2, data=["ask", 1], id=1))


@scenario()
async def a_json_module_of_ones_own(lab: Lab) -> None:
    """``json=`` takes anything with ``dumps(obj, separators=...)`` and ``loads(text)``, used for every packet."""

    def dumps(value: Any, **options: Any) -> str:
        if isinstance(value, list):
            lab.note("dumps with", sorted(options))
        return json.dumps(value, default=lambda other: f"custom {type(other).__name__}", **options)

    def loads(text: str, **_options: Any) -> Any:
        lab.note("loads")
        return json.loads(text, parse_float=lambda digits: f"float {digits}")

    packet = importlib.import_module(f"{lab.package.__name__}.packet").Packet
    engine_packet = importlib.import_module("engineio.packet").Packet
    saved = packet.json, engine_packet.json
    try:
        sio = lab.server(json=SimpleNamespace(dumps=dumps, loads=loads))
        sio.on("ask", lab.noting("ask", returns={1, 2}))
        client = await lab.client("/")
        await client.send('21["ask",1.5]')
        await lab.do("emit", sio.emit, "x", {"a": b"\x01", "b": {3}})
    finally:
        packet.json, engine_packet.json = saved


@scenario()
async def a_packet_class_of_ones_own(lab: Lab) -> None:
    """``serializer=`` takes a subclass of Packet."""
    base = importlib.import_module(f"{lab.package.__name__}.packet").Packet

    class Packet(base):
        def encode(self) -> Any:
            lab.note("encode", self.packet_type, self.data, self.namespace, self.id)
            return super().encode()

    sio = lab.server(serializer=Packet)
    sio.on("ask", lab.noting("ask", returns="answer"))
    lab.note("packet class", sio.packet_class is Packet)
    client = await lab.client("/")

    await client.send('21["ask",1]')
    await lab.do("emit", sio.emit, "x", 1)


@scenario()
async def packets_encode_and_decode_by_hand(lab: Lab) -> None:
    """The Packet class itself: constructor, encode, attachments, attributes."""
    module = importlib.import_module(f"{lab.package.__name__}.packet")
    plain = module.Packet(module.EVENT, data=["x", 1], namespace="/chat", id=3)
    binary = module.Packet(module.EVENT, data=["x", b"1"])
    read = module.Packet(encoded_packet='51-/chat,7["x",{"_placeholder":true,"num":0}]')

    lab.note("plain", plain.encode(), plain.packet_type, plain.namespace, plain.id, plain.attachment_count)
    lab.note("binary", binary.encode())
    lab.note("read", read.packet_type, read.namespace, read.id, read.attachment_count)
    lab.note("complete", read.add_attachment(b"\x01"), read.data)
    lab.note("root", module.Packet(module.CONNECT, data={"sid": "s"}, namespace="/").encode())
    lab.note("none", module.Packet(module.DISCONNECT).encode())
    lab.note("names", list(module.packet_names))
    lab.note("constants", [getattr(module, name) + 0 for name in ("CONNECT", "DISCONNECT", "EVENT", "ACK")])
    await lab.settle()

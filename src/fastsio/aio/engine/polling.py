"""
The long-polling transport: one GET waits for packets, POSTs bring them.

Source: Engine.IO protocol v4, "HTTP long-polling".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastsio.aio.engine import http
from fastsio.aio.engine.packet import CLOSE_PACKET, NOOP_PACKET, WirePacket
from fastsio.aio.engine.payload import decode_payload
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from fastsio.aio.engine.socket import EngineSocket


async def poll(socket: EngineSocket) -> list[WirePacket]:
    """Wait until something is to be sent and take it; a session that ends meanwhile gives its last packets."""
    if socket.upgrading or socket.upgraded:
        return [NOOP_PACKET]
    if not socket.pending and not socket.closed:
        socket.poll_waiter = asyncio.get_running_loop().create_future()
        try:
            await socket.poll_waiter
        finally:
            socket.poll_waiter = None
    if socket.upgrading or socket.upgraded:
        return [NOOP_PACKET]
    return socket.take(socket.server.max_http_buffer_size) or [NOOP_PACKET]


async def handle_get(socket: EngineSocket, environ: dict[str, Any], jsonp_index: int | None) -> http.Response:
    """
    Serve a poll.

    A second poll while one is pending ends the session: the first gets the close packet, this one an error.
    """
    if socket.poll_waiter is not None:
        socket.post_control(CLOSE_PACKET)
        await socket.finish(socket.server.reason.TRANSPORT_ERROR, abort=True)
        return http.refusal(http.Code.BAD_REQUEST)
    watcher = _watch(socket, environ)
    try:
        packets = await poll(socket)
    finally:
        if watcher is not None:
            watcher.cancel()
    return http.payload(packets, jsonp_index=jsonp_index)


def _watch(socket: EngineSocket, environ: dict[str, Any]) -> asyncio.Task[None] | None:
    """Notice, where the driver can, that the client gave the poll up."""
    receive = environ.get("asgi.receive")
    if receive is None or socket.pending:
        return None

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await socket.finish(socket.server.reason.TRANSPORT_ERROR, abort=True)

    return socket.server.spawn(watch())


async def handle_post(socket: EngineSocket, environ: dict[str, Any]) -> http.Response:
    """Take the packets of a POST; a second POST while one is taken, or a bad one, ends the session."""
    if socket.posting:
        return await _reject(socket, http.refusal(http.Code.BAD_REQUEST), "two POSTs at once")
    socket.posting = True
    try:
        return await _take_post(socket, environ)
    finally:
        socket.posting = False


async def _take_post(socket: EngineSocket, environ: dict[str, Any]) -> http.Response:
    limit = socket.server.max_http_buffer_size
    if environ.get("CONTENT_TYPE", "").split(";")[0].strip().lower() == "application/octet-stream":
        return await _reject(socket, http.refusal(http.Code.BAD_REQUEST), "an octet-stream body")
    declared = environ.get("CONTENT_LENGTH") or str(limit + 1)
    if not declared.isdecimal():
        return await _reject(socket, http.refusal(http.Code.BAD_REQUEST), "a bad Content-Length")
    if "CONTENT_LENGTH" in environ and int(declared) > limit:
        return await _reject(socket, http.too_large(), "a body over the limit")
    try:
        body: bytes = await environ["wsgi.input"].read(int(declared))
    except OSError:
        return await _reject(socket, http.refusal(http.Code.BAD_REQUEST), "a body that was cut off")
    if len(body) > limit:
        return await _reject(socket, http.too_large(), "a body over the limit")
    try:
        packets = decode_payload(body, socket.server.packets_per_payload)
    except PacketError as error:
        return await _reject(socket, http.refusal(http.Code.BAD_REQUEST), error.reason)
    for packet in packets:
        if socket.closing:
            break
        await receive_packet(socket, packet)
    return http.accepted()


async def receive_packet(socket: EngineSocket, packet: str | bytes) -> None:
    """Act on one well-formed packet."""
    if isinstance(packet, bytes) or packet[0] == "4":
        data = packet if isinstance(packet, bytes) else packet[1:]
        socket.handling = True
        try:
            await socket.server.run_message(socket.sid, data)
        finally:
            socket.handling = False
    elif packet[0] == "3":
        socket.on_pong()
    else:
        await socket.finish(socket.server.reason.CLIENT_DISCONNECT, abort=True)


async def _reject(socket: EngineSocket, response: http.Response, why: str) -> http.Response:
    socket.server.logger.warning("Closing a polling session: %s", why)
    await socket.finish(socket.server.reason.TRANSPORT_ERROR, abort=True)
    return response

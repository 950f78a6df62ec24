"""
The client's packets: what each of the server's means, and how the client's own go out.

Frames are read one after the other; how handlers are called stands in :mod:`.client_handlers`.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio import concurrency
from fastsio.aio.acks import Answer
from fastsio.aio.client_handlers import HandlerClient
from fastsio.aio.delivery import Delivery
from fastsio.aio.engine.client import EngineClient
from fastsio.base.emission import unwritable
from fastsio.base.joining import refusal_arguments
from fastsio.base.seams import CLIENT_SEAMS, own_methods
from fastsio.engine.packet import MessagePacket
from fastsio.exceptions import PacketError, SetupError
from fastsio.protocol import PacketType

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.protocol import Packet

# Members of an Enum are slow to reach through their class.
EVENT: Final = PacketType.EVENT
BINARY_EVENT: Final = PacketType.BINARY_EVENT
ROOT: Final = "/"


class PacketClient(HandlerClient):
    """
    Takes what Engine.IO delivers, and sends packets.

    The underscored names are python-socketio's: test clients and add-ons replace or call them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        engine_class = self._engineio_client_class()
        if not (isinstance(engine_class, type) and issubclass(engine_class, EngineClient)):
            raise SetupError(
                f"{type(self).__qualname__} overrides _engineio_client_class with {engine_class!r}, which is no "
                f"subclass of {EngineClient.__module__}.{EngineClient.__qualname__}; derive it from that class"
            )
        self.eio = engine_class(handle_sigint=self.handle_sigint, **self._engine_options)
        self.eio.on("message", self._handle_eio_message)
        self._delivery = Delivery(self)
        #: Set when a namespace was answered, or the connection was lost, which ``connect()`` waits for.
        self._answered_event = self.eio.create_event()

    def _engineio_client_class(self) -> Callable[..., Any]:
        return EngineClient

    # Sending

    def _frames_of(self, packet: Packet) -> list[MessagePacket]:
        """Encode a packet into Engine.IO messages, its text first and its attachments after it."""
        try:
            encoded = packet.encode()
        except TypeError as error:
            raise unwritable(packet, error) from error
        if isinstance(encoded, list):
            return [MessagePacket(frame) for frame in encoded]
        return [MessagePacket(encoded)]

    async def _send_packet(self, pkt: Packet) -> None:
        """Send a Socket.IO packet to the server; while it does not read, wait."""
        await self.eio.write(self._frames_of(pkt))

    async def _reply(self, packet: Packet) -> None:
        if "_send_packet" in self._replaced:
            await self._send_packet(packet)
        else:
            self.eio.post(self._frames_of(packet))

    # Receiving

    async def _handle_eio_message(self, data: str | bytes) -> None:
        """Take a frame of the server."""
        event = packet = None
        try:
            if self._read_event is not None and type(data) is str and self._decoder.pending_packet is None:
                event = self._read_event(data)
            if event is None:
                packet = self._decoder.feed(data)
        except PacketError as exc:
            self.logger.error("connection closed: the server broke the protocol: %s", exc)  # noqa: TRY400 - no defect here
            await self.eio.break_off()
            return
        if event is not None:
            await self._handle_event(ROOT, event[1], event[0])
        elif packet is not None:
            await self._handle_packet(packet)

    async def _handle_packet(self, packet: Packet) -> None:
        namespace = packet.namespace or ROOT
        if packet.packet_type is EVENT or packet.packet_type is BINARY_EVENT:
            await self._handle_event(namespace, packet.id, packet.data)
        else:
            await self._handle_other(packet, namespace)

    async def _handle_other(self, packet: Packet, namespace: str) -> None:
        match packet.packet_type:
            case PacketType.ACK | PacketType.BINARY_ACK:
                await self._handle_ack(namespace, packet.id, packet.data)
            case PacketType.CONNECT:
                await self._handle_connect(namespace, packet.data)
            case PacketType.DISCONNECT:
                await self._handle_disconnect(namespace)
            case _:
                await self._handle_error(namespace, packet.data)

    async def _handle_ack(self, namespace: str, id: int | None, data: list[Any]) -> None:  # noqa: A002 - python-socketio's
        """Call what waits for an acknowledgement."""
        if self._event_log is not None:
            self._event_log.acknowledged_by_server(namespace)
        callback = self._take_callback(namespace, id)
        if callback is None:
            self.logger.info("an acknowledgement nobody waits for was ignored")
        else:
            await self._let_begin()
            await self._acknowledge(callback, data)

    async def _acknowledge(self, callback: Any, arguments: Any) -> None:
        """Call what waited for an acknowledgement, without waiting for a callback that waits."""
        if concurrency.ASYNCHRONOUS or isinstance(callback, Answer):
            await self._run_callback(callback, arguments)
        else:
            self._start(self._run_callback, callback, arguments)

    async def _run_callback(self, callback: Any, arguments: Any) -> None:
        try:
            result = callback(*arguments)
        except (Exception, concurrency.Cancelled) as error:
            failure = concurrency.failure_of(error)
            self.logger.exception("error in the callback of an acknowledgement", exc_info=failure)
            return
        if isawaitable(result):
            # It may wait for what the server sends next.
            self._start(self._finish_callback, result)

    async def _finish_callback(self, result: Any) -> None:
        try:
            await concurrency.outcome(concurrency.resolved(result))
        except Exception:
            self.logger.exception("error in the callback of an acknowledgement")

    # Namespaces

    async def _handle_connect(self, namespace: str, data: Any) -> None:
        """Take the server's consent to a namespace."""
        if namespace in self.namespaces:
            return
        self.logger.info("Namespace %s is connected", namespace)
        self.namespaces[namespace] = (data or {}).get("sid") or self.sid or ""
        self._joined.add(namespace)
        await self._delivery.open(namespace)
        self._start(self._run_connect, namespace)

    async def _run_connect(self, namespace: str) -> None:
        await self._trigger_event("connect", namespace)
        self._settle(namespace)

    async def _handle_error(self, namespace: str, data: Any) -> None:
        """Take the server's refusal of a namespace."""
        self.logger.info("Connection to namespace %s was rejected", namespace)
        self._delivery.close(namespace)
        self._joined.discard(namespace)
        self.namespaces.pop(namespace, None)
        self.failed_namespaces.append(namespace)
        if namespace == ROOT:
            self.connected = False
        self._start(self._run_connect_error, namespace, refusal_arguments(data))

    async def _run_connect_error(self, namespace: str, arguments: tuple[Any, ...]) -> None:
        await self._trigger_event("connect_error", namespace, *arguments)
        await self._end_membership(namespace)
        self._settle(namespace)

    def _settle(self, namespace: str) -> None:
        """Note that the server's answer for a namespace has been handled."""
        self._settled.add(namespace)
        self._answered_event.set()

    async def _handle_disconnect(self, namespace: str) -> None:
        """Take the end of a namespace by the server; with the last one the connection ends for good."""
        if self._claim(namespace):
            self._is_dismissed = not self._joined
            self._start(self._run_disconnect, namespace)

    async def _run_disconnect(self, namespace: str) -> None:
        await self._leave(namespace, self.reason.SERVER_DISCONNECT, is_final=True)
        if not self.namespaces:
            self.connected = False
            await self.eio.disconnect(abort=True)

    async def _leave(self, namespace: str, reason: str, *, is_final: bool) -> None:
        """Run the disconnect handlers of a namespace that was claimed, then forget it."""
        self._delivery.close(namespace)
        await self._trigger_event("disconnect", namespace, reason)
        if is_final:
            await self._end(namespace)
        self.namespaces.pop(namespace, None)
        await self._end_membership(namespace)

    async def _end(self, namespace: str) -> None:
        """Take the end of a namespace that the client does not come back to by itself."""
        self._delivery.end(namespace)
        await self._trigger_event("__disconnect_final", namespace)


#: Marks where this half's own methods are, so that those of applications are told from them.
PacketClient._own_seams = own_methods(PacketClient, CLIENT_SEAMS)

"""
How a client delivers what the application emits: at once, when the namespace is connected, or until it is acknowledged.

**Retries.** With the option ``retries`` the emissions of a namespace go out one at a time: the next one when the one
before was acknowledged, or was sent ``retries`` times more without success. One that was under way when the connection
was lost is sent again. So the server may get an event twice, but never out of order.

**Ends.** What waits is kept when the connection ends, for the next one. But who waits for an acknowledgement hears of
an end for good, and what they emitted is not sent any more.

Source: the JavaScript client's options ``retries`` and ``ackTimeout``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastsio.aio import concurrency
from fastsio.aio.acks import Answer
from fastsio.base.client import not_connected, take_callback
from fastsio.base.emit_args import event_arguments
from fastsio.base.outbox import Emission, Outbox
from fastsio.exceptions import BadNamespaceError, DisconnectedError
from fastsio.exceptions import TimeoutError as AckTimeoutError
from fastsio.protocol import PacketType

if TYPE_CHECKING:
    from fastsio.base.parts import DeliveryClient, PacketSender
    from fastsio.protocol import Packet


class Delivery:
    """
    Sends emissions.

    Args:
        client: The client.
        sender: Sends its packets.
    """

    def __init__(self, client: DeliveryClient, sender: PacketSender) -> None:
        self._client = client
        self._sender = sender
        self._options = client.options
        self._outbox = Outbox(client.options.max_buffered_events, concurrency.guard())
        self._draining: set[str] = set()
        #: The namespaces that the client does not come back to by itself.
        self._ended: set[str] = set()

    async def send(self, emission: Emission) -> None:
        """
        Send an emission, now or later.

        Raises:
            BadNamespaceError: The namespace is not connected, and nothing may wait for it.
            DisconnectedError: As much waits as may, or the caller would wait for an acknowledgement for ever.
            TypeError: The payload cannot be written.
        """
        if self._options.retries is not None:
            self._keep(emission)
            self._drain_in_background(emission.namespace)
        elif not (self._options.offline_buffer and self._is_held(emission)):
            await self._send_now(emission)

    async def _send_now(self, emission: Emission) -> None:
        if emission.namespace not in self._client.namespaces:
            raise BadNamespaceError(not_connected(emission.namespace))
        packet = self._packet(emission)
        if packet is None:
            raise BadNamespaceError(f"{emission.namespace} is not a connected namespace any more.")
        try:
            await self._sender.send(packet)
        except (TypeError, ValueError):
            take_callback(self._client.callbacks, emission.namespace, packet.id)
            raise

    def _is_held(self, emission: Emission) -> bool:
        """Let an emission wait if its namespace is not connected; tell whether it does."""
        with self._outbox.guard:
            if self._outbox.is_open(emission.namespace):
                return False
            self._keep(emission)
            return True

    def _keep(self, emission: Emission) -> None:
        """Let an emission wait, once it is sure that it can be sent later: now somebody is there to be told."""
        client, namespace = self._client, emission.namespace
        joined = client.connection_namespaces
        if not namespace.startswith("/"):  # it would wait for ever
            raise BadNamespaceError(not_connected(namespace))
        if joined and namespace not in joined and namespace not in client.namespaces:
            raise BadNamespaceError(f"{namespace} is not a namespace that connect() joins: {', '.join(joined)}")
        arguments = [emission.event, *event_arguments(emission.data)]
        client.packet_class(PacketType.EVENT, arguments, namespace).encode()
        with self._outbox.guard:
            if namespace in self._ended and _needs_connection(emission):
                raise DisconnectedError("the connection has ended, nothing would be acknowledged; connect() again")
            self._outbox.add(emission)

    def withdraw(self, namespace: str, answer: Answer) -> None:
        """Forget what nobody waits for any more."""
        take_callback(self._client.callbacks, namespace, answer.ack_id)
        for emission in self._outbox.withdraw(namespace, lambda emission: emission.callback is answer):
            if emission.under_way is not None:
                emission.under_way.fail(AckTimeoutError("nobody waits for the acknowledgement any more"))

    # What becomes of a namespace

    def begin(self) -> None:
        """Accept emissions again: the client connects."""
        self._ended.clear()

    async def open(self, namespace: str) -> None:
        """Send what has waited for a namespace, which is connected now."""
        if self._options.retries is not None:
            self._outbox.open(namespace)
            self._drain_in_background(namespace)
            return
        with self._outbox.guard:
            # Sending may give way to others that emit.
            while waiting := self._outbox.take_all(namespace):
                for emission in waiting:
                    await self._send_kept(emission)
            self._outbox.open(namespace)

    async def _send_kept(self, emission: Emission) -> None:
        try:
            await self._sender.reply(self._numbered(emission))
        except Exception as error:
            self._client.logger.exception("the event %s could not be sent", emission.event)
            self._give_up(emission, error)

    def close(self, namespace: str) -> None:
        """Keep emissions to a namespace that was lost, and fail the acknowledgements that need its connection."""
        lost = DisconnectedError("the connection was lost before the event was acknowledged")
        with self._outbox.guard:
            self._outbox.close(namespace)
            under_way = list(self._client.callbacks.pop(namespace, {}).values())
        for callback in under_way:
            if isinstance(callback, Answer) and callback.needs_connection:
                callback.fail(lost)

    def end(self, namespace: str) -> None:
        """Fail what waits for an acknowledgement: the client does not reconnect by itself."""
        ended = DisconnectedError("the connection has ended before the event was acknowledged")
        with self._outbox.guard:
            self._ended.add(namespace)
            unwanted = self._outbox.withdraw(namespace, _needs_connection)
        for emission in unwanted:
            emission.callback.fail(ended)

    def _packet(self, emission: Emission) -> Packet | None:
        """Return the packet of an emission; None if it would wait for an acknowledgement on no connection."""
        # close() ends the waiting of what is registered by then.
        with self._outbox.guard:
            if _needs_connection(emission) and not self._outbox.is_open(emission.namespace):
                return None
            return self._numbered(emission)

    def _numbered(self, emission: Emission) -> Packet:
        """Return the packet of an emission, with a fresh id if somebody waits for its acknowledgement."""
        client, callback = self._client, emission.callback
        ack_id = None if callback is None else self._sender.expect_ack(emission.namespace, callback)
        if isinstance(callback, Answer):
            callback.ack_id = ack_id
        arguments = [emission.event, *event_arguments(emission.data)]
        return client.packet_class(PacketType.EVENT, arguments, emission.namespace, ack_id)

    # Retries

    def _drain_in_background(self, namespace: str) -> None:
        with self._outbox.guard:
            if namespace in self._draining or not self._outbox.is_open(namespace):
                return
            self._draining.add(namespace)
        self._client.start_background_task(self._drain, namespace)

    async def _drain(self, namespace: str) -> None:
        """Deliver what waits for a namespace, one after the other, as long as it is connected."""
        while True:
            with self._outbox.guard:
                emission = self._outbox.head(namespace) if self._outbox.is_open(namespace) else None
                if emission is None:
                    self._draining.discard(namespace)
                    return
            try:
                await self._try(emission)
            except Exception as error:
                self._client.logger.exception("the event %s could not be sent", emission.event)
                self._give_up(emission, error)

    async def _try(self, emission: Emission) -> None:
        answer = Answer(self._client.eio.create_event(), needs_connection=True)
        packet = self._packet(Emission(emission.event, emission.data, emission.namespace, answer))
        if packet is None:
            return
        emission.tries += 1
        emission.under_way = answer
        await self._sender.send(packet)
        is_acknowledged = await answer.arrives(self._options.ack_timeout)
        take_callback(self._client.callbacks, emission.namespace, answer.ack_id)
        if is_acknowledged:
            if self._outbox.remove(emission) and emission.callback is not None:
                await self._sender.acknowledge(emission.callback, answer.arguments or ())
        elif emission.tries > (self._options.retries or 0):
            self._give_up(emission, answer.error or AckTimeoutError("the server did not acknowledge the event in time"))

    def _give_up(self, emission: Emission, error: Exception) -> None:
        if self._outbox.remove(emission):
            self._client.logger.error("the event %s was given up after %d attempts", emission.event, emission.tries)
        if isinstance(emission.callback, Answer):
            emission.callback.fail(error)


def _needs_connection(emission: Emission) -> bool:
    return isinstance(emission.callback, Answer) and emission.callback.needs_connection

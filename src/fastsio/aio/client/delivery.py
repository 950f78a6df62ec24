"""
The delivery of a client sends the events that the application emits.

It sends them at once, or when their namespace is connected, or again until the server has acknowledged them.

**Retries.** With the option ``retries`` the events of a namespace are sent one at a time: each when the one before was
acknowledged, or was sent ``retries`` times more without an answer. An event that was under way when the connection was
lost is sent again. So the server may get an event twice, but never out of order.

**Ends.** Waiting events are kept when the connection ends, for the next connection. At a final end, calls that wait for
an acknowledgement fail, and their events are not sent any more.

Source: the JavaScript client's options ``retries`` and ``ackTimeout``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastsio.aio import concurrency
from fastsio.base.answers import Answer
from fastsio.base.client import pop_callback
from fastsio.base.pending import PendingEmissions

if TYPE_CHECKING:
    from fastsio.base.options import ClientOptions
    from fastsio.base.parts import ClientHandlers, PartClient
    from fastsio.base.pending import Emission


class Delivery:
    """Sends emissions; *pending* has those that are not done."""

    def __init__(self, client: PartClient, options: ClientOptions, sender: ClientHandlers) -> None:
        self._client = client
        self._sender = sender
        self._options = options
        self.pending = PendingEmissions(client, options, sender, concurrency.guard())

    async def send(self, emission: Emission) -> None:
        """Send an emission, now or later; it fails as :meth:`PendingEmissions.keep` and ``packet_of`` do."""
        if self._options.retries is not None:
            self.pending.keep(emission)
            self._deliver_in_background(emission.namespace)
        elif not (self._options.offline_buffer and self.pending.holds(emission)):
            await self._send_now(emission)

    async def _send_now(self, emission: Emission) -> None:
        packet = self.pending.packet_of(emission)
        try:
            await self._sender.send(packet)
        except (TypeError, ValueError):
            pop_callback(self._client.callbacks, emission.namespace, packet.id)
            raise

    async def open(self, namespace: str) -> None:
        """Send the events that wait for a namespace, which is connected now."""
        outbox = self.pending.outbox
        if self._options.retries is not None:
            outbox.open(namespace)
            self._deliver_in_background(namespace)
            return
        with outbox.guard:
            # While this sends, other code may emit.
            while waiting := outbox.take_all(namespace):
                for emission in waiting:
                    await self._send_kept(emission)
            outbox.open(namespace)

    async def _send_kept(self, emission: Emission) -> None:
        try:
            await self._sender.reply(self.pending.numbered(emission))
        except Exception as error:  # noqa: BLE001 - it is logged
            self.pending.fail(emission, error)

    # Retries

    def _deliver_in_background(self, namespace: str) -> None:
        if self.pending.begin_delivering(namespace):
            self._client.start_background_task(self._deliver_waiting, namespace)

    async def _deliver_waiting(self, namespace: str) -> None:
        """Deliver the events that wait for a namespace, one after the other, as long as it is connected."""
        while (emission := self.pending.next_to_deliver(namespace)) is not None:
            try:
                await self._attempt(emission)
            except Exception as error:  # noqa: BLE001 - it is logged
                self.pending.fail(emission, error)

    async def _attempt(self, emission: Emission) -> None:
        answer = Answer(self._client.eio.create_event(), needs_connection=True)
        packet = self.pending.attempt(emission, answer)
        if packet is None:
            return
        await self._sender.send(packet)
        await concurrency.wait_event(answer.event, self._options.ack_timeout)
        if self.pending.end_attempt(emission, answer):
            await self._sender.acknowledge(emission.callback, answer.arguments or ())

"""
The events that a client has emitted and that are not done: waiting to be sent, or sent and not acknowledged.

It has the rules of the options ``retries`` and ``offline_buffer``: which events are kept, which may be sent now, and
which fail when the connection ends. It neither sends nor waits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastsio.base.answers import Answer
from fastsio.base.client import not_connected, pop_callback
from fastsio.base.emit_args import event_arguments
from fastsio.exceptions import BadNamespaceError, DisconnectedError
from fastsio.exceptions import TimeoutError as AckTimeoutError
from fastsio.protocol import PacketType

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from fastsio.base.options import ClientOptions
    from fastsio.base.parts import ClientHandlers, PartClient
    from fastsio.protocol import Packet
    from fastsio.types import EventName


@dataclass(eq=False, slots=True)
class Emission:
    """One ``emit()``; *under_way* waits for the acknowledgement of the last of its *tries*."""

    event: EventName
    data: Any
    namespace: str
    callback: Any
    tries: int = 0
    under_way: Any = None


class Outbox:
    """
    The emissions of one client that wait: *max_events* at most, in all namespaces together.

    Each method holds *guard*; the caller may hold it around several calls.
    """

    def __init__(self, max_events: int, guard: AbstractContextManager[Any]) -> None:
        self._max_events = max_events
        self._queues: dict[str, deque[Emission]] = {}
        self._open: set[str] = set()
        self.guard = guard

    def add(self, emission: Emission) -> None:
        """
        Add an emission after those of its namespace.

        Raises:
            DisconnectedError: *max_events* emissions wait already.
        """
        with self.guard:
            if sum(map(len, self._queues.values())) >= self._max_events:
                raise DisconnectedError(
                    f"{emission.event!r} cannot wait: max_buffered_events={self._max_events} events wait already"
                )
            self._queues.setdefault(emission.namespace, deque()).append(emission)

    def head(self, namespace: str) -> Emission | None:
        """Return the emission that is to be sent next, without removing it; None if no emission waits."""
        with self.guard:
            queue = self._queues.get(namespace)
            return queue[0] if queue else None

    def take_all(self, namespace: str) -> list[Emission]:
        """Remove and return all emissions of a namespace."""
        with self.guard:
            return list(self._queues.pop(namespace, ()))

    def remove(self, emission: Emission) -> bool:
        """Remove one emission; return False if it is not there any more."""
        with self.guard:
            queue = self._queues.get(emission.namespace)
            if queue is None or emission not in queue:
                return False
            queue.remove(emission)
            return True

    def withdraw(self, namespace: str, is_unwanted: Callable[[Emission], bool]) -> list[Emission]:
        """Remove and return the emissions of a namespace that *is_unwanted* is true for."""
        with self.guard:
            unwanted = [emission for emission in self._queues.get(namespace, ()) if is_unwanted(emission)]
            for emission in unwanted:
                self.remove(emission)
            return unwanted

    def is_open(self, namespace: str) -> bool:
        """Whether emissions in a namespace may be sent at once."""
        return namespace in self._open

    def open(self, namespace: str) -> None:
        """Let emissions in a namespace be sent at once from now on."""
        self._open.add(namespace)

    def close(self, namespace: str) -> None:
        """Let emissions in a namespace wait from now on."""
        self._open.discard(namespace)


class PendingEmissions:
    """The emissions of one client that are not done; those that wait are in *outbox*."""

    def __init__(
        self, client: PartClient, options: ClientOptions, sender: ClientHandlers, guard: AbstractContextManager[Any]
    ) -> None:
        self._client = client
        self._options = options
        self._sender = sender
        self.outbox = Outbox(options.max_buffered_events, guard)
        #: The namespaces whose emissions are being delivered, one after the other.
        self._delivering: set[str] = set()
        #: The namespaces that the client does not come back to by itself.
        self._ended: set[str] = set()

    # Emissions

    def keep(self, emission: Emission) -> None:
        """
        Let an emission wait. Raise an error now, while its emitter can handle it, if it could not be sent later.

        Raises:
            BadNamespaceError: The client does not join the namespace.
            DisconnectedError: Too many events wait, or the emitter would wait for an acknowledgement for ever.
            TypeError: The payload cannot be written.
        """
        client, namespace = self._client, emission.namespace
        joined = client.connection_namespaces
        if not namespace.startswith("/"):  # it would wait for ever
            raise BadNamespaceError(not_connected(namespace))
        if joined and namespace not in joined and namespace not in client.namespaces:
            raise BadNamespaceError(f"{namespace} is not a namespace that connect() joins: {', '.join(joined)}")
        arguments = [emission.event, *event_arguments(emission.data)]
        client.packet_class(PacketType.EVENT, arguments, namespace).encode()
        with self.outbox.guard:
            if namespace in self._ended and _needs_connection(emission):
                raise DisconnectedError("the connection has ended, nothing would be acknowledged; connect() again")
            self.outbox.add(emission)

    def holds(self, emission: Emission) -> bool:
        """Keep an emission if its namespace is not connected; return whether it waits."""
        with self.outbox.guard:
            if self.outbox.is_open(emission.namespace):
                return False
            self.keep(emission)
            return True

    def packet_of(self, emission: Emission) -> Packet:
        """Return the packet of an emission that is sent at once, or raise BadNamespaceError."""
        if emission.namespace not in self._client.namespaces:
            raise BadNamespaceError(not_connected(emission.namespace))
        packet = self._packet(emission)
        if packet is None:
            raise BadNamespaceError(f"{emission.namespace} is not a connected namespace any more.")
        return packet

    def withdraw(self, namespace: str, answer: Answer) -> None:
        """Forget an emission whose acknowledgement is not waited for any more."""
        pop_callback(self._client.callbacks, namespace, answer.ack_id)
        for emission in self.outbox.withdraw(namespace, lambda emission: emission.callback is answer):
            if emission.under_way is not None:
                emission.under_way.fail(AckTimeoutError("the call that waited for the acknowledgement has ended"))

    def give_up(self, emission: Emission, error: Exception) -> None:
        """Give up an emission: remove it, and raise *error* in its emitter if that waits for the acknowledgement."""
        if self.outbox.remove(emission):
            self._client.logger.error("the event %s was given up after %d attempts", emission.event, emission.tries)
        if isinstance(emission.callback, Answer):
            emission.callback.fail(error)

    def fail(self, emission: Emission, error: Exception) -> None:
        """Give up an emission that could not be sent, and log why."""
        self._client.logger.error("the event %s could not be sent", emission.event, exc_info=error)
        self.give_up(emission, error)

    # Namespaces

    def begin(self) -> None:
        """Accept emissions again: the client connects."""
        self._ended.clear()

    def close(self, namespace: str) -> None:
        """Keep emissions to a namespace that was lost, and fail the acknowledgements that need its connection."""
        lost = DisconnectedError("the connection was lost before the event was acknowledged")
        with self.outbox.guard:
            self.outbox.close(namespace)
            under_way = list(self._client.callbacks.pop(namespace, {}).values())
        for callback in under_way:
            if isinstance(callback, Answer) and callback.needs_connection:
                callback.fail(lost)

    def end(self, namespace: str) -> None:
        """Fail what waits for an acknowledgement: the client does not reconnect by itself."""
        ended = DisconnectedError("the connection has ended before the event was acknowledged")
        with self.outbox.guard:
            self._ended.add(namespace)
            unwanted = self.outbox.withdraw(namespace, _needs_connection)
        for emission in unwanted:
            emission.callback.fail(ended)

    # Retries

    def begin_delivering(self, namespace: str) -> bool:
        """Return True to one caller, which then delivers the emissions of a namespace; False if it is not connected."""
        with self.outbox.guard:
            if namespace in self._delivering or not self.outbox.is_open(namespace):
                return False
            self._delivering.add(namespace)
            return True

    def next_to_deliver(self, namespace: str) -> Emission | None:
        """Return the emission to be delivered next; None ends the delivery: the connection is lost, or none waits."""
        with self.outbox.guard:
            emission = self.outbox.head(namespace) if self.outbox.is_open(namespace) else None
            if emission is None:
                self._delivering.discard(namespace)
            return emission

    def attempt(self, emission: Emission, answer: Answer) -> Packet | None:
        """Return the packet of one more attempt, which *answer* waits for; None if the connection was lost."""
        packet = self._packet(Emission(emission.event, emission.data, emission.namespace, answer))
        if packet is not None:
            emission.tries += 1
            emission.under_way = answer
        return packet

    def end_attempt(self, emission: Emission, answer: Answer) -> bool:
        """Handle the outcome of an attempt; return whether the emission's callback is to be called with the answer."""
        pop_callback(self._client.callbacks, emission.namespace, answer.ack_id)
        if answer.has_come:
            return self.outbox.remove(emission) and emission.callback is not None
        if emission.tries > (self._options.retries or 0):
            late = AckTimeoutError("the server did not acknowledge the event in time")
            self.give_up(emission, answer.error or late)
        return False

    # Packets

    def _packet(self, emission: Emission) -> Packet | None:
        """Return the packet of an emission; None if its acknowledgement needs a connection that is lost."""
        # close() ends the waiting of what is registered by then.
        with self.outbox.guard:
            if _needs_connection(emission) and not self.outbox.is_open(emission.namespace):
                return None
            return self.numbered(emission)

    def numbered(self, emission: Emission) -> Packet:
        """Return the packet of an emission, with a new id if the emitter wants an acknowledgement."""
        client, callback = self._client, emission.callback
        ack_id = None if callback is None else self._sender.expect_ack(emission.namespace, callback)
        if isinstance(callback, Answer):
            callback.ack_id = ack_id
        arguments = [emission.event, *event_arguments(emission.data)]
        return client.packet_class(PacketType.EVENT, arguments, emission.namespace, ack_id)


def _needs_connection(emission: Emission) -> bool:
    return isinstance(emission.callback, Answer) and emission.callback.needs_connection

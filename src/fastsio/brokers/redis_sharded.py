"""
Sharded pub/sub of Redis 7 for one node: each room has a channel of its own, on one master of a cluster.

There is a connection to each master that has a channel of the node. This module must not know rooms' members or what
messages mean; :mod:`fastsio.cluster.sharding` decides which channel a room or node has.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from fastsio.brokers.per_loop import PerLoop
from fastsio.brokers.redis import RedisPublisher, close_redis
from fastsio.brokers.subscriptions import SubscriptionSet
from fastsio.cluster.sharding import ShardChannels, SlotTable, moved, slot_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable, Iterable, Sequence

    from fastsio.cluster.sharding import Address


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The server's answer that a channel is subscribed to now, or not any more."""

    channel: bytes
    is_subscribed: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """The server's answer that a channel belongs to another master."""

    channel: bytes
    slot: int
    address: Address


class ShardConnection:
    """
    A connection to one master, for subscriptions.

    Args:
        client: A client of redis or valkey; it is closed with the connection.
        errors: The package's ``exceptions``.
        silence_s: Seconds without a message after which the server is sent a ping, and within which it has to answer.
    """

    def __init__(self, client: Any, errors: Any, silence_s: float) -> None:
        self._client = client
        self._connection = client.connection_pool.make_connection()
        self._response_error: type[Exception] = errors.ResponseError
        self._silence_s = silence_s
        #: The requests that were not answered yet, in order: channel, and whether to subscribe.
        self._asked: deque[tuple[bytes, bool]] = deque()

    async def open(self) -> None:
        """Connect."""
        await self._connection.connect()

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.disconnect(nowait=True)
        await close_redis(self._client)

    async def ask(self, requests: Sequence[tuple[bytes, bool]]) -> None:
        """Send requests to subscribe to channels, or to unsubscribe, in one write; the answers are read later."""
        self._asked.extend(requests)
        # One command for each channel: all channels of one command would have to be in one slot.
        commands = [("SSUBSCRIBE" if subscribe else "SUNSUBSCRIBE", channel) for channel, subscribe in requests]
        await self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)

    async def read(self) -> bytes | Confirmed | Moved:
        """Return the next message, or answer; raise ConnectionError if the server does not answer a ping."""
        while True:
            try:
                reply = await self._next_reply()
            except self._response_error as error:
                return self._refused(error)
            kind = reply[0] if isinstance(reply, list) else None
            if kind == b"smessage":
                payload: bytes = reply[2]
                return payload
            if kind in (b"ssubscribe", b"sunsubscribe"):
                return self._confirmed(reply[1], is_subscribed=kind == b"ssubscribe")

    def _confirmed(self, channel: bytes, *, is_subscribed: bool) -> Confirmed:
        # A server also unsubscribes unasked, when a slot moves away from it.
        if self._asked and self._asked[0] == (channel, is_subscribed):
            self._asked.popleft()
        return Confirmed(channel, is_subscribed)

    def _refused(self, error: Exception) -> Moved:
        """Return the MOVED answer in an error, which is the answer to the oldest request; raise any other error."""
        where = moved(str(error))
        if where is None or not self._asked or slot_of(self._asked[0][0]) != where[0]:
            raise error
        channel, _ = self._asked.popleft()
        return Moved(channel, *where)

    async def _next_reply(self) -> Any:
        reply = await self._read(self._silence_s)
        if reply is None:
            await self._connection.send_command("PING", check_health=False)
            reply = await self._read(self._silence_s)
        if reply is None:
            raise ConnectionError("the broker does not answer")
        return reply

    async def _read(self, timeout_s: float) -> Any:
        """Return a reply as bytes, whatever the client's options are; None if none arrives in time."""
        return await self._connection.read_response(
            disable_decoding=True, timeout=timeout_s, disconnect_on_error=False, push_request=True
        )


#: How many messages may wait to be received; the connections are not read while so many do.
CAPACITY: Final = 1000
#: How many redirections in a row are followed without a confirmed subscription.
MOST_REDIRECTIONS: Final = 1000


class ShardSubscriptions:
    """
    The connections of one node to the masters, and the tasks that read them.

    Args:
        connect: Makes a connection to a master; to the only server for None.
        slots: Which master has which channel.
        subscriptions: The channels that are wanted and those that are subscribed to.
        on_change: Called with each channel that the server has confirmed something about.
        on_complete: Called once, when all channels that were wanted at the beginning are subscribed to.
    """

    def __init__(
        self,
        connect: Callable[[Address | None], ShardConnection],
        slots: SlotTable,
        subscriptions: SubscriptionSet[bytes],
        on_change: Callable[[bytes], None],
        on_complete: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._slots = slots
        self._subscriptions = subscriptions
        self._on_change = on_change
        self._on_complete = on_complete
        self._connections: dict[Address | None, ShardConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._behind: dict[bytes, None] = {}
        self._is_asking = False
        self._redirections = 0
        self._missing = set(subscriptions.wanted)
        self._is_complete = False
        self._incoming: asyncio.Queue[bytes | Exception] = asyncio.Queue(CAPACITY)

    def begin(self) -> None:
        """Subscribe to all channels that are wanted."""
        self.update(self._missing)

    def update(self, channels: Iterable[bytes]) -> None:
        """Subscribe to those of the channels that are wanted, and unsubscribe from the others."""
        self._behind.update(dict.fromkeys(channels))
        if not self._is_asking:
            self._is_asking = True
            self._start(self._ask())

    async def receive(self) -> bytes:
        """Return the next message; raise the error of the package for which the connections ended."""
        message = await self._incoming.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def close(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(connection.close() for connection in self._connections.values()), return_exceptions=True)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(coroutine))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as a task; its error ends all connections."""
        try:
            await coroutine
        except Exception as error:  # noqa: BLE001 - at the top of its task; it is raised by receive()
            await self._incoming.put(error)

    # Asking

    async def _ask(self) -> None:
        """Send the requests that are due, until there are no more."""
        try:
            while self._behind:
                behind, self._behind = self._behind, {}
                for connection, requests in (await self._requests(behind)).items():
                    await connection.ask(requests)
            self._check_complete()
        finally:
            self._is_asking = False

    async def _requests(self, channels: Iterable[bytes]) -> dict[ShardConnection, list[tuple[bytes, bool]]]:
        """Return the requests that are due, by connection."""
        requests: dict[ShardConnection, list[tuple[bytes, bool]]] = {}
        for channel in channels:
            if channel not in self._subscriptions.wanted:
                self._missing.discard(channel)
            if self._subscriptions.needs_request(channel):
                connection = await self._connection_to(self._slots.owner_of(channel))
                subscribe = self._subscriptions.next_request(channel)
                if subscribe is not None:  # still due after connecting
                    requests.setdefault(connection, []).append((channel, subscribe))
        return requests

    async def _connection_to(self, address: Address | None) -> ShardConnection:
        connection = self._connections.get(address)
        if connection is None:
            connection = self._connections[address] = self._connect(address)
            await connection.open()
            self._start(self._read(connection))
        return connection

    # Reading

    async def _read(self, connection: ShardConnection) -> None:
        while True:
            match await connection.read():
                case bytes() as payload:
                    await self._incoming.put(payload)
                case Confirmed(channel, is_subscribed):
                    self._confirm(channel, is_subscribed=is_subscribed)
                case Moved(channel, slot, address):
                    self._redirect(channel, slot, address)

    def _confirm(self, channel: bytes, *, is_subscribed: bool) -> None:
        self._redirections = 0
        self._subscriptions.confirm(channel, is_subscribed=is_subscribed)
        self._on_change(channel)
        self._missing.discard(channel)
        if self._subscriptions.needs_request(channel):
            # What is wanted has changed since; or the slot has moved, and the server will answer where to.
            self.update((channel,))
        self._check_complete()

    def _check_complete(self) -> None:
        if not self._missing and not self._is_complete:
            self._is_complete = True
            self._on_complete()

    def _redirect(self, channel: bytes, slot: int, address: Address) -> None:
        self._redirections += 1
        if self._redirections > MOST_REDIRECTIONS:
            raise ConnectionError(f"the masters of the cluster do not agree on who has slot {slot}")
        self._slots.move(slot, address)
        self._subscriptions.refuse(channel)
        self.update((channel,))


#: Follows the manager's ``channel`` in the names of channels, so that nodes without sharding do not listen to them.
SUFFIX: Final = "-sharded"
_COPY_ID_BYTES: Final = 8
#: Part of the answer of a server that is not a cluster to CLUSTER SLOTS.
_NO_CLUSTER: Final = "cluster support disabled"


class ShardedBus:
    """
    The shard channels of one node.

    Args:
        channel: The channel of the bus.
        connect: Makes a client for a master; for the server of the URL with None.
        may_be_cluster: Whether to ask for the masters of a cluster.
        patience_s: Seconds that :meth:`wait_until_subscribed` waits at most.
        on_listening: Called when all channels that the node wants are subscribed to.
    """

    def __init__(
        self,
        channel: str,
        encode: Callable[[dict[str, Any]], bytes],
        connect: Callable[[Address | None], Any],
        errors: Any,
        *,
        may_be_cluster: bool,
        patience_s: float,
        on_listening: Callable[[], object],
    ) -> None:
        self.channels = ShardChannels(channel + SUFFIX)
        self._encode = encode
        self._patience_s = patience_s
        self._on_listening = on_listening
        self._connect = connect
        self._errors = errors
        self._may_be_cluster = may_be_cluster
        self._masters: set[Address] = set()
        self._slots: PerLoop[SlotTable] = PerLoop(self._read_slots, _forget, lambda slots: not slots.is_stale)
        self._publishers: dict[Address | None, PerLoop[RedisPublisher]] = {}
        self._subscriptions: SubscriptionSet[bytes] = SubscriptionSet()
        self._listener: ShardSubscriptions | None = None
        self._is_away = False
        #: Channel -> a future that is done when the subscription is in force, or is not to be waited for any more.
        self._expected: dict[bytes, asyncio.Future[None]] = {}

    async def close(self) -> None:
        """Close the publishing connections."""
        publishers, self._publishers = self._publishers, {}
        for publisher in publishers.values():
            await publisher.drop()

    # Publishing

    async def publish(self, message: dict[str, Any]) -> None:
        """Send a message to its channels; after an error it may be sent again: nodes handle only one copy."""
        channels = self.channels.of_message(message)
        if len(channels) > 1:
            message.setdefault("copy_id", token_hex(_COPY_ID_BYTES))
        payload = self._encode(message)
        slots = await self._slots.get()
        try:
            publishers = [await self._publisher_of(slots.owner_of(channel)).get() for channel in channels]
            accepted = [
                each.post("SPUBLISH", channel, payload) for each, channel in zip(publishers, channels, strict=True)
            ]
            outcomes = await asyncio.gather(*accepted, return_exceptions=True)
        except BaseException:  # it took too long, or a slot has no master
            slots.is_stale = True
            raise
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for failure in failures:
            self._learn_from(failure, slots)
        if failures:
            raise failures[0]

    def _publisher_of(self, address: Address | None) -> PerLoop[RedisPublisher]:
        publisher = self._publishers.get(address)
        if publisher is None:
            publisher = self._publishers[address] = PerLoop(partial(self._new_publisher, address), RedisPublisher.close)
        return publisher

    async def _new_publisher(self, address: Address | None) -> RedisPublisher:
        return RedisPublisher(self._connect(address))

    def _learn_from(self, error: BaseException, slots: SlotTable) -> None:
        """Store the new master of a slot if the error names it; after any other error the slots are read again."""
        where = moved(str(error)) if isinstance(error, self._errors.ResponseError) else None
        if where is None:
            slots.is_stale = True
        else:
            slots.move(*where)

    # Asking for the masters

    async def _read_slots(self) -> SlotTable:
        if not self._may_be_cluster:
            return SlotTable(is_cluster=False)
        failure: Exception | None = None
        for address in (None, *self._masters):
            try:
                return await self._ask_for_slots(address)
            except Exception as error:  # noqa: BLE001 - another master may know; the first error is raised
                failure = failure or error
        raise failure or ConnectionError("no master of the cluster is known")

    async def _ask_for_slots(self, address: Address | None) -> SlotTable:
        client = self._connect(address)
        try:
            reply = await client.execute_command("CLUSTER", "SLOTS")
        except self._errors.ResponseError as error:
            if _NO_CLUSTER not in str(error):
                raise
            return SlotTable(is_cluster=False)
        finally:
            await close_redis(client)
        slots = SlotTable.from_reply(reply)
        self._masters = slots.masters
        return slots

    # Listening

    def follow(self, namespace: str, room: Hashable, *, has_members: bool) -> None:
        """Subscribe to the channel of a room if it has members here, otherwise unsubscribe."""
        channel = self.channels.of_room(namespace, room)
        if channel == self.channels.of_all_nodes:
            return
        self._subscriptions.set_wanted(channel, is_wanted=has_members)
        if not has_members:
            self._release(channel)
        if self._listener is not None and self._subscriptions.needs_request(channel):
            self._listener.update((channel,))

    async def wait_until_subscribed(self, namespace: str, room: Hashable) -> None:
        """Wait, for ``patience_s`` at most, until other nodes' messages for a room arrive here."""
        channel = self.channels.of_room(namespace, room)
        is_wanted = channel in self._subscriptions.wanted
        if self._is_away or not is_wanted or self._subscriptions.is_subscribed_to(channel):
            return
        expected = self._expected.get(channel)
        if expected is None:
            expected = self._expected[channel] = asyncio.get_running_loop().create_future()
        await asyncio.wait([expected], timeout=self._patience_s)

    async def listen(self, host_id: str, silence_s: float) -> AsyncGenerator[bytes, None]:
        """Subscribe to this node's channels, and yield messages; a ping follows *silence_s* seconds of silence."""
        for channel in (self.channels.of_all_nodes, self.channels.of_node(host_id)):
            self._subscriptions.set_wanted(channel, is_wanted=True)
        try:
            await self._slots.drop()
            slots = await self._slots.get()
            connection = partial(self._connection, silence_s)
            self._listener = ShardSubscriptions(
                connection, slots, self._subscriptions, self._on_change, self._on_complete
            )
            self._listener.begin()
            while True:
                yield await self._listener.receive()
        finally:
            await self._close_subscriptions()

    def _connection(self, silence_s: float, address: Address | None) -> ShardConnection:
        return ShardConnection(self._connect(address), self._errors, silence_s)

    def _on_change(self, channel: bytes) -> None:
        if self._subscriptions.is_subscribed_to(channel):
            self._release(channel)

    def _on_complete(self) -> None:
        self._is_away = False
        self._on_listening()

    async def _close_subscriptions(self) -> None:
        """Close the connections that listen; calls that wait for a subscription return without it."""
        self._is_away = True
        listener, self._listener = self._listener, None
        self._subscriptions.clear()
        for channel in list(self._expected):
            self._release(channel)
        if listener is not None:
            await listener.close()

    def _release(self, channel: bytes) -> None:
        expected = self._expected.pop(channel, None)
        if expected is not None and not expected.done():
            expected.set_result(None)


async def _forget(_slots: SlotTable) -> None:
    """Do nothing: a table has nothing to close."""

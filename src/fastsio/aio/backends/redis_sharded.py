"""
Sharded pub/sub of Redis 7: each room is a channel of its own, which lives on one master of a cluster.

Says and hears for one manager; which channel is whose is decided in :mod:`fastsio.cluster.sharding`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.backends.redis_link import Link
from fastsio.aio.backends.redis_session import Session
from fastsio.brokers.per_loop import PerLoop
from fastsio.brokers.redis import RedisPublisher, close_client
from fastsio.brokers.subscriptions import SubscriptionSet
from fastsio.cluster.sharding import ShardChannels, SlotTable, moved

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable

    from fastsio.aio.pubsub import AsyncPubSubManager
    from fastsio.cluster.sharding import Address

#: What the channels begin with, after the manager's ``channel``: no other kind of node listens to them.
SUFFIX: Final = "-sharded"
_COPY_ID_BYTES: Final = 8
#: What a server that is no cluster says when it is asked for one.
_NO_CLUSTER: Final = "cluster support disabled"


class Sharded:
    """
    The shard channels of one manager.

    Args:
        manager: The manager.
        connect: Makes a client for a master, or, for None, for the URL.
        errors: The package's ``exceptions``.
        may_be_cluster: Whether to ask for the masters of a cluster.
    """

    def __init__(
        self,
        manager: AsyncPubSubManager,
        connect: Callable[[Address | None], Any],
        errors: Any,
        *,
        may_be_cluster: bool,
    ) -> None:
        self.channels = ShardChannels(manager.channel + SUFFIX)
        self._manager = manager
        self._connect = connect
        self._errors = errors
        self._may_be_cluster = may_be_cluster
        self._masters: set[Address] = set()
        self._slots: PerLoop[SlotTable] = PerLoop(self._read_slots, _forget, lambda slots: not slots.is_stale)
        self._publishers: dict[Address | None, PerLoop[RedisPublisher]] = {}
        self._subscriptions: SubscriptionSet[bytes] = SubscriptionSet()
        self._session: Session | None = None
        self._is_away = False
        #: Channel -> done when the subscription is in force, or nobody need wait for it any more.
        self._expected: dict[bytes, asyncio.Future[None]] = {}

    async def close(self) -> None:
        """Give the publishing connections back."""
        publishers, self._publishers = self._publishers, {}
        for publisher in publishers.values():
            await publisher.drop()

    # Saying

    async def publish(self, message: dict[str, Any]) -> None:
        """
        Send a message to the channels that it is for.

        Raises:
            Exception: What the package raises. The message may be sent again: a node takes one of several copies.
        """
        channels = self.channels.of_message(message)
        if len(channels) > 1:
            message.setdefault("copy_id", token_hex(_COPY_ID_BYTES))
        payload = self._manager._encode(message)
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
        """Store where the error says that a slot is now; after any other error the slots are read anew."""
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
        raise failure or ConnectionError("there is nobody to ask")

    async def _ask_for_slots(self, address: Address | None) -> SlotTable:
        client = self._connect(address)
        try:
            reply = await client.execute_command("CLUSTER", "SLOTS")
        except self._errors.ResponseError as error:
            if _NO_CLUSTER not in str(error):
                raise
            return SlotTable(is_cluster=False)
        finally:
            await close_client(client)
        slots = SlotTable.from_reply(reply)
        self._masters = slots.masters
        return slots

    # Hearing

    def follow(self, namespace: str, room: Hashable, *, has_members: bool) -> None:
        """Subscribe to the channel of a room that has members here, and unsubscribe from that of any other."""
        channel = self.channels.of_room(namespace, room)
        if channel == self.channels.of_everybody:
            return
        self._subscriptions.set_wanted(channel, is_wanted=has_members)
        if not has_members:
            self._release(channel)
        if self._session is not None and self._subscriptions.is_behind(channel):
            self._session.update((channel,))

    async def in_force(self, namespace: str, room: Hashable) -> None:
        """
        Wait until what others say to a room is heard here.

        A broker that is away, or takes longer than the manager's ``publish_timeout``, is not waited for.
        """
        channel = self.channels.of_room(namespace, room)
        is_wanted = channel in self._subscriptions.wanted
        if self._is_away or not is_wanted or self._subscriptions.is_in_force(channel):
            return
        expected = self._expected.get(channel)
        if expected is None:
            expected = self._expected[channel] = asyncio.get_running_loop().create_future()
        await asyncio.wait([expected], timeout=self._manager.publish_timeout)

    async def listen(self, silence_s: float) -> AsyncGenerator[bytes, None]:
        """
        Subscribe to what concerns this node, and yield what is published.

        Args:
            silence_s: Seconds of silence after which a server is asked for a sign of life.
        """
        for channel in (self.channels.of_everybody, self.channels.of_node(self._manager.host_id)):
            self._subscriptions.set_wanted(channel, is_wanted=True)
        try:
            await self._slots.drop()
            slots = await self._slots.get()
            link = partial(self._link, silence_s)
            self._session = Session(link, slots, self._subscriptions, self._note_change, self._note_completion)
            self._session.begin()
            while True:
                yield await self._session.receive()
        finally:
            await self._lose()

    def _link(self, silence_s: float, address: Address | None) -> Link:
        return Link(self._connect(address), self._errors, silence_s)

    def _note_change(self, channel: bytes) -> None:
        if self._subscriptions.is_in_force(channel):
            self._release(channel)

    def _note_completion(self) -> None:
        self._is_away = False
        self._manager._on_listening()

    async def _lose(self) -> None:
        """End the session, if there is one; callers that wait for a subscription go on without it."""
        self._is_away = True
        session, self._session = self._session, None
        self._subscriptions.lose()
        for channel in list(self._expected):
            self._release(channel)
        if session is not None:
            await session.close()

    def _release(self, channel: bytes) -> None:
        expected = self._expected.pop(channel, None)
        if expected is not None and not expected.done():
            expected.set_result(None)


async def _forget(_slots: SlotTable) -> None:
    """Nothing is held by a table."""

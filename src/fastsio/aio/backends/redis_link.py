"""One connection to a Redis over which shard channels are subscribed to: requests go out, and what it says comes in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastsio.brokers.redis import close_client
from fastsio.cluster.sharding import moved, slot_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.cluster.sharding import Address


@dataclass(frozen=True, slots=True)
class Published:
    """Somebody has published a message."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A channel is subscribed to from now on, or not any more."""

    channel: bytes
    is_subscribed: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A channel belongs to another master, which has to be asked."""

    channel: bytes
    slot: int
    address: Address


class Link:
    """
    A connection, opened when it is first used.

    Args:
        client: Of redis or valkey; it is closed with the link.
        errors: The package's ``exceptions``.
        silence_s: Seconds of silence after which the server is asked for a sign of life, and has to give one.
    """

    def __init__(self, client: Any, errors: Any, silence_s: float) -> None:
        self._client = client
        self._connection = client.connection_pool.make_connection()
        self._response_error: type[Exception] = errors.ResponseError
        self._silence_s = silence_s
        #: What the server has not answered yet, and whether it is to subscribe; it answers in this order.
        self._asked: deque[tuple[bytes, bool]] = deque()

    async def open(self) -> None:
        """Connect."""
        await self._connection.connect()

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.disconnect(nowait=True)
        await close_client(self._client)

    async def ask(self, requests: Sequence[tuple[bytes, bool]]) -> None:
        """Subscribe to channels, or unsubscribe, all in one go; the answers are read later."""
        self._asked.extend(requests)
        # One command for each channel: those of one command would have to be of one slot.
        commands = [("SSUBSCRIBE" if subscribe else "SUNSUBSCRIBE", channel) for channel, subscribe in requests]
        await self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)

    async def read(self) -> Published | Confirmed | Moved:
        """
        Return what the server says next.

        Raises:
            ConnectionError: It has not said anything for too long.
        """
        while True:
            try:
                reply = await self._next_reply()
            except self._response_error as error:
                return self._refused(error)
            kind = reply[0] if isinstance(reply, list) else None
            if kind == b"smessage":
                return Published(reply[2])
            if kind in (b"ssubscribe", b"sunsubscribe"):
                return self._confirmed(reply[1], is_subscribed=kind == b"ssubscribe")

    def _confirmed(self, channel: bytes, *, is_subscribed: bool) -> Confirmed:
        # A server that gives a slot away unsubscribes by itself.
        if self._asked and self._asked[0] == (channel, is_subscribed):
            self._asked.popleft()
        return Confirmed(channel, is_subscribed)

    def _refused(self, error: Exception) -> Moved:
        """Read an error, which is the answer to the oldest request."""
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
        """Read bytes, whatever the client's options say; None if none come in time."""
        return await self._connection.read_response(
            disable_decoding=True, timeout=timeout_s, disconnect_on_error=False, push_request=True
        )

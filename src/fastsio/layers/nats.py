"""The layer on NATS: each group is a subject, and so is each process."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from fastsio._extras import require
from fastsio.brokers.batch_publisher import bus_error
from fastsio.brokers.nats import SCHEMES, TIMEOUT_S, NatsPublisher, NatsSubscriptions, connect_once
from fastsio.brokers.per_loop import PerLoop
from fastsio.cluster.broker_urls import place_of, require_scheme
from fastsio.exceptions import SetupError
from fastsio.layers.topics import TopicLayer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


DEFAULT_URL: Final = "nats://localhost:4222"


class NatsChannelLayer(TopicLayer[str]):
    """
    Carry messages between processes through NATS, at most once.

    Args:
        hosts: The servers of one NATS cluster, ``nats://user:password@host:port``; ``tls://``, ``ws://`` and
            ``wss://`` as well. None is ``nats://localhost:4222``.
        prefix: The beginning of the layer's subjects; layers with different prefixes never get each other's messages.
        on_disconnect: As for :class:`RedisPubSubChannelLayer`; so are all other arguments.

    Raises:
        SetupError: An option is out of range.
        MissingExtraError: A package that an option needs is not installed.
    """

    def _read_place(self, hosts: Sequence[str] | None, prefix: str) -> None:
        if not isinstance(prefix, str) or not prefix:
            raise SetupError(f"prefix is what the subjects of the layer begin with, like 'chat'; got {prefix!r}")
        if isinstance(hosts, str) or (hosts is not None and not hosts):
            raise SetupError("hosts is a list of at least one URL: hosts=['nats://localhost:4222']")
        self._key = _token(prefix)
        self._urls = [require_scheme(url, SCHEMES, DEFAULT_URL) for url in hosts or [DEFAULT_URL]]
        self._connect = partial(connect_once, require("nats", "nats"), self._urls)
        self._senders = PerLoop(self._new_sender, NatsPublisher.close)

    def _topic(self, kind: str, name: str) -> str:
        return f"{self._key}.{kind}.{_token(name)}"

    async def _publish(self, topic: str, payload: bytes) -> None:
        sender = await self._senders.get()
        await sender.publish(topic, payload)

    def _subscribe(self) -> Iterator[NatsSubscriptions]:
        yield NatsSubscriptions(
            self._connect,
            self._place,
            self._wanted(),
            self._handle_message,
            self._connection_lost,
            self._connection_back,
        )

    async def _new_sender(self) -> NatsPublisher:
        to_error = partial(bus_error, f"{self._place} did not take a message")
        return NatsPublisher(self._connect, TIMEOUT_S, to_error=to_error, sends_cancelled=True)

    @property
    def _place(self) -> str:
        return "NATS at " + ", ".join(map(place_of, self._urls))


def _token(name: str) -> str:
    """Return a name as one token of a subject: without periods, spaces and wildcards."""
    return quote(name, safe="").replace(".", "%2E")

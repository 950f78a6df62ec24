# Written by tools/unasync.py from aio/backends/stream_questions.py; change that one.
"""
The questions of JavaScript servers that share a Redis Stream with this one: for clients, and for acknowledgements.

Questions are sent by publish and subscribe, not in the stream. Each namespace has one channel for questions to all
servers, and one channel for each server's answers. A server of JavaScript waits for an answer of each server that
subscribes to the first channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio.brokers.redis import LOOK_INTERVAL_S, PING_INTERVAL_S, close_blocking_redis
from fastsio.cluster.adapter_messages import (
    Acknowledgement,
    MessageType,
    Question,
    read_message,
    write_answer,
    write_call,
    write_client,
)
from fastsio.cluster.payloads import unpack_event
from fastsio.exceptions import BusError
from fastsio.sync import concurrency
from fastsio.sync.bus import BusSubscriber

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.cluster.messages import Emit
    from fastsio.sync.backends.redis_streams import RedisStreamsManager

#: Seconds for which servers of JavaScript expect the acknowledgement of a client. ``call()`` has its own timeout.
MOST_WAIT_S: Final = 60.0
#: So many looks without a message are followed by a ping, and as many more by the end of the connection.
_LOOKS_BETWEEN_PINGS: Final = int(PING_INTERVAL_S / LOOK_INTERVAL_S)


class StreamQuestions:
    """
    Answers the questions of servers of JavaScript, and asks them for acknowledgements of their clients.

    The names of the channels begin with *prefix*; *connect* makes a client of Redis that can subscribe.
    """

    def __init__(self, manager: RedisStreamsManager, prefix: str, connect: Callable[[], Any]) -> None:
        self._manager = manager
        self._prefix = prefix
        self._connect = connect
        self._subscriber: BusSubscriber | None = None
        #: The namespaces in which this server has asked questions. They may have no handlers here.
        self._asked: set[str] = set()
        #: The channels that this server has subscribed to.
        self._channels: set[str] = set()
        #: Name of a channel -> the event that is set once this server has subscribed to it.
        self._heard: dict[str, Any] = {}
        self._guard = concurrency.guard()

    def begin(self) -> None:
        """Start listening."""
        if self._subscriber is None or self._subscriber.is_stopping:
            self._subscriber = BusSubscriber(self._listen, self._report_loss, self._report_return)
            self._subscriber.start(self._manager.server.eio)

    def stop(self) -> None:
        """Stop listening."""
        if self._subscriber is not None:
            self._subscriber.stop()

    def _report_loss(self, why: str) -> None:
        text = "%s: servers of JavaScript cannot ask this one, trying to listen to them again: %s"
        self._manager.server.logger.error(text, self._manager.name, why)

    def _report_return(self) -> None:
        self._manager.server.logger.error("%s: servers of JavaScript can ask this one again", self._manager.name)

    # Listening

    def _names(self) -> list[str]:
        """Return the names of the channels of this server: two for each namespace."""
        own = f"{self._manager.host_id}#"
        wanted = sorted({*self._manager.known_namespaces(), *self._asked})
        return [f"{self._prefix}#{namespace}#{end}" for namespace in wanted for end in ("", own)]

    def _listen(self) -> None:
        subscriber, client = self._subscriber, self._connect()
        assert subscriber is not None  # noqa: S101 - it calls this
        pubsub = client.pubsub()
        try:
            self._follow(pubsub)
            subscriber.confirm()
            silent = 0
            while not subscriber.is_stopping:
                message = pubsub.get_message(timeout=LOOK_INTERVAL_S)
                silent = 0 if message is not None else silent + 1
                if silent == _LOOKS_BETWEEN_PINGS:
                    pubsub.ping()
                elif silent >= 2 * _LOOKS_BETWEEN_PINGS:
                    raise ConnectionError("the server does not answer")
                if message is not None:
                    self._take(message)
                self._follow(pubsub)
        finally:
            with self._guard:
                self._channels.clear()
                self._heard.clear()
            pubsub.close()
            close_blocking_redis(client)

    def _follow(self, pubsub: Any) -> None:
        """Subscribe to the channels of new namespaces, and unsubscribe from those of namespaces that have gone."""
        names = self._names()
        new, gone = [name for name in names if name not in self._channels], self._channels.difference(names)
        self._channels = set(names)
        with self._guard:
            for name in gone:
                self._heard.pop(name, None)
        if new:
            pubsub.subscribe(*new)
        if gone:
            pubsub.unsubscribe(*gone)

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            self._event_of(message["channel"].decode()).set()
        elif message["type"] == "message":
            self._take_message(message["data"])

    def _take_message(self, raw: bytes) -> None:
        try:
            message = read_message(raw)
        except ValueError as error:
            self._manager.server.logger.warning("%s: question dropped: %s", self._manager.name, error)
            return
        if isinstance(message, Question):
            self._manager.server.__fastsio__.runner.start_task(self._answer, message)
        elif isinstance(message, Acknowledgement) and str(message.request_id).isdecimal():
            self._manager.take_acknowledgement(int(message.request_id), message.value)

    # Answering

    def _answer(self, question: Question) -> None:
        if question.type is MessageType.CALL:

            def acknowledged(*arguments: Any) -> None:
                self._send(question, MessageType.ACKNOWLEDGEMENT, packet=arguments[0] if arguments else None)

            count = self._manager.ask_clients(question, acknowledged)
            self._send(question, MessageType.CLIENT_COUNT, clientCount=count)
        elif question.type is MessageType.FETCH:
            self._send(question, MessageType.CLIENTS, sockets=self._clients(question))
        else:  # there are no handlers for events between servers, but the server that asks waits for all answers
            self._send(question, MessageType.SERVER_ANSWER, packet=None)

    def _clients(self, question: Question) -> list[dict[str, Any]]:
        clients = self._manager.clients_in(question.namespace, question.rooms, question.without)
        return [
            write_client(client.sid, list(client.rooms or ()), client.session, client.connection.environ)
            for client in clients
        ]

    def _send(self, question: Question, kind: MessageType, **content: Any) -> None:
        channel = f"{self._prefix}#{question.namespace}#{question.uid}#"
        try:
            self._manager.publish(channel, write_answer(self._manager.host_id, question, kind, **content))
        except (BusError, TypeError, ValueError) as error:
            self._manager.server.logger.warning("%s: question not answered: %s", self._manager.name, error)

    # Asking

    def call(self, message: Emit) -> None:
        """Send an event to a client that a server of JavaScript may have; raise BusError if Redis did not take it."""
        if message.callback is None:
            return
        room, namespace, ack_id = message.callback
        arguments = (message.event, *unpack_event(message.data, binary=message.binary))
        self._until_heard(namespace)
        asked = write_call(self._manager.host_id, namespace, arguments, room, str(ack_id), MOST_WAIT_S)
        self._manager.publish(f"{self._prefix}#{namespace}#", asked)

    def _until_heard(self, namespace: str) -> None:
        """Wait until answers in a namespace arrive here, no longer than ``publish_timeout``."""
        self._asked.add(namespace)
        name = f"{self._prefix}#{namespace}#{self._manager.host_id}#"
        concurrency.wait_event(self._event_of(name), self._manager.publish_timeout)

    def _event_of(self, channel: str) -> Any:
        with self._guard:
            return self._heard.setdefault(channel, concurrency.Event())

# Written by tools/unasync.py from aio/backends/redis_streams.py; change that one.
"""
The client manager on Redis Streams: events are read by every node in one order, and stay for a while.

So a node that was away for a moment goes on where it has stopped, and a client that was lost comes back to any node.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count
from threading import get_ident
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.base.emit_args import check_event_name, event_arguments, rooms_of, skipped, unwritable
from fastsio.base.history import KeptEmit
from fastsio.brokers.per_loop import PerProcess
from fastsio.brokers.redis import BlockingRedisPublisher, close_blocking_redis, new_client
from fastsio.cluster.broker_urls import at_master, redis_target, require_cluster
from fastsio.cluster.messages import (
    ROOM_TYPES,
    Answer,
    CloseRoom,
    Disconnect,
    Emit,
    EnterRoom,
    LeaveRoom,
    check_room,
    decode,
)
from fastsio.cluster.payloads import require_msgpack
from fastsio.cluster.relay import Recent
from fastsio.cluster.stream_entries import (
    COPY,
    START,
    Broadcast,
    ClientChange,
    EntryType,
    Position,
    before,
    copy_of,
    read_entry,
    read_position,
    write_broadcast,
    write_change,
)
from fastsio.exceptions import BusError, SetupError
from fastsio.protocol import Packet, PacketType
from fastsio.routing import single_namespace
from fastsio.state.recovery import Received
from fastsio.sync import concurrency
from fastsio.sync.backends.stream_questions import StreamQuestions
from fastsio.sync.backends.stream_reader import BLOCK_S, StreamReader, read_range
from fastsio.sync.backends.stream_sessions import StreamSessions
from fastsio.sync.pubsub import REMEMBERED_COPIES, PubSubManager

if TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Iterable, Sequence
    from typing import Unpack

    from fastsio.base.history import Histories
    from fastsio.base.options import BusKeywords
    from fastsio.cluster.adapter_messages import Question
    from fastsio.cluster.messages import Message
    from fastsio.cluster.stream_entries import StreamEntry
    from fastsio.protocol.jsoncodec import JSONCodec
    from fastsio.state import Client
    from fastsio.state.history import Since
    from fastsio.types import AckCallback, EventName, Rooms, Sids

#: The name of the field in the stream of fastsio's nodes that has the message.
_MESSAGE: Final = b"message"
#: Publishes a message; a cluster runs it at the master that has the slot of the channel's name.
_PUBLISH: Final = "return redis.call('PUBLISH', KEYS[1], ARGV[1])"


class RedisStreamsManager(PubSubManager):
    """
    Share the clients of several sync servers through a Redis Stream, also with servers of JavaScript.

    All nodes read the same events in the same order. A node that has lost Redis reads on from where it has stopped.
    With ``connection_state_recovery``, clients come back to any node: sessions are stored in Redis. The format is that
    of ``@socket.io/redis-streams-adapter``, with one stream: its nodes and clients take part.

    Args:
        url: Where Redis or Valkey is, as for :class:`RedisManager`.
        stream_name: The stream; the same on all nodes. That of fastsio's nodes alone is ``{stream_name}:fastsio``.
        redis_options: Keyword arguments for ``Redis.from_url()``, or for ``Sentinel()``.
        max_stream_length: About how many entries a stream keeps; the oldest are dropped beyond it. A node that was
            away for more of them misses events, and clients that did get new sessions. 10,000.
        session_key_prefix: What the keys of sessions begin with.
        channel_prefix: The option ``channelPrefix`` of servers of JavaScript, which is ``"socket.io"`` by default:
            this server then answers what they ask about its clients, with one more connection to Redis, and ``call()``
            reaches their clients. None, for servers of fastsio alone: it does neither.
        cluster: Whether the URL is that of a node of a Redis Cluster. The streams are on one of its masters, sessions
            on all.
        stream_count: The option ``streamCount`` of servers of JavaScript; it must be 1 there too. Other numbers are
            refused, because this server reads one stream.
        options: As for :class:`PubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: The URL cannot be used, or an option is not valid.
        MissingExtraError: Neither redis nor valkey is installed, or msgpack is not.
    """

    name = "redisstreams"
    serves_when_listening = True
    history_epoch = "stream"
    _waits_on_sockets = True

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        stream_name: str = "socket.io",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        redis_options: dict[str, Any] | None = None,
        *,
        max_stream_length: int = 10_000,
        session_key_prefix: str = "sio:session:",
        channel_prefix: str | None = None,
        cluster: bool = False,
        stream_count: int = 1,
        **options: Unpack[BusKeywords],
    ) -> None:
        self._target = redis_target(url)
        super().__init__(stream_name, write_only, logger, json, **options)
        require_msgpack()
        if type(max_stream_length) is not int or max_stream_length <= 0:
            raise SetupError(f"max_stream_length={max_stream_length!r} is not valid; give it a positive number")
        if stream_count != 1:
            raise SetupError(
                f"stream_count={stream_count!r}: a server of fastsio reads one stream; set streamCount to 1 at the "
                f"servers of JavaScript, or name the stream of this server's only namespace, as {stream_name + '-0'!r}"
            )
        if cluster:
            require_cluster(self._target)
        self._errors = require(f"{self._target.package}.exceptions", "redis")
        #: The nodes of a Redis Cluster that are known; None without one.
        self._cluster_nodes: list[tuple[str, int]] | None = [] if cluster else None
        #: Those of them that are masters; the first is the next one to subscribe at.
        self._masters: deque[tuple[str, int]] = deque()
        self.redis_url = url
        self.redis_options = dict(redis_options or {})
        self.max_stream_length = max_stream_length
        self.session_key_prefix = session_key_prefix
        #: Both have one slot in a cluster: the name of the first is the hash tag of the second.
        self._nodes_stream = f"{{{stream_name}}}:fastsio"
        self._publishing: PerProcess[BlockingRedisPublisher] = PerProcess(
            self._new_publisher, BlockingRedisPublisher.close
        )
        self._reader = StreamReader((stream_name, self._nodes_stream), max_stream_length, self._on_gap)
        #: With asyncio the loop that reads, else the thread.
        self._read_by: Any = None
        #: Held while what waits is looked at.
        self._guard = concurrency.guard()
        #: The position of the last event that this node's clients have got, or will without a further wait.
        self._delivered: Position = START
        #: What waits until a position is delivered: a heap.
        self._awaiting: list[tuple[Position, int, Any]] = []
        self._tickets = count()
        self._sessions: StreamSessions | None = None
        self._javascript: StreamQuestions | None = None
        if channel_prefix is not None:
            self._javascript = StreamQuestions(self, channel_prefix, self._subscribing_client)

    @property
    def connected(self) -> bool:
        """Whether the manager reads the stream; one that only writes, whether it has a connection."""
        return self._publishing.current is not None if self.write_only else self.listening

    @property
    def codec(self) -> JSONCodec:
        """The JSON of entries."""
        return self._codec

    def share_sessions(self, recovery: Any) -> StreamSessions:
        """Return the store of the sessions of lost clients that all nodes share."""
        self._sessions = StreamSessions(self, recovery)
        return self._sessions

    def initialize(self) -> None:
        """Start listening; a manager with ``write_only`` logs a warning instead, because its server has a client."""
        super().initialize()
        if self._sessions is not None:
            self._sessions.begin()

    def _start_listening(self) -> bool:
        starts = super()._start_listening()
        if starts and self._javascript is not None:
            self._javascript.begin()
        return starts

    def shutdown(self) -> None:
        """Stop listening and close the connections."""
        if self._javascript is not None:
            self._javascript.stop()
        if self._sessions is not None:
            self._sessions.stop()
        super().shutdown()
        self._release_all()
        self._publishing.drop()

    # Emitting

    def emit(
        self,
        event: EventName,
        data: Any,
        namespace: str | None = None,
        room: Rooms = None,
        skip_sid: Sids = None,
        callback: AckCallback = None,
        to: Rooms = None,
        **kwargs: Any,
    ) -> None:
        """
        Send an event to the clients of a room, whichever server they are connected to.

        When this returns, the event is in the stream, and the clients of this server have it, or will; if this server
        reads nothing from Redis just now, they get it once it does.

        Args:
            event: Event name.
            data: Payload; a tuple is several arguments, None is no argument.
            namespace: The namespace; None is ``"/"``.
            room: A room or sid, or several; None is all clients.
            skip_sid: The sid, or several, to leave out.
            callback: Called with what the client acknowledges; *room* must then be the room of one client. Such an
                event is not kept for clients that are away.
            to: The same as *room*.
            kwargs: ``ignore_queue=True`` sends to this server's clients only, at once, and does not keep the event;
                ``wait=False`` does not wait while a client of this server is behind.

        Raises:
            ValueError: The event's name is not valid, or a callback is given without the room of one client.
            RuntimeError: A callback is given, and there is no server to call it.
            BusError: Redis did not take the event; no client gets it, unless the answer was what got lost.
        """
        if callback is not None or kwargs.get("ignore_queue"):
            super().emit(event, data, namespace, room, skip_sid, callback, to, **kwargs)
            return
        check_event_name(event)
        namespace = single_namespace(namespace)
        rooms = tuple(rooms_of(room if to is None else to))
        for each in rooms:
            check_room(each)
        if not rooms:
            return
        arguments = [event, *event_arguments(data)]
        try:
            fields = write_broadcast(self.host_id, namespace, arguments, rooms, tuple(skipped(skip_sid)), self._codec)
            fields += COPY, str(next(self._tickets))
        except TypeError as error:
            raise unwritable(Packet(PacketType.EVENT, arguments), error) from error
        self._until_delivered(self._add(self.channel, fields))
        if self.server is not None and kwargs.get("wait", True) and self.server.eio.congested:
            self._let_read(self._recipients(namespace, rooms), None)

    def _add(self, stream: str, fields: tuple[Any, ...]) -> Position:
        """Add an entry to a stream, and return its position; raise BusError if Redis did not take it."""
        answer = self.post("XADD", stream, "MAXLEN", "~", self.max_stream_length, "*", *fields)
        return read_position(answer.decode()) or START

    def post(self, *command: Any) -> Any:
        """Send a command, in one pipeline with those of other tasks, as :meth:`post_all` does; return the answer."""
        return (self.post_all((command,)))[0]

    def post_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """
        Send commands to Redis in one go, and return the answers.

        Raises:
            BusError: As for :meth:`post`; Redis may have executed some of the commands.
        """
        name, failure = commands[0][0], None
        for _ in range(2):  # a connection that was idle may be found broken; a new one may do
            try:
                return concurrency.bounded(self.publish_timeout, self._post_once, commands)  # type: ignore[no-any-return] # any function's
            except (TimeoutError, self._errors.TimeoutError) as error:  # a class of its own
                raise BusError(f"{self.name}: {name} for {self.channel!r} took too long") from error
            except Exception as error:  # noqa: BLE001 - it is raised again
                failure = error
        why = f"{type(failure).__name__}: {failure}"
        raise BusError(f"{self.name}: {name} for {self.channel!r} failed: {why}") from failure

    def publish(self, channel: str, message: bytes) -> None:
        """Send a message to all subscribers of a channel, at all nodes of a cluster; raise BusError if that failed."""
        if self._cluster_nodes is None:
            self.post("PUBLISH", channel, message)
        else:  # the packages do not send PUBLISH in a pipeline of a cluster
            self.post("EVAL", _PUBLISH, 1, channel, message)

    def _post_once(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        publisher = self._publishing.get()
        return publisher.post_all(commands)

    def _new_publisher(self) -> BlockingRedisPublisher:
        return BlockingRedisPublisher(self._client(), self.publish_timeout)

    def _client(self, waits_s: float = 0.0) -> Any:
        """Return a client, which connects when it is used."""
        return new_client(
            self._target,
            self.redis_options,
            timeout_s=self.publish_timeout,
            is_async=concurrency.ASYNCHRONOUS,
            waits_s=waits_s,
            cluster_nodes=self._cluster_nodes,
        )

    def _subscribing_client(self) -> Any:
        """Return a client that can subscribe: in a cluster one of a master, where servers of JavaScript count it."""
        target = self._target
        if self._masters:
            target = at_master(target, self._masters[0])
            self._masters.rotate(-1)  # if this one is gone, the next attempt is made at another
        return new_client(target, self.redis_options, timeout_s=self.publish_timeout, is_async=concurrency.ASYNCHRONOUS)

    def _tell_others(self, message: Message) -> None:
        """Tell the other servers; raise BusError if Redis did not take the message."""
        if isinstance(message, (EnterRoom, LeaveRoom, CloseRoom, Disconnect)):
            position = self._add(self.channel, write_change(self.host_id, message, self._codec))
            if self._sessions is not None:  # this node then knows it when the client comes back here
                self._until_delivered(position)
            return
        self.tell_nodes(message.as_dict())
        if self._javascript is not None and isinstance(message, Emit):
            self._javascript.call(message)

    def tell_nodes(self, message: dict[str, Any]) -> None:
        """
        Send a message to the nodes of fastsio; those of JavaScript do not read it.

        Raise BusError if Redis did not take it.
        """
        message["copy_id"] = f"{self.host_id}-{next(self._tickets)}"
        self._add(self._nodes_stream, (_MESSAGE, self._encode(message)))

    # Questions of servers of JavaScript

    def known_namespaces(self) -> set[str]:
        """Return the namespaces of this server: those that it serves, and those that have clients."""
        return {*self.server.__fastsio__.registry.namespaces(self.server.namespaces), *self.get_namespaces()}

    def clients_in(self, namespace: str, rooms: Iterable[Hashable], without: Iterable[Hashable]) -> list[Client]:
        """Return this server's clients in rooms, without those in others."""
        return self._recipients(namespace, rooms, self._sids_of(namespace, without))

    def ask_clients(self, question: Question, callback: Any) -> int:
        """Send this server's clients an event; return how many there are. *callback* gets their acknowledgements."""
        namespace, (event, *arguments) = question.namespace, question.arguments
        skip = self._sids_of(namespace, question.without)
        asked = self._send_here(event, tuple(arguments), namespace, question.rooms, skip, callback, False)
        return len(asked)

    def take_acknowledgement(self, ack_id: int, value: Any) -> None:
        """Call the callback of an event that a client of another server has acknowledged."""
        self._take_answer(Answer(self.host_id, "", "", ack_id, [value]))

    # Reading

    def _listen(self) -> Generator[Any, None, None]:
        client, subscriber = self._client(BLOCK_S), self._subscriber
        self._read_by = get_ident()
        try:
            newest = self._reader.begin(client)
            if self._cluster_nodes is not None:
                self._cluster_nodes = [(node.host, node.port) for node in client.get_nodes()]
                self._masters = deque((node.host, node.port) for node in client.get_primaries())
            if newest is not None:
                self._restart(newest)
                self._read_past(client, newest)
            self._on_listening()
            if self._sessions is not None:
                self._sessions.write_all()
            while not subscriber.is_stopping:
                entries = self._reader.read(client)
                if subscriber.is_stopping:
                    return
                self._reader.go_on(entries)
                yield from entries
        finally:
            self._release_all()
            close_blocking_redis(client)

    def _read_past(self, client: Any, newest: Position) -> None:
        """Add to the histories of rooms the events that are in the stream already when this node begins to read."""
        histories, seen = self._histories, Recent(REMEMBERED_COPIES)
        if histories is None:
            return
        first, is_whole = self._reader.beginning(client)
        if first is None:
            return
        is_read = False
        try:
            with self.lock:
                histories.restart(START if is_whole else before(first.position))
            self._keep_past(histories, first)
            for entry in read_range(client.execute_command, self.channel, first.position, newest):
                if not seen.is_known(copy_of(entry.fields)):
                    self._keep_past(histories, entry)
            is_read = True
        except LookupError:
            pass  # the stream was cut meanwhile
        finally:
            with self.lock:
                (histories.advance if is_read else histories.restart)(newest)

    def _keep_past(self, histories: Histories, entry: StreamEntry) -> None:
        try:
            message = read_entry(entry.fields, self._codec)
        except ValueError:
            return  # the nodes that have read it before have logged it
        if not isinstance(message, Broadcast) or message.is_volatile:
            return
        event, *_ = message.arguments
        kept = KeptEmit(message.arguments, partial(self._frames_of, message.namespace))
        sent = monotonic() - max(0.0, time() - entry.position[0] / 1000)
        with self.lock:
            for room, logs in histories.logs_for_event(message.namespace, message.rooms, event).items():
                kept.keep(room, logs, (), sent, entry.position, message.without)

    def _on_gap(self, position: Position) -> None:
        text = "%s: events of %r are gone that were not read: the stream was cut or emptied; clients may miss them"
        self._get_logger().error(text, self.name, self.channel)
        self._restart(position)

    def _restart(self, position: Position) -> None:
        """Record that this node knows only events after a position."""
        recovery, histories = self._recovery, self._histories
        if self._sessions is not None:
            self._sessions.restart(position)
        with self.lock:
            self._delivered = position
            if recovery is not None:
                recovery.log.restart(position)
            if histories is not None:
                histories.restart(position)

    def _take(self, raw: StreamEntry) -> None:
        """Handle an entry of the stream; log and drop an invalid one."""
        if raw.stream != self.channel:
            self._take_message(raw.fields.get(_MESSAGE, b""))
            return
        try:
            message = read_entry(raw.fields, self._codec)
            if isinstance(message, Broadcast) and not self._copies.is_known(copy_of(raw.fields)):
                self._send_broadcast(message, raw)
            elif isinstance(message, ClientChange):
                self._take_change(message, raw)
        except ValueError as error:  # also of a room that cannot be entered, left or closed
            self._get_logger().warning("%s: entry of %r dropped: %s", self.name, self.channel, error)
        except Exception:  # noqa: BLE001 - one entry must not end the reading, and it is logged
            self._get_logger().exception("%s: error in handling an entry of %r", self.name, self.channel)
        finally:
            self._note_delivered(raw.position)

    def _take_message(self, raw: bytes) -> None:
        """Handle a message of another node of fastsio."""
        try:
            message = decode(raw, self._codec)
        except ValueError as error:
            self._get_logger().warning("%s: message of a node dropped: %s", self.name, error)
            return
        if self._sessions is None or not self._sessions.take(message):
            super()._take(message)

    def _send_broadcast(self, message: Broadcast, entry: StreamEntry) -> None:
        """Send an event to this server's clients, and keep it for those that come back."""
        namespace, recovery = message.namespace, self._recovery
        received = Received(entry.position, message.without, is_kept=not message.is_volatile)
        with self.lock:  # no client comes back between the check for recipients and the keeping of the event
            is_for_us = self.has_participants(namespace, message.rooms) or self._keeps(namespace, message.rooms, None)
            if not is_for_us and recovery is not None and not message.is_volatile:
                size = len(entry.fields[b"data"])
                recovery.log.keep_unsent(namespace, message.rooms, message.arguments, received, size)
        if not is_for_us:
            return
        skip = self._sids_of(namespace, message.without)
        event, *arguments = message.arguments
        # The event must reach the other clients without waiting for one of them.
        self._send_here(event, tuple(arguments), namespace, message.rooms, skip, None, False, received)

    def _sids_of(self, namespace: str, rooms: Iterable[Hashable]) -> set[Any]:
        """Return the sids of the clients of this server in rooms; a client is in the room of its sid."""
        sids: set[Any] = set()
        for room in rooms:
            if self.is_sid_room(namespace, room):
                sids.add(room)
            else:
                sids.update(sid for sid, _ in self.get_participants(namespace, room))
        return sids

    def _take_change(self, message: ClientChange, entry: StreamEntry) -> None:
        if self._sessions is not None:
            self._sessions.add_change(entry.position, message)
        # A client may have come to this node since this node has written the entry. A room is closed here before that.
        if entry.fields.get(b"uid") != self.host_id.encode() or not message.closes_rooms:
            self._apply_change(message)

    def _apply_change(self, message: ClientChange) -> None:
        """Change clients of this server, lost ones included, as a node has asked for."""
        namespace, recovery = message.namespace, self._recovery
        if message.closes_rooms:
            for room in message.rooms:
                if not self.is_sid_room(namespace, room):
                    self.basic_close_room(room, namespace)
            return
        for client in self._recipients(namespace, message.of, self._sids_of(namespace, message.without)):
            self._change_client(client, message)
        for sid in message.of:
            if isinstance(sid, str) and self._is_away(namespace, sid) and sid not in message.without:
                self._change_lost_client(recovery, sid, message)

    def _change_client(self, client: Client, message: ClientChange) -> None:
        sid = client.sid
        if message.type is EntryType.DISCONNECT:
            # Its handler may take its time, and may itself wait for an event.
            shared = self.server.__fastsio__
            if message.closes:
                shared.runner.start_task(shared.lifecycle.end_connection, client.eio_sid)
            else:
                shared.runner.start_task(self._disconnect_here, sid, message.namespace)
        elif message.type is EntryType.LEAVE:
            for room in message.rooms:
                self.basic_leave_room(sid, message.namespace, room)
        else:
            for room in message.rooms:
                self._let_enter(sid, message.namespace, room)

    def _let_enter(self, sid: str, namespace: str, room: Hashable) -> None:
        try:
            self.basic_enter_room(sid, namespace, room)
        except (KeyError, ValueError) as error:
            text = "%s: a client cannot enter a room, as another server has said: %s"
            self._get_logger().warning(text, self.name, error)

    def _change_lost_client(self, recovery: Any, sid: str, message: ClientChange) -> None:
        if message.type is EntryType.DISCONNECT:
            shared = self.server.__fastsio__
            shared.runner.start_task(shared.recovery.dismiss, message.namespace, sid)
        elif message.type is EntryType.LEAVE:
            for room in message.rooms:
                recovery.leave_room(message.namespace, sid, room)

    def leave_room(self, sid: str, namespace: str, room: Hashable) -> None:
        """Take a client out of a room, whichever server has it."""
        namespace = single_namespace(namespace)
        super().leave_room(sid, namespace, room)
        if self._sessions is not None and self._is_away(namespace, sid) and isinstance(room, ROOM_TYPES):
            # The node to which the client comes back may have read the stored session before it is changed.
            message = LeaveRoom(sid, room, namespace, self.host_id)
            # The caller may hold the lock, which the thread that reads the stream needs.
            self.server.__fastsio__.runner.start_task(self._tell_left, message)

    def _tell_left(self, message: LeaveRoom) -> None:
        """Tell the other servers that a client has left a room, which this server, where it is away, knows already."""
        try:
            self._tell_others(message)
        except BusError as error:
            self._get_logger().warning("%s", error)

    # Positions

    def _note_delivered(self, position: Position) -> None:
        recovery, histories = self._recovery, self._histories
        with self.lock:
            if recovery is not None:
                recovery.log.advance(position)
            if histories is not None:
                histories.advance(position)
        with self._guard:
            self._delivered = position
            while self._awaiting and self._awaiting[0][0] <= position:
                heappop(self._awaiting)[2].set()

    def _release_all(self) -> None:
        """End all waits for positions of the stream, because it is not read at present."""
        with self._guard:
            while self._awaiting:
                heappop(self._awaiting)[2].set()

    def reach(self, since: Since) -> None:
        """Wait until this node has all events that a client has had; no longer than ``publish_timeout``."""
        histories = self._histories
        position = None if histories is None else histories.position_of(since)
        if position is not None:
            self._until_delivered(position)

    def _until_delivered(self, position: Position) -> None:
        """Wait until this server's clients have what is in the stream up to a position, if it reads at present."""
        if position <= self._delivered or not self.listening or self._read_by == get_ident():
            return
        delivered = concurrency.Event()
        awaited = (position, next(self._tickets), delivered)
        with self._guard:
            if position <= self._delivered:
                return
            heappush(self._awaiting, awaited)
        try:
            concurrency.wait_event(delivered, self.publish_timeout)
        finally:
            if not delivered.is_set():  # a client may name a position that never comes
                with self._guard:
                    if awaited in self._awaiting:
                        self._awaiting.remove(awaited)
                        heapify(self._awaiting)

    def until_listening(self) -> None:
        """Wait until this server reads, or its first attempt has failed."""
        self._subscriber.settle(self.publish_timeout)

    def has_delivered(self, position: Position) -> bool:
        """Wait until what is in the stream up to a position is delivered here; False if it is not in time."""
        self._until_delivered(position)
        return position <= self._delivered

"""The client manager of the processes of one machine: Unix sockets in a directory that they share, without a broker."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.backends.local_questions import Questions
from fastsio.aio.backends.local_sessions import ANSWER_S, LocalSessions
from fastsio.aio.pubsub import AsyncPubSubManager
from fastsio.base.manager import ELSEWHERE, ExpectedAcks
from fastsio.brokers.local import MAX_PENDING_BYTES, LocalPlace, LocalPublisher
from fastsio.brokers.local_listening import LocalListener
from fastsio.brokers.per_loop import PerLoop
from fastsio.cluster.messages import ANSWERS, AskMembers, Emit, decode, read
from fastsio.exceptions import BusError

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping, Sequence
    from typing import Unpack

    from fastsio.aio.recovery import Recovery
    from fastsio.base.options import BusKeywords
    from fastsio.cluster.messages import Message

#: Seconds to wait for messages of a publisher that has never connected to this process.
STRANGER_S: Final = 0.25
#: The methods of messages about sessions.
_OF_SESSIONS: Final = (
    "session_question",
    "session_answer",
    "session_request",
    "session_given",
    "mirror",
    "mirror_again",
)
#: The method of a question -> that of its answers.
_ANSWERS_OF: Final = {AskMembers.METHOD: "room_members_answer", "session_question": "session_answer"}
#: The method of a process's answer to an event with a callback: it has no client that may still acknowledge the event.
_NO_CLIENT: Final = "no_client"


class AsyncLocalManager(AsyncPubSubManager):
    """
    Share the clients of several asyncio servers on one machine, without a broker.

    Every process of a user that names the same directory takes part, also one that only emits. A process that ends is
    noticed at once. Messages are delivered at most once: a process that does not read them is left out once
    *max_pending_bytes* wait for it, which the others log as an error, and connected to again.

    A server without a manager has this one in the workers of ``fastsio run --workers``.

    Args:
        path: A directory, which is made if it is not there. None is that of ``fastsio run --workers``, whose name is
            in the environment variable ``FASTSIO_WORKERS``.
        channel: The name of the bus; the same in all processes.
        max_pending_bytes: How many bytes may wait in this process for one of the others; a larger message cannot be
            sent. 67,108,864.
        options: As for :class:`AsyncPubSubManager`, and so are *write_only*, *logger* and *json*.

    Raises:
        SetupError: No directory is named, its path is too long for Unix sockets, or an option is not valid.
    """

    name = "asynclocal"
    serves_when_listening = True

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        channel: str = "socketio",
        write_only: bool = False,
        logger: Any = None,
        json: Any = None,
        *,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        **options: Unpack[BusKeywords],
    ) -> None:
        super().__init__(channel, write_only, logger, json, **options)
        self._place = LocalPlace(path, channel, max_pending_bytes)
        self._publishing: PerLoop[LocalPublisher] = PerLoop(self._new_publisher, LocalPublisher.close)
        #: The questions to other processes: for members, for acknowledgements, for sessions.
        self._asked = Questions()
        self._listener: LocalListener | None = None
        self._sessions: LocalSessions | None = None
        #: The publisher of the server's event loop; None before :meth:`open`.
        self._publisher: LocalPublisher | None = None
        #: The publisher and number of the event of the bus that is being handled; None between events.
        self._emitting: tuple[str, int] | None = None

    def prepare(self) -> None:
        """Listen from the start of the server, so that the histories of rooms have all that other processes emit."""
        if not self.write_only:
            self._start_listening()

    @property
    def connected(self) -> bool:
        """Whether messages of other servers arrive; with ``write_only``, whether the manager has emitted."""
        return self._publishing.current is not None if self.write_only else self.listening

    async def _new_publisher(self) -> LocalPublisher:
        return LocalPublisher(self._place, lambda: self.host_id, self._get_logger, self._note_disconnected)

    async def _publish(self, data: dict[str, Any]) -> None:
        # An answer is for the process that has asked, which listens under its name on the bus.
        await self._send(data, data["host_id"] if data["method"] in ANSWERS else None)

    async def _send(self, data: dict[str, Any], to: str | None) -> None:
        publisher = await self._publishing.get()
        if to is not None:
            data = {**data, "from": self.host_id}
        payload, sessions = self._encode(data), self._sessions
        if to is None and sessions is not None and sessions.is_recording and data["method"] not in _OF_SESSIONS:
            sessions.record(publisher.name, publisher.count + 1, read(data), len(payload))
        names = await publisher.publish(payload, to)
        match data:
            case {"method": "emit", "callback": [_, _, int(number)]}:
                self._mark_sent((_NO_CLIENT, number), names)
            case {"method": str(method), "id": int(number)} if method in _ANSWERS_OF:
                self._mark_sent((_ANSWERS_OF[method], number), names)

    async def _listen(self) -> AsyncGenerator[bytes, None]:
        self.host_id = token_hex(8)  # a process that listens anew gets a new name
        listener = self._listener = LocalListener(
            self._place, self.host_id, self._note_gap, self._get_logger, self._note_end
        )
        await listener.open()
        try:
            self._on_listening()
            async for message in listener.read():
                yield message
        finally:
            self._listener = None
            await listener.close()

    def _note_gap(self) -> None:
        """Log that messages were lost, because this process has not read them, and drop what is incomplete now."""
        text = "%s: this process has not read what others have sent, and has missed messages on %r"
        self._get_logger().error(text, self.name, self.channel)
        self._forget_kept()

    def _forget_kept(self) -> None:
        super()._forget_kept()
        if self._sessions is not None:
            self._sessions.record_gap()

    # Clients that come back to another process

    def move_sessions(self, recovery: Recovery) -> LocalSessions:
        """Return the object that fetches sessions of lost clients from other processes."""
        self._sessions = LocalSessions(self, recovery, self.name, self._get_logger)
        return self._sessions

    async def _take(self, raw: Any) -> None:
        try:
            raw = decode(raw, self._codec)
            is_taken = self._take_here(raw)
        except ValueError as error:
            self._get_logger().warning("%s: message on %r dropped: %s", self.name, self.channel, error)
            return
        if not is_taken:
            await super()._take(raw)
        match raw:
            case {"method": str(method), "id": int(number), "from": str(name)}:
                self._asked.answer((method, number), name)

    def _take_here(self, raw: dict[str, Any]) -> bool:
        """Handle a message that is not one of a cluster; return False for any other message."""
        if self._sessions is not None and self._sessions.take(raw):
            return True
        method = raw.get("method")
        # A server without recovery has no sessions to tell of.
        return method == _NO_CLIENT or (self._sessions is None and method in _OF_SESSIONS)

    async def _do(self, message: Message) -> None:
        sessions, listener = self._sessions, self._listener
        if sessions is not None and sessions.is_recording and listener is not None and listener.taking is not None:
            sessions.record(*listener.taking[:2], message, listener.taking[2])
        if isinstance(message, Emit) and listener is not None and listener.taking is not None:
            self._emitting = listener.taking[:2]
        try:
            await super()._do(message)
        finally:
            self._emitting = None

    async def until_listening(self) -> None:
        """Wait until this process receives the messages of others, or its first attempt to listen has failed."""
        await self._subscriber.settle(self.publish_timeout)

    async def tell(self, message: dict[str, Any], to: str | None = None) -> None:
        """
        Send a message, which is not one of a cluster, to the process *to* or to all others.

        Raise BusError if it cannot be sent.
        """
        try:
            async with asyncio.timeout(self.publish_timeout):
                await self._send({**message, "host_id": self.host_id}, to)
        except (OSError, TypeError, ValueError, TimeoutError) as error:
            why = f"{type(error).__name__}: {error}"
            raise BusError(f"{self.name}: cannot publish to {self.channel!r}: {why}") from error

    @property
    def most_posted_bytes(self) -> int:
        """The bytes of the largest message that can be posted."""
        return self._place.max_pending_bytes // 2

    async def open(self) -> None:
        """Connect to the other processes; raise OSError if the directory cannot be used."""
        self._publisher = await self._publishing.get()

    def others(self) -> list[str]:
        """Connect to new processes, and return the names of all that are connected."""
        publisher = self._publisher or self._publishing.current
        try:
            return [] if publisher is None or self._listener is None else list(publisher.look())
        except OSError:
            return []

    def post(self, message: dict[str, Any], to: str) -> bool:
        """
        Write a message to one process at once, and do not wait; return False if the process is not connected.

        Raises:
            ValueError: The message is larger than :attr:`most_posted_bytes`.
        """
        publisher = self._publisher or self._publishing.current
        return publisher is not None and publisher.post(self._encode({**message, "host_id": self.host_id}), to)

    def is_behind(self, host_id: str) -> bool:
        """Return whether a process reads slower than this one writes: many bytes wait for it."""
        publisher = self._publisher or self._publishing.current
        return publisher is not None and publisher.is_behind(host_id)

    def is_connected_to(self, publisher: str) -> bool:
        """Return whether a publisher is connected, or messages of it wait to be handled."""
        return self._listener is not None and self._listener.is_connected_to(publisher)

    def is_there(self, host_id: str) -> bool:
        """Return whether a process is connected."""
        publisher = self._publisher or self._publishing.current
        return publisher is not None and host_id in publisher.peers

    def published(self) -> dict[str, int]:
        """Return how many messages this process has sent to all, by the name of its publisher."""
        publisher = self._publisher or self._publishing.current
        return {} if publisher is None else {publisher.name: publisher.count}

    def handled(self) -> dict[str, int]:
        """
        Return, by publisher, how many messages for all processes were handled here; its own count as handled.

        The event that is being handled counts too: no other task runs before it is in the log.
        """
        handled = {} if self._listener is None else self._listener.handled()
        if self._emitting is not None:
            publisher, number = self._emitting
            handled[publisher] = number
        return handled | self.published()

    async def until_handled(self, counts: Mapping[str, int]) -> None:
        """
        Wait until this process has handled so many messages of each publisher.

        Raise TimeoutError if they were not handled within a second.
        """
        listener = self._listener
        if listener is None:
            raise TimeoutError("this process does not listen")
        counts = {name: count for name, count in counts.items() if name not in self.published()}
        with suppress(TimeoutError):
            async with asyncio.timeout(STRANGER_S):
                await listener.until_handled(counts)
        known = listener.handled()
        async with asyncio.timeout(ANSWER_S):
            await listener.until_handled({name: count for name, count in counts.items() if name in known})

    # Questions to other processes: each answers or ends

    async def ask(self, question: dict[str, Any], timeout_s: float) -> None:
        """Send a question, with a number in ``id``, to all others; wait until each has answered or ended."""
        await self._ask((_ANSWERS_OF[question["method"]], question["id"]), self.tell(question), timeout_s)

    async def _ask_members(self, question: AskMembers, timeout_s: float) -> None:
        await self._ask((_ANSWERS_OF[AskMembers.METHOD], question.question), self._tell_others(question), timeout_s)

    async def _ask(self, key: tuple[str, int], sending: Awaitable[None], timeout_s: float) -> None:
        self._asked.begin(key)
        try:
            await sending
            await self._asked.wait(key, timeout_s)
        finally:
            self._asked.forget(key)

    async def _expect_answer(self, room: Hashable, namespace: str, callback: Any) -> tuple[Hashable, str, int]:
        asked = await super()._expect_answer(room, namespace, callback)
        if isinstance(callback, ExpectedAcks):
            self._asked.begin((_NO_CLIENT, asked[2]), partial(self._give_up, asked[2]))
        return asked

    def _give_up(self, ack_id: int) -> None:
        """End the wait for an acknowledgement: no other process has a client that may still send it."""
        callback = self._pop_remote_callback(ack_id)
        if callback is not None:
            callback.mark_lost(ELSEWHERE, ack_id)

    def _pop_remote_callback(self, ack_id: int) -> Any:
        self._asked.forget((_NO_CLIENT, ack_id))
        return super()._pop_remote_callback(ack_id)

    def _refusal(self, host_id: str, asked: tuple[Hashable, str, int]) -> Callable[[], object]:
        refuse = super()._refusal(host_id, asked)
        if refuse is not None:
            return refuse
        return partial(self.server.__fastsio__.runner.start_task, self._tell_no_client, host_id, asked[2])

    async def _tell_no_client(self, host_id: str, ack_id: int) -> None:
        try:
            await self.tell({"method": _NO_CLIENT, "id": ack_id}, host_id)
        except BusError as error:
            self._get_logger().warning("%s: a question could not be answered: %s", self.name, error)

    def _mark_sent(self, key: tuple[str, int], names: Sequence[str]) -> None:
        """Record which processes a question was sent to."""
        self._asked.mark_sent(key, names)
        for name in names:
            if not self.is_there(name):
                self._note_disconnected(name)

    def _note_disconnected(self, name: str) -> None:
        """Count a process as ended, unless messages of it wait to be handled: :meth:`_note_end` follows these."""
        if self._listener is None or not self._listener.hears_process(name):
            self._end(name)

    def _note_end(self, name: str) -> None:
        if not self.is_there(name):
            self._end(name)

    def _end(self, name: str) -> None:
        self._asked.end(name)
        observer = None if self.server is None else self.server.__fastsio__.observer
        if observer is not None:
            observer.node_ended()

    async def shutdown(self) -> None:
        """Stop listening and close the connections."""
        if self._sessions is not None:
            await self._sessions.stop()
        await super().shutdown()
        self._publisher = None
        await self._publishing.drop()

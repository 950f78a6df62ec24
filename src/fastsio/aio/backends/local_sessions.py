"""
Moves the sessions of lost clients between the processes of one machine, so that a client can come back to any of them.

A session stays in the memory of the process that has lost the client, its owner, with the events that the client has
missed. When the client comes back to another process, that process, the asker, asks all others over the bus. The owner
removes the session from its memory and sends it to the asker.

Processes handle the messages of the bus at different times. So owner and asker tell each other how many messages of
each publisher they have handled. The owner sends the session when it has handled all messages that the asker had
handled when it asked. The asker then waits until it has handled all messages that the owner has, and applies to the
session the messages that the owner had not handled. So no event is lost or sent twice.
"""

from __future__ import annotations

import asyncio
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.backends.local_mirrors import BusMessage, Mirroring, Mirrors
from fastsio.cluster.messages import CloseRoom, Disconnect, Emit, LeaveRoom
from fastsio.cluster.payloads import MessageError, unpack_event
from fastsio.cluster.session_records import read_session, write_session
from fastsio.exceptions import BusError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from fastsio.aio.backends.local import AsyncLocalManager
    from fastsio.aio.backends.local_mirrors import Mirror
    from fastsio.aio.recovery import Recovery
    from fastsio.cluster.messages import Message
    from fastsio.state.recovery import Found, Missed, SavedSession

#: Seconds that other processes may take to answer whether they have a session, or to handle earlier messages.
ANSWER_S: Final = 1.0
#: Seconds between two checks whether the owner of a session has ended, and how many checks are made.
ENDING_S: Final = 0.01
ENDING_LOOKS: Final = 50
#: The most characters of a pid that other processes are asked for.
MAX_PID: Final = 64


class Journal:
    """
    The messages of the bus that this process has handled since it asked for a session.

    Beyond the limits, and after a gap, *is_complete* is False, and the messages are of no use.
    """

    def __init__(self, max_packets: int, max_bytes: int) -> None:
        self._most, self._most_bytes = max_packets, max_bytes
        self._received: list[BusMessage] = []
        self._size = 0
        self.is_complete = True

    def record(self, received: BusMessage) -> None:
        """Keep a message."""
        self._size += received.size
        if len(self._received) >= self._most or self._size > self._most_bytes:
            self.is_complete = False
            self._received.clear()
        if self.is_complete:
            self._received.append(received)

    def apply(self, session: SavedSession, handled: Mapping[str, int]) -> list[Missed]:
        """Apply the messages that the owner had not handled; return the events for the client among them."""
        return apply([each for each in self._received if each.number > handled.get(each.publisher, 0)], session)


class _Question:
    """A question for a session: which process has the session, and what all have sent."""

    def __init__(self) -> None:
        self.owner = ""
        #: The process that mirrors the session, and the epoch of the mirror; of several, the one of the latest epoch.
        self.mirror, self.epoch = "", 0
        self.published: dict[str, int] = {}


class LocalSessions:
    """Fetches sessions from other processes, and gives them to other processes."""

    def __init__(self, bus: AsyncLocalManager, recovery: Recovery, name: str, get_logger: Callable[[], Any]) -> None:
        self._bus = bus
        self._recovery = recovery
        self._name = name
        self._get_logger = get_logger
        self._journals: set[Journal] = set()
        self._questions: dict[int, _Question] = {}
        self._requests: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_warned = False
        self._mirrors = Mirrors(recovery.options)
        self._mirroring = Mirroring(bus, recovery, self._warn, lambda: self._mirrors.forget_old(self._is_alive))

    @property
    def is_recording(self) -> bool:
        """Whether messages must be recorded: a session is on its way here, or sessions are mirrored here."""
        return bool(self._journals or self._mirrors)

    def record(self, publisher: str, number: int, message: Message, size: int) -> None:
        """Record a message of the bus, for sessions that are on their way here or mirrored here."""
        received = BusMessage(publisher, number, message, size)
        for journal in self._journals:
            journal.record(received)
        self._mirrors.record(received)

    def record_gap(self) -> None:
        """Drop what lost messages of the bus have made incomplete: journals and mirrors."""
        for journal in self._journals:
            journal.is_complete = False
        self._mirrors.lose(self._bus.handled())
        for name, mirror in self._mirrors:
            self._start(self._tell({"method": "mirror_again", "name": name}, mirror.host_id))
        self._mirroring.begin_anew()

    def touch(self, pid: str) -> None:
        """Report a changed or ended session of this process to its mirror."""
        self._recovery.state.log.on_entry = self._mirroring.log
        self._mirroring.touch(pid)

    def _is_alive(self, mirror: Mirror) -> bool:
        """Return whether the process of a mirror is connected, or messages that it has sent wait to be handled."""
        return self._bus.is_there(mirror.host_id) or self._bus.is_connected_to(mirror.publisher)

    # A client that comes back to this process

    async def fetch(self, namespace: str, pid: str, offset: str | None) -> Found | None:
        """
        Fetch the session of a client from another process.

        The result is None if no process has the session, or the client cannot get all events that it has missed.
        """
        if len(pid) > MAX_PID:
            return None
        options = self._recovery.options
        journal = Journal(options.max_packets, options.max_bytes)
        self._journals.add(journal)
        try:
            given = await self._bring(namespace, pid, offset)
            if given is None:
                return None
            session, missed = read_session(given["session"], pid, namespace)
            handled = _counts(given.get("handled"))
            await self._bus.until_handled(handled)
            missed += journal.apply(session, handled)
        except (BusError, MessageError, TimeoutError) as error:
            text = "%s: a client is a new one, because its session cannot be brought here: %s"
            self._get_logger().warning(text, self._name, error or type(error).__name__)
            return None
        finally:
            self._journals.discard(journal)
        # No other task has run since the journal was read.
        is_usable = journal.is_complete and not session.is_over
        return await self._recovery.adopt(session, missed, offset) if is_usable else None

    async def _bring(self, namespace: str, pid: str, offset: str | None) -> dict[str, Any] | None:
        """Ask all processes for a session, then its owner to send it; return the answer of the owner, or None."""
        await self._bus.until_listening()
        number = next(self._numbers)
        which = {"id": number, "namespace": namespace, "pid": pid}
        question = await self._ask(number, which)
        if not question.owner:
            mirror = self._mirrors.find(namespace, pid)
            if mirror is not None and mirror.epoch >= question.epoch:
                return await self._answer_for_ended(namespace, pid, offset)
            question.owner = question.mirror
        if not question.owner:
            return None
        # Messages from before other processes were connected to this one have reached the owner only.
        counts = self._bus.handled()
        for name, published in question.published.items():
            counts[name] = max(published, counts.get(name, 0))
        given = self._requests[number] = asyncio.get_running_loop().create_future()
        try:
            await self._bus.tell(
                {"method": "session_request", **which, "offset": offset, "handled": counts}, question.owner
            )
            until_s = monotonic() + 2 * (ANSWER_S + self._recovery.options.takeover_timeout)
            while not given.done() and self._bus.is_there(question.owner) and monotonic() < until_s:
                await asyncio.wait([given], timeout=ANSWER_S)
        finally:
            del self._requests[number]
        return given.result() if given.done() and "session" in given.result() else None

    async def _ask(self, number: int, which: dict[str, Any]) -> _Question:
        question = self._questions[number] = _Question()
        try:
            await self._bus.ask({"method": "session_question", **which}, ANSWER_S)
        finally:
            del self._questions[number]
        return question

    # A client that comes back to another process

    async def _answer(self, asker: str, number: int, namespace: str, pid: str) -> None:
        answer = {"method": "session_answer", "id": number, "published": self._bus.published()}
        has_it = self._recovery.state.knows(namespace, pid)
        mirror = self._mirrors.find(namespace, pid)
        answer["mirror"] = 0 if mirror is None else mirror.epoch
        await self._tell({**answer, "owner": self._bus.host_id if has_it else ""}, asker)

    async def _give(self, asker: str, number: int, namespace: str, pid: str, request: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"method": "session_given", "id": number}
        try:
            await self._bus.until_handled(_counts(request.get("handled")))
            given = await self._recovery.give_away(namespace, pid, request.get("offset"))
            if given is not None:
                # No other task has run since the events that the client has missed were read.
                answer |= {"handled": self._bus.handled(), "session": write_session(*given)}
            else:
                answer |= await self._answer_for_ended(namespace, pid, request.get("offset")) or {}
        except (MessageError, TimeoutError) as error:
            text = "%s: a session is not given to another process: %s"
            self._get_logger().warning(text, self._name, error or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - session data are objects of the application
            self._warn(error)
        await self._tell(answer, asker)

    async def _answer_for_ended(self, namespace: str, pid: str, offset: Any) -> dict[str, Any] | None:
        """Return a session that is mirrored here, as its owner would have sent it, if the owner has ended."""
        mirror = self._mirrors.find(namespace, pid)
        if mirror is None:
            return None
        for _ in range(ENDING_LOOKS):
            if not self._is_alive(mirror):
                break
            await asyncio.sleep(ENDING_S)
        found = None if self._is_alive(mirror) else mirror.give(pid, offset)
        if found is None:
            return None
        session, entries, later = found
        missed = [(entry.sent_to or entry.rooms, self._recovery.state.log.arguments_of(entry)) for entry in entries]
        missed += apply(later, session)
        # No other task has run since the mirror was read.
        return None if session.is_over else {"handled": self._bus.handled(), "session": write_session(session, missed)}

    def _take_mirrored(self, message: dict[str, Any]) -> None:
        self._mirroring.start()
        if not self._mirrors.take(message, _counts(message.get("handled"))):
            answer = {"method": "mirror_again", "name": message["name"]}
            self._start(self._tell(answer, str(message["host_id"])))

    def _warn(self, error: Exception) -> None:
        """Log that a session cannot be sent; once, because the application normally must change its session data."""
        if not self._has_warned:
            self._has_warned = True
            text = "%s: the session of a client cannot go to another process, where the client is a new one: %s"
            self._get_logger().error(text, self._name, error, exc_info=error)

    async def _tell(self, answer: dict[str, Any], asker: str) -> None:
        try:
            await self._bus.tell(answer, asker)
        except BusError as error:
            self._get_logger().warning("%s: a question could not be answered: %s", self._name, error)

    # Messages between processes

    def take(self, message: dict[str, Any]) -> bool:
        """Handle a message of another process about a session; return False for any other message."""
        match message:
            case {
                "method": "session_question",
                "host_id": str(asker),
                "id": int(number),
                "namespace": name,
                "pid": pid,
            }:
                self._start(self._answer(asker, number, name, pid))
            case {"method": "session_answer", "id": int(number), "owner": str(_), "host_id": str(_)}:
                self._take_answer(self._questions.get(number), message)
            case {"method": "mirror", "name": str(_), "host_id": str(_)}:
                self._take_mirrored(message)
            case {"method": "mirror_again", "name": str(name)}:
                self._mirroring.begin_anew(name)
            case {
                "method": "session_request",
                "host_id": str(asker),
                "id": int(number),
                "namespace": str(name),
                "pid": str(pid),
            }:
                self._start(self._give(asker, number, name, pid, message))
            case {"method": "session_given", "id": int(number)}:
                given = self._requests.get(number)
                if given is not None and not given.done():
                    given.set_result(message)
            case _:
                return False
        return True

    @staticmethod
    def _take_answer(question: _Question | None, answer: dict[str, Any]) -> None:
        if question is None:
            return
        question.owner = question.owner or answer["owner"]
        match answer.get("mirror"):
            case int(epoch) if epoch > question.epoch:
                question.mirror, question.epoch = answer["host_id"], epoch
        question.published |= _counts(answer.get("published"))

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Stop mirroring sessions and answering other processes."""
        await self._mirroring.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _counts(value: Any) -> dict[str, int]:
    """Return the dict of publishers and numbers in a message; raise MessageError if *value* is not one."""
    match value:
        case dict() if all(type(number) is int for number in value.values()):
            return value
        case _:
            raise MessageError("the numbers of messages must be integers")


def apply(received: Iterable[BusMessage], session: SavedSession) -> list[Missed]:
    """Apply messages of the bus to a session; return the events among them that are for its client."""
    missed: list[Missed] = []
    for _, _, message, _ in received:
        match message:
            case Emit() | LeaveRoom() | CloseRoom() | Disconnect() if message.namespace != session.namespace:
                pass
            case Emit() if message.callback is None and session.sid not in message.skip:
                if {None, session.sid, *session.rooms}.intersection(message.rooms):
                    arguments = unpack_event(message.data, binary=message.binary)
                    missed.append((message.rooms, [message.event, *arguments]))
            case LeaveRoom(sid, room) if sid == session.sid:
                session.rooms.pop(room, None)
            case CloseRoom(room):
                session.rooms.pop(room, None)
            case Disconnect(sid) if sid == session.sid:
                session.is_over = True
    return missed

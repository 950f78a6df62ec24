"""A server that knows nothing but recovery, for the tests of what recovery knows."""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from fastsio.base.recovery import ConnectionStateRecovery
from fastsio.base.recovery_state import RecoveryState
from fastsio.protocol import Packet
from fastsio.protocol.lifecycle import Happening
from fastsio.state import Client, Connection
from fastsio.state.recovery import SavedSession  # noqa: TC001


class Frame:
    """A frame of an event."""

    def __init__(self, data: str | bytes) -> None:
        self.data, self.size = data, len(data)


def frames_of(packet: Packet) -> list[Frame]:
    """Return the frames of a packet."""
    encoded: Any = packet.encode()
    return [Frame(data) for data in (encoded if isinstance(encoded, list) else [encoded])]


class Deadlines:
    """The timers, which the tests let run out; *fails* when the system has no thread for one."""

    def __init__(self, on_due: Any, _engine: Any) -> None:
        self.on_due, self.fails = on_due, False
        self.left: dict[Any, float] = {}

    def set(self, member: Any, seconds: float) -> None:
        """Start the time of a member anew."""
        if self.fails:
            raise RuntimeError("no thread")
        self.left[member] = seconds

    def clear(self, member: Any) -> None:
        """Let a member have no deadline."""
        self.left.pop(member, None)

    def stop(self) -> None:
        """Let none have one."""
        self.left.clear()


class Scene:
    """A server with recovery, whose clock the test moves."""

    def __init__(self, shared_sessions: Any = None, moves: Any = None, start: Any = None, **options: Any) -> None:
        self.now, self.pids, self.told = 0.0, iter(f"pid{number}" for number in range(1, 99)), []
        self.joins: dict[str, Any] = defaultdict(dict)
        self.clients: dict[str, Client] = {}
        self.tasks: list[Any] = []
        self.due: list[SavedSession] = []
        self.has_threads = True
        self.rooms = SimpleNamespace(
            keep_away=lambda session: self.told.append(("lost", session.sid)),
            give_back=lambda client: self.told.append(("returned", client.sid)),
            remove_client=lambda _namespace, sid: [f"member of {sid}"],
            joins_of=lambda each: self.joins[each.sid],
        )
        manager = SimpleNamespace(
            lock=nullcontext(),
            restore_rooms=self._restore_rooms,
            client_of=lambda sid, _namespace: self.clients.get(sid),
        )
        eio = SimpleNamespace(
            generate_id=lambda: next(self.pids),
            create_event=lambda: SimpleNamespace(set=lambda: self.told.append(("gone",))),
            close_client=None,
            high_water_packets=1000,
            high_water_bytes=1_000_000,
        )
        logger = SimpleNamespace(exception=self._log, warning=self._log)
        server: Any = SimpleNamespace(eio=eio, logger=logger, manager=manager, packet_class=Packet)
        self.lifecycle = SimpleNamespace(is_closed=False)
        shared: Any = SimpleNamespace(
            lifecycle=self.lifecycle,
            room_keeper=SimpleNamespace(table=self.rooms),
            runner=SimpleNamespace(start_task=self._start_task),
        )
        self.timers: list[Deadlines] = []
        self.state = RecoveryState(
            server,
            shared,
            ConnectionStateRecovery(**options),
            start,
            shared_sessions,
            moves,
            new_deadlines=self._new_deadlines,
            now=lambda: self.now,
            packet_frames=frames_of,
            on_due=self._on_due,
        )

    def connect(self, sid: str, *rooms: Any, namespace: str = "/", connection: Connection | None = None) -> Client:
        """Connect a client, and let it into rooms."""
        client = self.arrive(sid, namespace=namespace, connection=connection)
        self.state.begin(client)
        for room in rooms:
            self.state.entered(client, room)
        client.advance(Happening.ACCEPT)
        client.outgoing = None
        return client

    def arrive(self, sid: str, *, namespace: str = "/", connection: Connection | None = None) -> Client:
        """Return a client whose connect handler runs."""
        client = Client(sid, namespace, connection or Connection(f"eio of {sid}", {}, Any, dict))  # type: ignore[arg-type]
        client.advance(Happening.BEGIN)
        client.rooms = {}
        self.clients[sid] = client
        return client

    def lose(self, client: Client) -> SavedSession:
        """Lose a client, and return its session."""
        session = self.state.session_of(client)
        self.state.add(session)
        client.recovery.is_kept = True  # type: ignore[union-attr]
        self.state.forget(client)
        del self.clients[client.sid]
        return session

    def emit(self, text: str, *rooms: Any, skip: Any = ()) -> list[Frame]:
        """Send an event to rooms, by default to all clients."""
        return self.state.log.number("/", rooms or (None,), skip, ["news", text])

    def come_back(self, session: SavedSession, offset: str | None = None) -> Client | None:
        """Restore the session of a client; None if it has ended."""
        assert self.state.claim(session.namespace, session.pid) is session
        found = self.state.check(session, offset, is_late=False)
        client = self.arrive(session.sid)
        return client if found is not None and self.state.restore(client, found) is not None else None

    def _new_deadlines(self, *args: Any) -> Deadlines:
        self.timers.append(Deadlines(*args))
        return self.timers[-1]

    def _restore_rooms(self, client: Client, rooms: Any) -> None:
        client.rooms = dict(rooms)

    def _log(self, text: str, *_: Any) -> None:
        self.told.append(("logged", text))

    def _start_task(self, *call: Any) -> None:
        if not self.has_threads:
            raise RuntimeError("no thread")
        self.tasks.append(call)

    def _on_due(self, session: SavedSession) -> None:
        if not self.has_threads:
            raise RuntimeError("no thread")
        self.due.append(session)

"""
Connection state recovery of a client: its pids and offsets, and the events that wait for the answer to CONNECT.

The server's answer to CONNECT may have a ``pid``, the secret name of the session. With it each event that the server
keeps has an offset, a text after its last argument. A client that has lost its connection sends both with its next
CONNECT; the server sends the events that the client has missed, and then an answer with the same ``pid``.

This module must not know how packets are sent and handlers are called.

Source: socket.io-client 4.8.4, ``socket.ts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastsio.protocol.offset import MAX_OFFSET_CHARS, is_offset

if TYPE_CHECKING:
    from collections.abc import Callable

#: Namespace, acknowledgement id and data of an event.
HeldEvent = tuple[str, "int | None", list[Any]]


@dataclass(slots=True)
class _Session:
    """The client's session in one namespace: its pid, None once the client has left, and the last offset."""

    pid: str | None
    offset: str | None = None
    #: Whether an offset in a known form has arrived: from then on, texts of another form are not offsets.
    is_known_form: bool = False


@dataclass(slots=True)
class _Held:
    """The events of one namespace that wait for the answer to CONNECT."""

    events: list[HeldEvent] = field(default_factory=list)
    size_bytes: int = 0
    #: Whether more events have arrived than may wait.
    is_full: bool = False


class RecoverableSessions:
    """
    The sessions of one client that a server may recover.

    Args:
        is_wanted: Whether the client lets servers recover its connections.
        max_held_packets: The most events of one namespace that wait until CONNECT is answered.
        max_held_bytes: The most bytes of these events.
    """

    def __init__(self, *, is_wanted: bool, max_held_packets: int, max_held_bytes: int) -> None:
        self._is_wanted = is_wanted
        self._max_packets = max_held_packets
        self._max_bytes = max_held_bytes
        self._sessions: dict[str, _Session] = {}
        self._held: dict[str, _Held] = {}
        self._target: Any = None

    @property
    def is_active(self) -> bool:
        """Whether there is a session in any namespace."""
        return bool(self._sessions)

    @property
    def is_asking(self) -> bool:
        """Whether a namespace waits for the answer to CONNECT with a session."""
        return bool(self._held)

    def is_awaited(self, namespace: str) -> bool:
        """Return whether a namespace waits for the answer to CONNECT with a session."""
        return namespace in self._held

    def reset(self) -> None:
        """Drop the waiting events, which the server sends again, and the sessions that the client has left."""
        self._held = {}
        self._sessions = {name: session for name, session in self._sessions.items() if session.pid is not None}

    def forget(self, namespace: str) -> None:
        """Forget the pid of a namespace that the client has left; its events have offsets until :meth:`reset`."""
        session = self._sessions.get(namespace)
        if session is not None:
            session.pid = None

    def forget_all(self) -> None:
        """Forget the sessions in all namespaces."""
        for namespace in list(self._sessions):
            self.forget(namespace)

    def set_target(self, *target: Any) -> None:
        """
        Forget the sessions if ``connect()`` was called with another server or user than before.

        A pid is a secret for one server, and a session may belong to another user.
        """
        if target != self._target:
            self.forget_all()
        # Dicts are copied, because the application may change them before the next call.
        self._target = tuple(deepcopy(value) if isinstance(value, dict) else value for value in target)

    # CONNECT and its answer

    def ask(self, namespace: str, auth: Any) -> Any:
        """
        Return the payload of CONNECT. If it asks for a session, events wait until the answer.

        Args:
            namespace: The namespace.
            auth: The auth of the application. If it is no mapping, the payload cannot have a pid, and the server makes
                a new session.
        """
        auth = auth or {}
        session = self._sessions.get(namespace)
        if session is None or session.pid is None or not isinstance(auth, Mapping):
            return auth
        self._held[namespace] = _Held()
        payload = {"pid": session.pid}
        if session.offset is not None:
            payload["offset"] = session.offset
        return {**payload, **auth}

    def answer(self, namespace: str, payload: Any) -> bool:
        """Keep the pid in the server's answer to CONNECT; return whether the session was recovered."""
        pid = payload.get("pid") if self._is_wanted and isinstance(payload, dict) else None
        session = self._sessions.get(namespace)
        if type(pid) is not str or not pid:
            self._sessions.pop(namespace, None)
            return False
        if session is not None and session.pid == pid:
            return True
        self._sessions[namespace] = _Session(pid)
        return False

    # Events

    def hold(self, event: HeldEvent, size_bytes: int) -> list[HeldEvent]:
        """
        Hold an event if its namespace waits for the answer to CONNECT.

        Return the events to handle now, in their order: none while they are held. When too many are held, those and all
        later ones are handled without waiting for the answer.
        """
        namespace = event[0]
        held = self._held.get(namespace)
        if held is None or held.is_full:
            return [event]
        held.events.append(event)
        held.size_bytes += size_bytes
        held.is_full = len(held.events) > self._max_packets or held.size_bytes > self._max_bytes
        if not held.is_full:
            return []
        events, held.events = held.events, []
        return events

    def release(self, namespace: str) -> list[HeldEvent]:
        """Return the events that are held for a namespace, in their order, and hold no more."""
        held = self._held.pop(namespace, None)
        return [] if held is None else held.events

    def arguments_of(
        self, namespace: str, data: list[Any], now_s: float, accepts: Callable[[int], bool] | None
    ) -> list[Any]:
        """
        Keep the offset of an event that asks for no acknowledgement.

        An offset of a known form is taken off, unless the handler can only be called with it. As long as the session
        has had none of a known form, each text at the end may be one: it is kept as the offset, as in JavaScript, but
        taken off only if the handler cannot be called with it.

        Args:
            namespace: The namespace.
            data: The event's name and arguments.
            now_s: The time of the client's clock, in seconds since 1970.
            accepts: Tells whether the handler can be called with so many arguments; None if it can with any number.

        Returns:
            The event's name and arguments without the offset.
        """
        session = self._sessions.get(namespace)
        text = data[-1]
        if session is None or len(data) == 1 or type(text) is not str or len(text) > MAX_OFFSET_CHARS:
            return data
        is_known = is_offset(text, now_s)
        if session.is_known_form and not is_known:
            return data
        session.is_known_form = is_known
        session.offset = text
        count = len(data) - 1
        is_hidden = is_known
        if accepts is not None and accepts(count) != accepts(count - 1):
            is_hidden = accepts(count - 1)
        return data[:-1] if is_hidden else data

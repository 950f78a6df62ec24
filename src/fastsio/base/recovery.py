"""
Connection state recovery: the option of servers, and the fields of a CONNECT packet that belong to it.

Source: the JavaScript server's ``connectionStateRecovery``; its clients work with this server unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from inspect import iscoroutinefunction
from math import inf
from typing import Any, Final, Protocol

from fastsio.exceptions import SetupError

#: The fields in the auth of a client that comes back.
PID, OFFSET = "pid", "offset"
#: The methods of a store.
STORE_METHODS: Final = ("keep", "load", "take")


class RecoveryStore(Protocol):
    """
    Where a server keeps, over a restart, what clients come back to: the option ``store`` of recovery.

    Any object with these three methods will do. They are coroutine functions or plain ones; for the server for threads,
    plain ones, which several threads call at the same time. A key is a text of at most 600 characters, a value is
    bytes. What they raise is logged; the clients concerned are new ones.
    """

    def keep(self, key: str, value: bytes, seconds: float) -> Any:
        """Keep a value under a key for so many seconds; one that is kept under the key already is replaced."""

    def load(self, key: str) -> Any:
        """Return the value that is kept under a key, as bytes, or None. It stays."""

    def take(self, key: str) -> Any:
        """Delete the value that is kept under a key, and return it, or None; of several callers one gets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStateRecovery:
    """
    The option ``connection_state_recovery`` of a server: for how long, and how much, it keeps for lost clients.

    Args:
        max_disconnection_duration: Seconds for which the session of a lost client, and the events that were sent, are
            kept. 120, as in the JavaScript server.
        skip_middlewares: Whether a client that comes back passes by the middleware of ``connect``. Its connect handler
            runs in any case. False: otherwise one who has stolen a ``pid`` is let in as that client.
        presence_grace: Seconds for which a lost client still counts as a member of the rooms of room classes: only then
            ``on_leave`` runs and the others are told that it has left. When it comes back later, it joins them again.
            15.
        takeover_timeout: Seconds that a client which is back waits for the disconnect handler of its old connection, on
            whichever node that is. After that it is a new client. It waits as long for an ``on_leave`` that runs for
            it. 10.
        max_packets: Events that are kept; the oldest is dropped beyond it. 100,000.
        max_bytes: Bytes of those, with 400 more for each, and 1000 for each room that they were sent to. 67,108,864.
        max_sessions: Sessions of lost clients that are kept; the oldest is dropped beyond it. 100,000.
        store: A :class:`RecoveryStore`: the server writes sessions and events there when it shuts down, and not
            before, and clients come back to a server that is started after it. None keeps them in memory, or where the
            client manager keeps them for all nodes.

    A client that has missed an event gets a new session if the event is not kept any more.

    Raises:
        SetupError: A value is not a positive number, *skip_middlewares* is no bool, or *store* has not the methods.
    """

    max_disconnection_duration: float = 120.0
    skip_middlewares: bool = False
    presence_grace: float = 15.0
    takeover_timeout: float = 10.0
    max_packets: int = 100_000
    max_bytes: int = 64 << 20
    max_sessions: int = 100_000
    store: RecoveryStore | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.skip_middlewares, bool):
            raise SetupError(f"skip_middlewares={self.skip_middlewares!r} is not valid; give True or False")
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if name in ("skip_middlewares", "store"):
                continue
            number = (int, float) if isinstance(field.default, float) else int
            if isinstance(value, bool) or not isinstance(value, number) or not 0 < value < inf:
                raise SetupError(f"{name}={value!r} is not valid; give it a positive number")
        if isinstance(self.store, type):
            raise SetupError(f"store: give an object, not the class {self.store.__name__}")
        missing = [name for name in STORE_METHODS if not callable(getattr(self.store, name, None))]
        if self.store is not None and missing:
            raise SetupError(f"store={self.store!r} is not valid: it has no method {missing[0]}(); see RecoveryStore")


def check_store(store: Any, *, asynchronous: bool) -> None:
    """Raise SetupError if the methods of a store have to be awaited, and the server is for threads."""
    for name in STORE_METHODS:
        if not asynchronous and iscoroutinefunction(getattr(store, name)):
            kind = type(store).__name__
            raise SetupError(f"store: {kind}.{name}() is a coroutine function; a server for threads needs plain ones")


def check_manager(manager: Any, *, is_shared: bool) -> None:
    """
    Raise SetupError if a store cannot be used beside a client manager.

    *is_shared* is whether the manager itself keeps the sessions of clients for all nodes.
    """
    kind = type(manager).__name__
    if is_shared:
        raise SetupError(f"{kind} keeps the sessions of clients itself; leave out the store of recovery")
    if manager.has_other_nodes:
        raise SetupError(
            f"the store of recovery is for one process, and {kind} connects several, which do not all get the same "
            "events; clients of several processes come back with a manager for Redis Streams"
        )


def recovery_options(value: Any, *, always_connect: bool) -> ConnectionStateRecovery | None:
    """
    Return the options of connection state recovery that a server was given, or None if it is off.

    Args:
        value: True, a dict of the fields of :class:`ConnectionStateRecovery`, or one; None or False is off.
        always_connect: That option of the server.

    Raises:
        SetupError: It is something else, or has a field that does not exist or is not valid; or always_connect is on.
    """
    if value is None or value is False:
        return None
    if always_connect:
        raise SetupError(
            "connection_state_recovery sends what a client has missed, and always_connect lets it in before its "
            "connect handler has decided; use one of them"
        )
    if value is True:
        return ConnectionStateRecovery()
    if isinstance(value, ConnectionStateRecovery):
        return value
    if not isinstance(value, Mapping):
        raise SetupError(
            f"connection_state_recovery={value!r} is not valid; give True, a dict, or ConnectionStateRecovery(...)"
        )
    names = [field.name for field in fields(ConnectionStateRecovery)]
    unknown = [name for name in value if name not in names]
    if unknown:
        raise SetupError(f"connection_state_recovery has no option {unknown[0]!r}; there are {', '.join(names)}")
    return ConnectionStateRecovery(**value)


def split_auth(auth: Any) -> tuple[Any, Any, Any]:
    """
    Split the auth of a CONNECT into the auth of the application and the fields of recovery.

    Returns:
        The auth that the application sees, or None if nothing else was in it; the pid; the offset. Pid and offset are
        None if the client has not sent them. If one of them is no ASCII text, both are None: the client gets a new
        session. A server makes only such texts, and others cannot be written everywhere: a lone surrogate has no bytes.
    """
    if type(auth) is not dict or not (PID in auth or OFFSET in auth):
        return auth, None, None
    rest = {name: value for name, value in auth.items() if name not in (PID, OFFSET)}
    pid, offset = auth.get(PID), auth.get(OFFSET)
    if not _is_ascii(pid) or not (_is_ascii(offset) or OFFSET not in auth):
        return rest or None, None, None
    return rest or None, pid, offset


def _is_ascii(value: Any) -> bool:
    return type(value) is str and value.isascii()

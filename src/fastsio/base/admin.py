"""
The parts of the admin interface that neither wait nor look at a clock: settings, credentials, counts, descriptions.

The messages are those of ``@socket.io/admin-ui`` 0.5; sending them is the shells' part.
"""

from __future__ import annotations

import hmac
import json
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from fastsio.exceptions import SetupError
from fastsio.routing import check_namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from contextlib import AbstractContextManager

#: What an administrator can do unless the interface is read-only; M is for many clients at once.
COMMANDS: Final = ("EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT")
DEVELOPMENT: Final = "development"
PRODUCTION: Final = "production"


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """
    What :meth:`instrument` was given.

    Attributes:
        auth: False, a callable, or the credentials that are accepted.
        is_verbose: Whether clients, rooms and events are reported, not only counts.
        read_only: Whether administrators can only look.
        server_id: The name of the server; None is for the shell to choose.
        namespace: The namespace of the interface.
        interval_s: Seconds between two reports of the counts.
        max_reports: How many reports may wait to be sent.
    """

    auth: Any
    is_verbose: bool
    read_only: bool
    server_id: str | None
    namespace: str
    interval_s: float
    max_reports: int

    @property
    def features(self) -> list[str]:
        """What the interface offers, in the words of the admin UI."""
        commands = () if self.read_only else COMMANDS
        return ["AGGREGATED_EVENTS", *commands, *(("ALL_EVENTS",) if self.is_verbose else ())]


def read_settings(
    auth: Any,
    mode: str,
    read_only: bool,
    server_id: str | None,
    namespace: str,
    server_stats_interval: float,
    max_reports: int,
    *,
    may_await: bool,
) -> AdminSettings:
    """
    Check the arguments of :meth:`instrument`.

    Raises:
        ValueError: One of them is not valid.
    """
    if mode not in (DEVELOPMENT, PRODUCTION):
        raise SetupError(f"mode={mode!r} is not valid; give 'development' or 'production'")
    namespace = check_namespace(namespace)
    if server_stats_interval <= 0:
        raise SetupError(f"server_stats_interval={server_stats_interval!r} is not valid; give seconds above 0")
    if max_reports < 1:
        raise SetupError(f"max_reports={max_reports!r} is not valid; give 1 or more")
    return AdminSettings(
        auth=read_auth(auth, may_await=may_await),
        is_verbose=mode == DEVELOPMENT,
        read_only=bool(read_only),
        server_id=server_id,
        namespace=namespace,
        interval_s=server_stats_interval,
        max_reports=max_reports,
    )


def read_auth(auth: Any, *, may_await: bool) -> Any:
    """
    Check who may use the admin interface.

    Returns:
        False, the callable, or a list of credentials.

    Raises:
        ValueError: It is None, empty, or none of the kinds.
    """
    if auth is False:
        return False
    if callable(auth):
        if iscoroutinefunction(auth) and not may_await:
            raise SetupError("auth is a coroutine function, which a sync server cannot await; give a plain function")
        return auth
    accepted = [auth] if isinstance(auth, dict) else auth
    if isinstance(accepted, list | tuple) and accepted and all(isinstance(one, dict) and one for one in accepted):
        return list(accepted)
    raise SetupError(
        "auth must be a dictionary of credentials such as {'username': ..., 'password': ...}, a list of them, or a "
        "callable; auth=False lets everybody in and is for development only"
    )


def matches(accepted: list[dict[str, Any]], given: Any) -> bool:
    """Whether credentials are among those accepted; the time it takes does not tell how far they agree."""
    seen = _canonical(given)
    return any([hmac.compare_digest(_canonical(one), seen) for one in accepted])  # noqa: C419 - all are compared


def _canonical(credentials: Any) -> bytes:
    return json.dumps(credentials, sort_keys=True, default=repr).encode()


def is_yes(verdict: Any) -> bool:
    """Whether a callable let an administrator in; a coroutine that nobody awaited did not."""
    return bool(verdict) and not isawaitable(verdict)


class EventCounts:
    """
    Counts what happens, by kind and second.

    Args:
        clock: Gives the seconds since 1970.
        lock: Held while a count changes, by threads.
        max_entries: How many counts are kept when nobody takes them; the oldest go first.
    """

    def __init__(
        self, clock: Callable[[], float], lock: AbstractContextManager[Any] | None = None, max_entries: int = 1000
    ) -> None:
        self._clock = clock
        self._lock: AbstractContextManager[Any] = nullcontext() if lock is None else lock
        self._max_entries = max_entries
        self._counts: dict[tuple[int, str], int] = {}

    def push(self, type: str, count: int = 1) -> None:  # noqa: A002 - python-socketio's name
        """Count something that happened now, *count* times."""
        key = (int(self._clock()) * 1000, type)
        with self._lock:
            counts = self._counts
            if key not in counts and len(counts) >= self._max_entries:
                del counts[next(iter(counts))]
            counts[key] = counts.get(key, 0) + count

    def get_and_clear(self) -> list[dict[str, Any]]:
        """Take the counts, with the milliseconds since 1970 of each."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return [{"timestamp": at_ms, "type": kind, "count": count} for (at_ms, kind), count in counts.items()]


def iso_time(now_s: float) -> str:
    """Write a time as JavaScript reads it."""
    return datetime.fromtimestamp(now_s, UTC).isoformat()


def room_name(room: Hashable) -> str | int:
    """Return a room's name as JSON can hold it."""
    return room if isinstance(room, str | int) else str(room)


def short_id(eio_sid: str) -> str:
    """Shorten an Engine.IO sid, with which one could take over the connection, to what tells connections apart."""
    return eio_sid[:12]


def handshake(environ: dict[str, Any], issued_s: float) -> dict[str, Any]:
    """
    Describe the request that opened a connection.

    Args:
        environ: Its environ.
        issued_s: When it came, in seconds since 1970.
    """
    headers = {
        name.removeprefix("HTTP_").lower().replace("_", "-"): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return {
        "address": environ.get("REMOTE_ADDR", ""),
        "headers": headers,
        "query": dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        "secure": environ.get("wsgi.url_scheme") in ("https", "wss"),
        "url": environ.get("PATH_INFO", ""),
        "issued": issued_s * 1000,
        "time": iso_time(issued_s),
    }


def opens_with_websocket(environ: dict[str, Any]) -> bool:
    """Whether a connection does without polling."""
    return ("transport", "websocket") in parse_qsl(environ.get("QUERY_STRING", ""))

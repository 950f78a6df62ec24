"""
The parts of the admin interface that neither wait nor look at a clock: settings, credentials, counts, descriptions.

The messages are those of ``@socket.io/admin-ui`` 0.5; ``fastsio.aio.admin`` and ``fastsio.sync.admin`` send them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import isawaitable, iscoroutinefunction
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable
    from contextlib import AbstractContextManager

#: What an administrator can do unless the interface is read-only; M is for many clients at once.
COMMANDS: Final = ("EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT")
DEVELOPMENT: Final = "development"
PRODUCTION: Final = "production"
MINUTE_S: Final = 60.0
#: How many bits at the end of an IPv6 address a client may choose itself.
IPV6_CLIENT_BITS: Final = 64
#: How many characters are compared of an address that is not an IP address.
MAX_ADDRESS_LENGTH: Final = 64
#: Shown in place of a value that administrators must not see.
HIDDEN: Final = "(hidden)"
#: Names of headers and query parameters whose values are secret.
SECRETS: Final = re.compile(
    "auth|cookie|token|secret|passw|credential|session|signature|key|jwt|csrf|xsrf|^sid$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """
    The arguments of ``instrument()``, checked; *auth* is what :func:`read_auth` has returned.

    Raises:
        ValueError: One of them is not valid.
    """

    auth: Any
    mode: str
    read_only: bool
    server_id: str | None
    namespace: str
    server_stats_interval: float
    max_reports: int
    max_failed_logins: int
    max_failed_logins_per_minute: int
    max_failed_logins_overall: int

    def __post_init__(self) -> None:
        if self.mode not in (DEVELOPMENT, PRODUCTION):
            raise SetupError(f"mode={self.mode!r} is not valid; give 'development' or 'production'")
        if self.server_stats_interval <= 0:
            raise SetupError(f"server_stats_interval={self.server_stats_interval!r} is not valid; give seconds above 0")
        per_minute, overall = self.max_failed_logins_per_minute, self.max_failed_logins_overall
        for name in ("max_reports", "max_failed_logins", "max_failed_logins_per_minute", "max_failed_logins_overall"):
            value = getattr(self, name)
            if value < 1:
                raise SetupError(f"{name}={value!r} is not valid; give 1 or more")
        if overall < per_minute:
            raise SetupError(
                f"max_failed_logins_overall={overall!r} is less than max_failed_logins_per_minute={per_minute!r}, "
                "so that one address could use up what is for all; give more"
            )

    @property
    def is_verbose(self) -> bool:
        """Whether clients, rooms and events are reported, not only counts."""
        return self.mode == DEVELOPMENT

    @property
    def features(self) -> list[str]:
        """The features that the interface offers, with the names of the admin UI."""
        commands = () if self.read_only else COMMANDS
        return ["AGGREGATED_EVENTS", *commands, *(("ALL_EVENTS",) if self.is_verbose else ())]


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


def check(auth: Any, given: Any) -> Any:
    """Return whether credentials let an administrator in; of a callable what it returned, perhaps an awaitable."""
    if auth is False:
        return True
    return matches(auth, given) if isinstance(auth, list) else auth(given or {})


def matches(accepted: list[dict[str, Any]], given: Any) -> bool:
    """Whether credentials are among those accepted; the time that this takes reveals nothing about them."""
    seen = _fingerprint(given)
    return any([hmac.compare_digest(_fingerprint(one), seen) for one in accepted])  # noqa: C419 - all are compared


def _fingerprint(credentials: Any) -> bytes:
    try:
        text = json.dumps(credentials, sort_keys=True, default=repr)
    except (TypeError, ValueError):  # MessagePack allows keys that JSON does not
        text = repr(credentials)
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


class FailedLogins:
    """
    Bounds how often credentials may be guessed: by one connection, by one address and overall in a minute.

    An attempt counts as failed from its begin, so that attempts at the same time are bounded too; :meth:`succeed` takes
    that back. The cost of an attempt does not grow with their number. A minute begins with the first attempt after the
    minute before is over. Of *max_addresses* that are counted, the oldest is dropped first.

    Failures at one address do not lock out clients at another: when all addresses together have failed too often, one
    that has not failed in this minute still has one attempt.
    """

    def __init__(
        self,
        per_connection: int,
        per_address: int,
        overall: int,
        lock: AbstractContextManager[Any] | None = None,
        max_addresses: int = 10_000,
    ) -> None:
        self._per_connection = per_connection
        self._per_address = per_address
        self._overall = overall
        self._lock: AbstractContextManager[Any] = nullcontext() if lock is None else lock
        self._max_addresses = max_addresses
        self._by_connection: dict[str, int] = {}
        self._by_network: OrderedDict[str, int] = OrderedDict()
        self._in_minute = 0
        self._minute_began_s = -MINUTE_S

    def begin(self, eio_sid: str, address: str, now_s: float) -> bool:
        """Begin an attempt; return False if the credentials must not be checked. *now_s* never goes back."""
        network = _network_of(address)
        with self._lock:
            if now_s - self._minute_began_s >= MINUTE_S:
                self._minute_began_s, self._in_minute = now_s, 0
                self._by_network.clear()
            by_connection, by_network = self._by_connection.get(eio_sid, 0), self._by_network.get(network, 0)
            most = self._per_address if self._in_minute < self._overall else 1
            if by_connection >= self._per_connection or by_network >= most:
                return False
            self._by_connection[eio_sid] = by_connection + 1
            if not by_network and len(self._by_network) >= self._max_addresses:
                self._by_network.popitem(last=False)
            self._by_network[network] = by_network + 1
            self._in_minute += 1
            return True

    def succeed(self, eio_sid: str, address: str) -> None:
        """Count an attempt no longer as failed: its credentials are right."""
        network = _network_of(address)
        with self._lock:
            self._by_connection.pop(eio_sid, None)
            by_network = self._by_network.pop(network, 0)
            if by_network > 1:
                self._by_network[network] = by_network - 1
            self._in_minute = max(0, self._in_minute - 1)

    def forget(self, eio_sid: str) -> None:
        """Forget a connection that is closed."""
        self._by_connection.pop(eio_sid, None)


def _network_of(address: str) -> str:
    """Return the range of addresses that one client may have: one IPv4 address, or an IPv6 network of 64 bits."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:  # that of a UNIX socket is empty, and a proxy's headers may name a host
        return address[:MAX_ADDRESS_LENGTH]
    if isinstance(known, IPv4Address):
        return str(known)
    mapped = known.ipv4_mapped
    return str(mapped) if mapped is not None else f"{int(known) >> IPV6_CLIENT_BITS:x}/{IPV6_CLIENT_BITS}"


def is_yes(verdict: Any) -> bool:
    """Whether the result of a callable lets an administrator in; a coroutine that was not awaited does not."""
    return bool(verdict) and not isawaitable(verdict)


class EventCounts:
    """Counts what happens, by kind and second; of *max_entries* counts that are kept, the oldest is dropped first."""

    def __init__(
        self, clock: Callable[[], float], lock: AbstractContextManager[Any] | None = None, max_entries: int = 1000
    ) -> None:
        self._clock = clock
        self._lock: AbstractContextManager[Any] = nullcontext() if lock is None else lock
        self._max_entries = max_entries
        self._counts: OrderedDict[tuple[int, str], int] = OrderedDict()

    def push(self, type: str, count: int = 1) -> None:  # noqa: A002 - python-socketio's name
        """Count something that happened now, *count* times."""
        key = (int(self._clock()) * 1000, type)
        with self._lock:
            counts = self._counts
            if key not in counts and len(counts) >= self._max_entries:
                counts.popitem(last=False)
            counts[key] = counts.get(key, 0) + count

    def get_and_clear(self) -> list[dict[str, Any]]:
        """Return the counts, with the milliseconds since 1970 of each, and begin new ones."""
        with self._lock:
            counts, self._counts = self._counts, OrderedDict()
        return [{"timestamp": at_ms, "type": kind, "count": count} for (at_ms, kind), count in counts.items()]


def iso_time(now_s: float) -> str:
    """Return a time as ISO 8601, which JavaScript reads."""
    return datetime.fromtimestamp(now_s, UTC).isoformat()


def room_name(room: Hashable) -> str | int:
    """Return a room's name as text or a number, for JSON."""
    return room if isinstance(room, str | int) else str(room)


def short_id(eio_sid: str) -> str:
    """Return the first characters of an Engine.IO sid; with all of it one could take over the connection."""
    return eio_sid[:12]


def hide_session(name: str, sessions: Container[str]) -> str:
    """
    Return a sid or a room's name for administrators who may only look.

    A client of Engine.IO 3 makes its sids of its Engine.IO sid, with which one could take over the connection.
    """
    start, mark, eio_sid = name.rpartition("#")
    return f"{start}{mark}{short_id(eio_sid)}" if eio_sid in sessions else name


def _without_secrets(values: dict[str, str]) -> dict[str, str]:
    """Return *values* without those with which one could act as the client: cookies, tokens and the like."""
    return {name: HIDDEN if SECRETS.search(name) else value for name, value in values.items()}


def handshake(environ: dict[str, Any], issued_s: float) -> dict[str, Any]:
    """Describe the request that opened a connection at *issued_s*, in seconds since 1970, but for its secrets."""
    headers = {
        name.removeprefix("HTTP_").lower().replace("_", "-"): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    return {
        "address": environ.get("REMOTE_ADDR", ""),
        "headers": _without_secrets(headers),
        "query": _without_secrets(query),
        "secure": environ.get("wsgi.url_scheme") in ("https", "wss"),
        "url": environ.get("PATH_INFO", ""),
        "issued": issued_s * 1000,
        "time": iso_time(issued_s),
    }


def opens_with_websocket(environ: dict[str, Any]) -> bool:
    """Whether a connection was opened as a WebSocket, without polling."""
    return ("transport", "websocket") in parse_qsl(environ.get("QUERY_STRING", ""))

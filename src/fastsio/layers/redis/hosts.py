"""The Redis servers of a layer: reading the option ``hosts`` in all its forms."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fastsio._extras import require
from fastsio.brokers.batch_publisher import bus_error
from fastsio.brokers.redis import RedisPublisher, new_client
from fastsio.cluster.broker_urls import RedisTarget, place_of, redis_target
from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Host = str | tuple[str, int] | list[str | int] | Mapping[str, Any]

DEFAULT_URL: Final = "redis://localhost:6379/0"
#: Seconds that a server may take to connect or to answer.
TIMEOUT_S: Final = 5.0
_PLACE: Final = 2
_FORMS: Final = (
    "a host is a URL like 'redis://localhost:6379/0', a pair like ('localhost', 6379), or a dict with 'address', with "
    "'host' and 'port', or with 'sentinels' and 'master_name'"
)


class RedisHost:
    """One Redis, or one master that sentinels know; the label is its name in messages, without a password."""

    def __init__(self, target: RedisTarget, options: dict[str, Any], label: str) -> None:
        self._target = target
        # The scripts read the answers of protocol 2. The layer tries again by itself.
        self._options = {key: value for key, value in options.items() if key != "retry"} | {"protocol": 2}
        self.label = label
        self.errors = require(f"{target.package}.exceptions", "redis")

    def client(self, waits_s: float = 0.0) -> Any:
        """Return a client, which connects when it is used; its blocking commands let Redis wait *waits_s* seconds."""
        return new_client(self._target, self._options, timeout_s=TIMEOUT_S, is_async=True, waits_s=waits_s)

    def publisher(self) -> RedisPublisher:
        """Return a publisher for one event loop; it also sends the commands of callers that were cancelled."""
        to_error = partial(bus_error, f"Redis at {self.label} did not answer")
        return RedisPublisher(self.client(), to_error=to_error, sends_cancelled=True)


async def open_publishers(hosts: list[RedisHost]) -> list[RedisPublisher]:
    """Return a publisher for each host on the running loop; it connects when it is used."""
    return [host.publisher() for host in hosts]


async def close_publishers(publishers: list[RedisPublisher]) -> None:
    """Close the connections of one event loop."""
    for publisher in publishers:
        await publisher.close()


def read_hosts(hosts: Sequence[Host] | None) -> list[RedisHost]:
    """Read the option ``hosts``; raise SetupError if it is empty, or a host has none of the known forms."""
    if hosts is None:
        return [read_host(DEFAULT_URL)]
    if isinstance(hosts, str | bytes) or not hasattr(hosts, "__iter__") or hasattr(hosts, "keys"):
        raise SetupError(f"hosts is a list: hosts=['redis://localhost:6379']; got {type(hosts).__name__}")
    found = [read_host(host) for host in hosts]
    if not found:
        raise SetupError(f"hosts is empty; {_FORMS}")
    return found


def read_host(host: Host) -> RedisHost:
    """Read one host."""
    if isinstance(host, str):
        return RedisHost(redis_target(host), {}, place_of(host))
    if isinstance(host, tuple | list):
        url = _url(host)
        return RedisHost(redis_target(url), {}, place_of(url))
    if not hasattr(host, "keys"):
        raise SetupError(f"{_FORMS}; got {type(host).__name__}")
    options = dict(host)
    if "sentinels" in options:
        return _behind_sentinels(options)
    if "address" in options:
        address = options.pop("address")
        url = address if isinstance(address, str) else _url(address)
    elif "path" in options:
        url = f"unix://{options.pop('path')}"
    elif "host" in options:
        url = _url((options.pop("host"), options.pop("port", 6379)))
    else:
        raise SetupError(f"{_FORMS}; got a dict with {sorted(options)}")
    return RedisHost(redis_target(url), options, place_of(url))


def _behind_sentinels(options: dict[str, Any]) -> RedisHost:
    sentinels, service = options.pop("sentinels"), options.pop("master_name", None)
    if not isinstance(service, str) or not service:
        raise SetupError("a host with 'sentinels' has a 'master_name' too: the name under which they know the master")
    places = ",".join(_url(place).removeprefix("redis://").removesuffix("/0") for place in sentinels)
    url = f"redis+sentinel://{places}/{options.pop('db', 0)}/{quote(service, safe='')}"
    return RedisHost(redis_target(url), options, f"{service} ({places})")


def _url(place: Any) -> str:
    if not isinstance(place, tuple | list) or len(place) != _PLACE or not isinstance(place[0], str):
        raise SetupError(f"{_FORMS}; got {place!r:.80}")
    name, port = place
    if isinstance(port, bool) or not str(port).isdecimal():
        raise SetupError(f"a port is a number, not {port!r}")
    return f"redis://[{name}]:{port}/0" if ":" in name else f"redis://{name}:{port}/0"


def quoted(prefix: object) -> str:
    """Return a prefix with the delimiter of keys escaped; raise SetupError if it is not a string, or empty."""
    if not isinstance(prefix, str) or not prefix:
        raise SetupError(f"prefix is what the keys of the layer begin with, like 'chat'; got {prefix!r}")
    return prefix.replace("%", "%25").replace(":", "%3A")

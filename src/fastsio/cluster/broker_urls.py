"""
Reading the URLs of message brokers, without connecting to anything.

Errors name the scheme and what is expected, never the whole URL: there may be a password in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from fastsio._extras import optional
from fastsio.exceptions import MissingExtraError, SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence

KAFKA_PORT: Final = 9092
_ZMQ_URL: Final = re.compile(r"zmq\+(?P<host>tcp://(?:\[[^\]/]+\]|[^:/+\[\]]+)):(?P<push>\d+)\+(?P<subscribe>\d+)")


def place_of(url: str) -> str:
    """Return the address in the URL of a broker, without user and password."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path


def require_scheme(url: object, schemes: Sequence[str], example: str) -> str:
    """
    Return *url* if it names a host under one of *schemes*; *example* is a valid URL, for the error.

    Raises:
        SetupError: It is not a string, has another scheme, or its port is not a number.
    """
    if not isinstance(url, str):
        raise SetupError(f"a broker's URL is a string like {example!r}, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        _ = parts.port  # read for its error
    except ValueError as error:
        raise SetupError(f"the broker's URL has no valid host and port ({error}); write it like {example!r}") from error
    if parts.scheme not in schemes or not url.startswith(f"{parts.scheme}://"):
        raise SetupError(f"a broker's URL begins with {' or '.join(schemes)}://, like {example!r}; got {_start(url)!r}")
    return url


def kafka_servers(url: str | Sequence[str]) -> list[str]:
    """
    Return the ``host:port`` pairs of one URL ``kafka://host:port``, or of several for the brokers of one cluster.

    Raises:
        SetupError: A URL does not have this form, or the list is empty.
    """
    urls = [url] if isinstance(url, str) else list(url)
    if not urls:
        raise SetupError("the list of Kafka URLs is empty; give at least one like 'kafka://localhost:9092'")
    return [_kafka_server(each) for each in urls]


def _kafka_server(url: object) -> str:
    place = require_scheme(url, ("kafka",), "kafka://localhost:9092").removeprefix("kafka://").rstrip("/")
    host, port = urlsplit(f"//{place}").hostname or "localhost", urlsplit(f"//{place}").port or KAFKA_PORT
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def zmq_addresses(url: object) -> tuple[str, str]:
    """
    Return where to push messages, and where to subscribe, for ``zmq+tcp://host:push_port+subscribe_port``.

    Raise SetupError if the URL does not have this form.
    """
    match = _ZMQ_URL.fullmatch(url) if isinstance(url, str) else None
    if match is None:
        raise SetupError(
            "a ZeroMQ URL names a host and two ports, the one to push to and the one to subscribe to, "
            "like 'zmq+tcp://localhost:5555+5556'"
        )
    return f"{match['host']}:{match['push']}", f"{match['host']}:{match['subscribe']}"


def _start(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    return scheme + separator if separator else "no scheme"


SENTINEL_PORT: Final = 26379
_PLAIN: Final = ("redis", "rediss", "valkey", "valkeys", "unix")
_SENTINEL: Final = ("redis+sentinel", "valkey+sentinel")


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """
    The address of a Redis or Valkey, and the package to connect with.

    Args:
        url: The argument of ``from_url()`` of :attr:`package`; empty with sentinels.
        package: ``redis`` or ``valkey``: the one that is installed, or that the URL names if both are.
        sentinels: Host and port of each sentinel.
        service: The name of the master at the sentinels.
        credentials: User, password and database of the master.
    """

    url: str
    package: str
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    credentials: tuple[tuple[str, Any], ...] = ()


def redis_target(url: object) -> RedisTarget:
    """
    Read the URL of a client manager.

    Args:
        url: ``redis://``, ``rediss://``, ``valkey://`` or ``valkeys://`` with ``user:password@host:port/database``,
            ``unix://path``, or the form that :func:`parse_redis_sentinel_url` reads.

    Raises:
        SetupError: The URL has none of these forms.
        MissingExtraError: Neither of the packages is installed.
    """
    scheme = url.partition("://")[0] if isinstance(url, str) and "://" in url else None
    if not isinstance(url, str) or scheme not in (*_PLAIN, *_SENTINEL):
        known = ", ".join(f"{name}://" for name in (*_PLAIN, *_SENTINEL))
        raise SetupError(f"the URL of a Redis begins with one of {known}; got {scheme or 'none of them'!r}")
    package = _package(["valkey", "redis"] if scheme.startswith("valkey") else ["redis", "valkey"])
    if scheme in _PLAIN:
        # The package redis connects to Valkey, but does not know its schemes.
        return RedisTarget(url.replace("valkey", "redis", 1) if package == "redis" else url, package)
    sentinels, service, credentials = parse_redis_sentinel_url(url)
    if service is None:
        raise SetupError(f"the name of the master is missing; write it like '{scheme}://host:26379/0/mymaster'")
    return RedisTarget("", package, tuple(sentinels), service, tuple(credentials.items()))


def _package(names: list[str]) -> str:
    for name in names:
        if optional(name) is not None:
            return name
    raise MissingExtraError("redis", "redis")


def may_be_cluster(target: RedisTarget) -> bool:
    """Whether a target may be a node of a Redis Cluster; one with sentinels or a unix socket counts as not."""
    return not target.sentinels and not target.url.startswith("unix://")


def require_cluster(target: RedisTarget) -> None:
    """
    Make sure that a target may be a node of a Redis Cluster.

    Raises:
        SetupError: It has sentinels or a unix socket, or names a database, of which a cluster has only the first.
    """
    if not may_be_cluster(target):
        raise SetupError("with cluster=True the URL is the URL of a node of a Redis Cluster, like 'redis://host:6379'")
    if urlsplit(target.url).path.strip("/") not in ("", "0"):
        raise SetupError("a Redis Cluster has database 0 only; leave the database out of the URL")


def at_master(target: RedisTarget, address: tuple[str, int]) -> RedisTarget:
    """
    Return the target of another node of the same cluster, with the same credentials.

    An empty host in its address is that of *target*.
    """
    parts = urlsplit(target.url)
    userinfo, separator, _ = parts.netloc.rpartition("@")
    name = address[0] or parts.hostname or "localhost"
    host = f"[{name}]" if ":" in name else name
    return replace(target, url=parts._replace(netloc=f"{userinfo}{separator}{host}:{address[1]}").geturl())


def parse_redis_sentinel_url(url: str) -> tuple[list[tuple[str, int]], str | None, dict[str, Any]]:
    """
    Read the URL of Redis Sentinels.

    Args:
        url: ``redis+sentinel://user:password@host1:port1,host2:port2/database/service``; ``valkey+sentinel`` as well.
            A host without a port has 26379.

    Returns:
        Host and port of each sentinel, the name of the service or None, and a dict with those of ``username``,
        ``password`` and ``db`` that the URL has.

    Raises:
        ValueError: The URL does not have this form.
    """
    try:
        parts = urlsplit(url)
        userinfo, _, hosts = parts.netloc.rpartition("@")
        sentinels = [_host_and_port(host) for host in hosts.split(",")]
    except ValueError as error:
        raise SetupError(f"Invalid Redis Sentinel URL: {error}") from None
    if parts.scheme not in _SENTINEL:
        raise SetupError("Invalid Redis Sentinel URL")
    username, _, password = userinfo.partition(":")
    first, _, second = parts.path.strip("/").partition("/")
    options: dict[str, Any] = {}
    if username:
        options["username"] = unquote(username)
    if password:
        options["password"] = unquote(password)
    if first.isdecimal():
        options["db"] = int(first)
    service = second if first.isdecimal() else first
    return sentinels, unquote(service) or None, options


def _host_and_port(place: str) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or SENTINEL_PORT

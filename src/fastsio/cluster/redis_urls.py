"""
What the URLs of Redis and Valkey mean, read without connecting to anything, and which package understands them.

Errors name the scheme and what is expected, never the whole URL: it may hold a password.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from fastsio._extras import optional
from fastsio.exceptions import MissingExtraError, SetupError

SENTINEL_PORT: Final = 26379
_PLAIN: Final = ("redis", "rediss", "valkey", "valkeys", "unix")
_SENTINEL: Final = ("redis+sentinel", "valkey+sentinel")


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """
    Where a Redis or Valkey is.

    Args:
        url: For ``from_url()`` of :attr:`package`; empty with sentinels.
        package: ``redis`` or ``valkey``, whichever is installed; the one the URL names if both are.
        sentinels: Host and port of each sentinel.
        service: The name under which they know the master.
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
            ``unix://path``, or what :func:`parse_redis_sentinel_url` reads.

    Raises:
        SetupError: It is not such a URL.
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
    """Whether a target can be a node of a Redis Cluster; one behind sentinels or a unix socket is taken for none."""
    return not target.sentinels and not target.url.startswith("unix://")


def at_master(target: RedisTarget, address: tuple[str, int]) -> RedisTarget:
    """
    Return another node of the cluster that a target is a node of, reached with the same credentials.

    Args:
        target: The target.
        address: Host and port of the node; without a host it is on the target's.
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
        Host and port of each sentinel, the name of the service or None, and whichever of ``username``, ``password``
        and ``db`` there are.

    Raises:
        ValueError: It is not such a URL.
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

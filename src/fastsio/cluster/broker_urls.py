"""
What the URLs of message brokers mean, read without connecting to anything.

Errors name the scheme and what is expected, never the whole URL: it may hold a password.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence

KAFKA_PORT: Final = 9092
_ZMQ_URL: Final = re.compile(r"zmq\+(?P<host>tcp://(?:\[[^\]/]+\]|[^:/+\[\]]+)):(?P<push>\d+)\+(?P<subscribe>\d+)")


def require_scheme(url: object, schemes: Sequence[str], example: str) -> str:
    """
    Return *url* if it names a host under one of *schemes*.

    Args:
        url: What the application gave.
        schemes: Those that the broker's client understands.
        example: A URL as it should be, for the error.

    Raises:
        SetupError: It is no string, its scheme is another one, or its port is no number.
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
    Return the ``host:port`` pairs of one Kafka URL or of several.

    Args:
        url: ``kafka://host:port``; without a port 9092, without a host localhost. A list names brokers of one cluster.

    Raises:
        SetupError: A URL is not one of Kafka, or the list is empty.
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
    Return the two addresses of a ZeroMQ proxy: where to push messages, and where to subscribe.

    Args:
        url: ``zmq+tcp://host:push_port+subscribe_port``.

    Raises:
        SetupError: It is not written like that.
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

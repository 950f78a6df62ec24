"""
The environ of a request: WSGI's keys, with what the frameworks' drivers have in common.

Addresses and scheme are those that the driver found; no header is believed.

Source: PEP 3333, "environ Variables".
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fastsio.engine.header_cache import MAX_SHARED_BYTES, USUAL_QUERIES, SharedHeaders

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Host and port; a server on a UNIX socket has no port, and its clients have neither.
Address: TypeAlias = "tuple[str, int | None]"
Header: TypeAlias = "tuple[bytes, ...]"
NOWHERE: Final = ("", None)
#: The names of longer headers are not remembered.
MAX_NAME_BYTES: Final = 64
#: Some frameworks give a request for a WebSocket one of these schemes; WSGI has ``http`` and ``https`` only.
SCHEMES: Final = {"ws": "http", "wss": "https"}
#: The texts of the queries that many clients send.
USUAL_TEXTS: Final = frozenset(USUAL_QUERIES.values())
#: The items that every environ has.
SAME: Final = {
    "wsgi.version": (1, 0),
    "wsgi.async": True,
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "SCRIPT_NAME": "",
}
#: The key of the session's id in the environ of a request for a session.
SID_KEY: Final = "engineio.sid"
#: The headers that the engine reads of requests for sessions.
SESSION_HEADERS: Final = frozenset(
    {
        b"accept-encoding",
        b"access-control-request-headers",
        b"content-length",
        b"content-type",
        b"host",
        b"origin",
        b"user-agent",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    }
)


def make_environ(
    *,
    software: str,
    method: str,
    path: str,
    query: str,
    http_version: str,
    scheme: str,
    client: Address,
    server: Address,
    headers: Iterable[tuple[bytes, bytes]],
) -> dict[str, Any]:
    """
    Build the environ, without the body and what the driver keeps for itself.

    Args:
        software: The framework.
        method: That of a WebSocket handshake is GET.
        path: Decoded, with the prefix of a mount.
        query: Without the question mark, as it was sent.
        http_version: ``"1.1"``.
        scheme: ``http``, ``https``, ``ws`` or ``wss``.
        client: The address of the client.
        server: The address at which the request arrived.
        headers: As they were sent. Repeated ones are joined by a comma, and those with an underscore in their name are
            left out.
    """
    # The environ stays for as long as the client is connected: equal texts are shared.
    environ = {
        "wsgi.errors": sys.stderr,
        **SAME,
        "wsgi.url_scheme": SCHEMES.get(scheme, scheme),
        "SERVER_SOFTWARE": software,
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": _uri_of(path, query),
        "SERVER_PROTOCOL": _protocol_of(http_version),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1] or 0),
        "SERVER_NAME": server[0],
        "SERVER_PORT": _port_of(server[1]),
    }
    add_headers(environ, headers)
    return environ


def query_of(query: bytes) -> str:
    """Return the text of a query as it was sent."""
    return USUAL_QUERIES.get(query) or query.decode("latin-1")


def _uri_of(path: str, query: str) -> str:
    if len(path) <= MAX_SHARED_BYTES and query in USUAL_TEXTS:
        return _shared_uri(path, query)
    return f"{path}?{query}" if query else path


@lru_cache(maxsize=64)
def _shared_uri(path: str, query: str) -> str:
    return f"{path}?{query}"


@lru_cache(maxsize=16)
def _protocol_of(http_version: str) -> str:
    return f"HTTP/{http_version}"


@lru_cache(maxsize=64)
def _port_of(port: int | None) -> str:
    return str(port or 0)


def make_session_environ(
    sid: str, *, method: str, http_version: str, scheme: str, headers: Iterable[tuple[bytes, bytes]]
) -> dict[str, Any]:
    """
    Build what the engine itself reads of the environ of a request for a session, whose id is under ``SID_KEY``.

    The arguments are as above; headers that the engine does not read are left out.
    """
    environ: dict[str, Any] = {
        SID_KEY: sid,
        "wsgi.url_scheme": SCHEMES.get(scheme, scheme),
        "REQUEST_METHOD": method,
        "SERVER_PROTOCOL": f"HTTP/{http_version}",
    }
    add_headers(environ, [header for header in headers if header[0] in SESSION_HEADERS])
    return environ


def address_of(name: Any) -> Address:
    """Return host and port of what a socket's ``getpeername()`` or ``getsockname()`` gave."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else NOWHERE


class Items(SharedHeaders[Header, "tuple[str, str] | None"]):
    """
    Reads headers as items of an environ, and remembers those that many clients send alike.

    Looking up a header gives None if its name or value is no text, or if its name is that of another in an environ.
    Environs last as long as their clients are connected, and share what is remembered.
    """

    def __missing__(self, header: Header) -> tuple[str, str] | None:
        """Read a header that is not remembered."""
        raw_name, raw_value = header
        key = _short_key(raw_name) if len(raw_name) <= MAX_NAME_BYTES else _key_of(raw_name)
        if key is None:
            return None
        try:
            value = raw_value.decode()
        except UnicodeDecodeError:
            return None
        item = key, value
        self.remember(header, item, raw_name.lower(), len(raw_value))
        return item


ITEMS: Final = Items()


def add_headers(environ: dict[str, Any], headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Add headers, name and value as they were sent, to an environ."""
    # A server may give a header as a list.
    items = [*map(ITEMS.__getitem__, map(tuple, headers))]
    plain = dict(filter(None, items))
    if len(plain) == len(items):
        environ.update(plain)
        return
    for item in items:
        if item is None:
            continue
        key, value = item
        if key in environ and key.startswith("HTTP_"):
            # HTTP/2 sends each cookie in a header of its own (RFC 9113, section 8.2.3).
            environ[key] = f"{environ[key]}; {value}" if key == "HTTP_COOKIE" else f"{environ[key]},{value}"
        else:
            environ[key] = value


def _key_of(raw_name: bytes) -> str | None:
    """
    Return the environ's name for a header; None when it has none.

    ``X_Remote_User`` and ``X-Remote-User`` have the same key: the first would pass for the second, which a proxy sets
    and removes from requests. So names with an underscore have none, as in nginx, Werkzeug and Gunicorn.
    """
    if b"_" in raw_name or not raw_name.isascii():
        return None
    name = raw_name.decode("ascii").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


#: Clients send the same few names, and share the text.
_short_key: Final = lru_cache(maxsize=256)(_key_of)

"""
The environ of a request: WSGI's keys, with what the frameworks' drivers have in common.

Takes addresses and scheme as the driver found them; believes no header.

Source: PEP 3333, "environ Variables".
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Host and port; a server on a UNIX socket has no port, and its clients have neither.
Address: TypeAlias = "tuple[str, int | None]"
NOWHERE: Final = ("", None)
#: Some frameworks say so when a request asks for a WebSocket; WSGI knows the two others only.
SCHEMES: Final = {"ws": "http", "wss": "https"}
#: Headers whose values many clients have in common, and that no client needs to make long.
SHARED_HEADERS: Final = frozenset(
    {
        "HTTP_ACCEPT",
        "HTTP_ACCEPT_ENCODING",
        "HTTP_ACCEPT_LANGUAGE",
        "HTTP_CACHE_CONTROL",
        "HTTP_CONNECTION",
        "HTTP_HOST",
        "HTTP_ORIGIN",
        "HTTP_PRAGMA",
        "HTTP_SEC_WEBSOCKET_EXTENSIONS",
        "HTTP_SEC_WEBSOCKET_VERSION",
        "HTTP_UPGRADE",
        "HTTP_USER_AGENT",
    }
)
#: A longer value is not kept for others: a server's memory is not the place for what one client sent.
MAX_SHARED_BYTES: Final = 256


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
        method: GET, POST or OPTIONS; that of a WebSocket handshake is GET.
        path: Decoded, with the prefix of a mount.
        query: Without the question mark, as it was sent.
        http_version: ``"1.1"``.
        scheme: ``http``, ``https``, ``ws`` or ``wss``.
        client: Who asks.
        server: Where the request arrived.
        headers: Name and value, as they were sent. Repeated ones are joined by a comma.
    """
    environ = {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.async": True,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.url_scheme": SCHEMES.get(scheme, scheme),
        "SERVER_SOFTWARE": software,
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": f"{path}?{query}" if query else path,
        "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": f"HTTP/{http_version}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1] or 0),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
    }
    _add_headers(environ, headers)
    return environ


def address_of(name: Any) -> Address:
    """Return host and port of what a socket's ``getpeername()`` or ``getsockname()`` gave."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else NOWHERE


def _add_headers(environ: dict[str, Any], headers: Iterable[tuple[bytes, bytes]]) -> None:
    for raw_name, raw_value in headers:
        key = _environ_key(raw_name)
        try:
            value = (
                _shared_text(raw_value)
                if key in SHARED_HEADERS and len(raw_value) <= MAX_SHARED_BYTES
                else raw_value.decode()
            )
        except UnicodeDecodeError:
            continue
        if key is not None:
            environ[key] = f"{environ[key]},{value}" if key in environ and key.startswith("HTTP_") else value


@lru_cache(maxsize=1024)
def _shared_text(raw_value: bytes) -> str:
    """Decode what many clients send alike: their environs, which last as long as they are connected, share it."""
    return raw_value.decode()


@lru_cache(maxsize=256)
def _environ_key(raw_name: bytes) -> str | None:
    """Return the environ's name for a header; clients send the same few, and share the text."""
    try:
        name = raw_name.decode().upper().replace("-", "_")
    except UnicodeDecodeError:
        return None
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"

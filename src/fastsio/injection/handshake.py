"""
The handshake of a connection: its ASGI scope, headers, cookies and query, parsed once and kept with the connection.

This module reads an environ and nothing else, and never awaits a body.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote

if TYPE_CHECKING:
    from collections.abc import Iterator


_SECURE: Final = {"ws": "http", "wss": "https"}
#: An escaped character in a quoted value of a cookie: its octal number, or the character itself.
_ESCAPE: Final = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")


class Place(Enum):
    """The part of the handshake that a value is in."""

    HEADER = "header"
    COOKIE = "cookie"
    QUERY = "query"


class Handshake:
    """
    A parsed environ. Each part is parsed when it is first asked for.

    ``asgi.scope`` in the environ is preferred to its WSGI keys, because it keeps repeated headers apart.
    """

    __slots__ = ("_connections", "_environ", "_scope", "_values")

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ
        self._scope: dict[str, Any] | None = None
        self._values: dict[Place, dict[str, list[str]]] = {}
        self._connections: dict[type, Any] = {}

    @property
    def scope(self) -> dict[str, Any]:
        """The ASGI scope of the handshake, as that of an HTTP request."""
        if self._scope is None:
            self._scope = scope_of(self._environ)
        return self._scope

    def values(self, place: Place) -> dict[str, list[str]]:
        """Return all values found in *place*, by name; header names are in lower case."""
        found = self._values.get(place)
        if found is None:
            found = self._values[place] = _collect(_PARSERS[place](self.scope))
        return found

    def connection(self, factory: type) -> Any:
        """Return Starlette's ``HTTPConnection`` or ``Request`` of this handshake, the same one every time."""
        made = self._connections.get(factory)
        if made is None:
            made = self._connections[factory] = factory(self.scope)
        return made


def scope_of(environ: dict[str, Any]) -> dict[str, Any]:
    """
    Return the ASGI scope of a handshake, as an HTTP request's.

    A websocket's scope is rewritten to that of the GET request it began as; without ``asgi.scope`` the scope is made
    from the environ's WSGI keys. Headers with an underscore in their name are left out.

    Source: ASGI HTTP & WebSocket specification, "HTTP Connection Scope".
    """
    given = environ.get("asgi.scope")
    if not given:
        return _from_wsgi(environ)
    scope = dict(given)
    scope["type"] = "http"
    scope.setdefault("method", "GET")
    scope["scheme"] = _SECURE.get(scope.get("scheme", "http"), scope.get("scheme", "http"))
    # Where names are written with underscores, X_Token could pass for X-Token; no environ has it, for the same reason.
    scope["headers"] = [header for header in scope.get("headers", ()) if b"_" not in header[0]]
    scope.setdefault("query_string", b"")
    return scope


def _from_wsgi(environ: dict[str, Any]) -> dict[str, Any]:
    path = environ.get("PATH_INFO", "/")
    root_path = environ.get("SCRIPT_NAME", "")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        "method": environ.get("REQUEST_METHOD", "GET"),
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": root_path + path,
        "raw_path": quote(root_path + path).encode("ascii"),
        "root_path": root_path,
        "query_string": environ.get("QUERY_STRING", "").encode("utf-8"),
        "headers": list(_wsgi_headers(environ)),
        "client": _address(environ, "REMOTE_ADDR", "REMOTE_PORT"),
        "server": _address(environ, "SERVER_NAME", "SERVER_PORT"),
    }


def _wsgi_headers(environ: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    for key, value in environ.items():
        if key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            name = key
        elif key.startswith("HTTP_"):
            name = key.removeprefix("HTTP_")
        else:
            continue
        if value:
            yield name.replace("_", "-").lower().encode("latin-1"), _raw(str(value))


def _raw(value: str) -> bytes:
    """Return the bytes of a WSGI string; some servers decode headers as UTF-8 rather than as latin-1."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")


def _address(environ: dict[str, Any], host: str, port: str) -> tuple[str, int] | None:
    name, number = environ.get(host), str(environ.get(port) or 0)
    return (name, int(number) if number.isdigit() else 0) if name else None


def _headers(scope: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in scope["headers"]:
        yield name.decode("latin-1").lower(), value.decode("latin-1")


def _cookies(scope: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for header, line in _headers(scope):
        if header != "cookie":
            continue
        for chunk in line.split(";"):
            # As browsers do, a cookie without "=" has no name.
            name, _, value = chunk.partition("=") if "=" in chunk else ("", "", chunk)
            if name.strip() or value.strip():
                yield name.strip(), _unquote(value.strip())


def _unquote(value: str) -> str:
    """Return the value of a cookie without its quotes, as Starlette reads what Python's ``http.cookies`` writes."""
    if len(value) < len('""') or value[0] != '"' or value[-1] != '"':
        return value
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)) if found[1] else found[2], value[1:-1])


def _query(scope: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


_PARSERS: Final = {Place.HEADER: _headers, Place.COOKIE: _cookies, Place.QUERY: _query}


def _collect(pairs: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values

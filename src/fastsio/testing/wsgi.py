"""A WSGI application, called by hand."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from wsgiref.util import setup_testing_defaults

if TYPE_CHECKING:
    from collections.abc import Iterable


def request(
    app: Any, method: str, path: str, query: str, headers: Iterable[tuple[str, str]], body: bytes = b""
) -> tuple[int, bytes]:
    """
    Make one request of an application.

    Args:
        app: A WSGI application.
        method: HTTP method.
        path: Where.
        query: Query string.
        headers: Pairs of name and value.
        body: Of the request.

    Returns:
        The status and the body of the response.
    """
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote(path),
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "text/plain;charset=UTF-8",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.multithread": True,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers if "_" not in name},
    }
    setup_testing_defaults(environ)
    started: list[str] = []

    def start_response(status: str, _headers: list[tuple[str, str]], _error: Any = None) -> Any:
        started.append(status)

    answered = app(environ, start_response)
    try:
        content = b"".join(answered)
    finally:
        if hasattr(answered, "close"):
            answered.close()
    return int(started[-1].split()[0]), content

"""
The ASGI driver: scope to environ, bounded bodies, responses, WebSocket handshakes.

Takes the peer's address from the server that accepted the connection and from no header: a server behind a proxy is
told which proxies to trust (uvicorn: ``--forwarded-allow-ips``) and corrects the scope itself.

Source: ASGI specification, "HTTP & WebSocket ASGI Message Format".
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.engine.links import Link, Receive, Send

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SCHEMES: Final = {"ws": "http", "wss": "https"}


class Body:
    """
    The body of a request, read when asked for and never past a bound.

    Args:
        receive: The application's ``receive``.
    """

    __slots__ = ("_more", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    async def read(self, length: int) -> bytes:
        """
        Read up to *length* bytes; what the client sends beyond is dropped.

        Raises:
            OSError: The client left before the body was complete.
        """
        parts: list[bytes] = []
        missing = length
        while self._more and missing > 0:
            event = await self._receive()
            if event["type"] != "http.request":
                raise OSError("the client left while it sent the body")
            parts.append(event.get("body", b"")[:missing])
            missing -= len(parts[-1])
            self._more = event.get("more_body", False)
        return b"".join(parts)


async def translate_request(scope: dict[str, Any], receive: Receive, send: Send) -> dict[str, Any]:
    """Build the environ; empty when the client left before its handshake was read, or the scope is neither kind."""
    if scope["type"] == "websocket":
        if (await receive())["type"] != "websocket.connect":
            return {}
    elif scope["type"] != "http":
        return {}
    environ = _environ(scope)
    environ["wsgi.input"] = Body(receive)
    environ["asgi.receive"] = receive
    environ["asgi.send"] = send
    _add_headers(environ, scope["headers"])
    if scope["type"] == "websocket":
        # HTTP/2 has no Upgrade header (RFC 8441); the scope's type says the same.
        environ["HTTP_UPGRADE"] = "websocket"
    return environ


def _environ(scope: dict[str, Any]) -> dict[str, Any]:
    query = scope.get("query_string", b"").decode("latin-1")
    client = scope.get("client") or ("", 0)
    server = scope.get("server") or ("", None)
    scheme = scope.get("scheme", "http")
    return {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.async": True,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.url_scheme": SCHEMES.get(scheme, scheme),
        "SERVER_SOFTWARE": "asgi",
        "REQUEST_METHOD": scope.get("method", "GET"),
        "PATH_INFO": scope["path"],
        "QUERY_STRING": query,
        "RAW_URI": f"{scope['path']}?{query}" if query else scope["path"],
        "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "asgi.scope": scope,
    }


def _add_headers(environ: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
    for raw_name, raw_value in headers:
        key = _environ_key(raw_name)
        try:
            value = raw_value.decode()
        except UnicodeDecodeError:
            continue
        if key is not None:
            environ[key] = f"{environ[key]},{value}" if key in environ and key.startswith("HTTP_") else value


@lru_cache(maxsize=256)
def _environ_key(raw_name: bytes) -> str | None:
    """Return the environ's name for a header; clients send the same few, and share the text."""
    try:
        name = raw_name.decode().upper().replace("-", "_")
    except UnicodeDecodeError:
        return None
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


async def make_response(status: str, headers: list[tuple[str, str]], payload: bytes, environ: dict[str, Any]) -> None:
    """Send a response, as a refusal of the handshake when the request is a WebSocket's."""
    send: Send = environ["asgi.send"]
    scope = environ["asgi.scope"]
    kind = "http.response"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        kind = "websocket.http.response"
    raw_headers = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
    raw_headers.append((b"content-length", str(len(payload)).encode("ascii")))
    await send({"type": f"{kind}.start", "status": int(status.split(" ", 1)[0]), "headers": raw_headers})
    await send({"type": f"{kind}.body", "body": payload})


class WebSocket:
    """
    Accept a WebSocket and run it.

    Args:
        handler: What to do with the accepted link.
        server: Not used.
    """

    def __init__(self, handler: Callable[[Link], Awaitable[None]], server: Any) -> None:  # noqa: ARG002 - engineio's drivers take it
        self._handler = handler

    async def __call__(self, environ: dict[str, Any]) -> str:
        """Return once the WebSocket is over; there is nothing left to respond."""
        send: Send = environ["asgi.send"]
        await send({"type": "websocket.accept"})
        await self._handler(Link(environ["asgi.receive"], send))
        return ""


DRIVER: Final[dict[str, Any]] = {
    "asyncio": True,
    "translate_request": translate_request,
    "make_response": make_response,
    "websocket": WebSocket,
}

"""
The ASGI driver: scope to environ, bounded bodies, responses, WebSocket handshakes.

It takes the peer's address from the server that accepted the connection and from no header: a server behind a proxy is
told which proxies to trust (uvicorn: ``--forwarded-allow-ips``) and corrects the scope itself.

Source: ASGI specification, "HTTP & WebSocket ASGI Message Format".
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fastsio.aio.engine.frameworks.environ import NOWHERE, make_environ, make_session_environ, query_of
from fastsio.aio.engine.links import DIRECT, Link, direct_link
from fastsio.engine.request import SESSION_METHODS, sid_of_query
from fastsio.engine.websocket_handshake import choose_subprotocol
from fastsio.state.environs import LooseEnviron, Origin

if TYPE_CHECKING:
    from fastsio.aio.engine.links import AnyLink, Receive, Send


class Body:
    """The body of a request, read from the application's ``receive`` when asked for, and never past a bound."""

    __slots__ = ("_more", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    async def read(self, length: int) -> bytes:
        """Read up to *length* bytes, and drop what is beyond; raise OSError if the client left before the end."""
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


class NoBody:
    """The body of a WebSocket's handshake."""

    __slots__ = ()

    async def read(self, length: int) -> bytes:  # noqa: ARG002 - a body's signature
        """Read nothing."""
        return b""


NO_BODY: Final = NoBody()
#: Shown by default, and read by those who set the options.
UVICORN_LOGGER: Final = logging.getLogger("uvicorn.error")


async def translate_request(scope: dict[str, Any], receive: Receive, send: Send) -> dict[str, Any]:
    """Build the environ; empty if the client left before its handshake, or the scope is neither HTTP nor WebSocket."""
    if scope["type"] == "websocket":
        if (await receive())["type"] != "websocket.connect":
            return {}
    elif scope["type"] != "http":
        return {}
    return new_environ(scope, receive, send)


def new_environ(scope: dict[str, Any], receive: Receive, send: Send) -> dict[str, Any]:
    """Build the environ of a request that was read."""
    return LooseEnviron(AsgiOrigin(scope, receive, send))


async def receive_nothing() -> dict[str, Any]:
    """Return what ASGI has for a request that is over: the ``receive`` of one that was never the application's."""
    return {"type": "http.disconnect"}


async def send_nothing(event: Any) -> None:
    """Refuse an event, as for a request that is over."""
    raise RuntimeError(f"Unexpected ASGI message '{event['type']}' sent, after response already completed.")


class AsgiOrigin(Origin):
    """A request, from which its environ is made."""

    __slots__ = ("_receive", "_scope", "_send")

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        super().__init__()
        self._scope = scope
        self._receive = receive
        self._send = send

    def make(self) -> dict[str, Any]:
        """Build the environ."""
        scope = self._scope
        environ = make_environ(
            software="asgi",
            method=scope.get("method", "GET"),
            path=scope["path"],
            query=query_of(scope.get("query_string", b"")),
            http_version=scope.get("http_version", "1.1"),
            scheme=scope.get("scheme", "http"),
            client=scope.get("client") or NOWHERE,
            server=scope.get("server") or NOWHERE,
            headers=scope["headers"],
        )
        environ["asgi.scope"] = scope
        environ["asgi.receive"] = self._receive
        environ["asgi.send"] = self._send
        if scope["type"] == "websocket":
            environ["wsgi.input"] = NO_BODY
            # HTTP/2 has neither header (RFC 8441); the scope's type says the same.
            environ["HTTP_UPGRADE"] = "websocket"
            environ["HTTP_CONNECTION"] = "Upgrade"
        else:
            # The server has not upgraded the connection, whatever the client asks for.
            environ.pop("HTTP_UPGRADE", None)
            environ["wsgi.input"] = Body(self._receive)
        return environ


def translate_session_request(scope: dict[str, Any], receive: Receive, send: Send) -> dict[str, Any] | None:
    """Build the short environ of a request of long-polling for a session; None if the request is another one."""
    sid = sid_of_query(scope.get("query_string", b"")) if scope["type"] == "http" else None
    if sid is None or scope["method"] not in SESSION_METHODS:
        return None
    environ = make_session_environ(
        sid,
        method=scope["method"],
        http_version=scope.get("http_version", "1.1"),
        scheme=scope.get("scheme", "http"),
        headers=scope["headers"],
    )
    environ["asgi.scope"] = scope
    environ["asgi.receive"] = receive
    environ["asgi.send"] = send
    if scope["method"] == "POST":
        environ["wsgi.input"] = Body(receive)
    return environ


async def make_response(status: str, headers: list[tuple[str, str]], payload: bytes, environ: dict[str, Any]) -> None:
    """Send a response, as a refusal of the handshake when the request is a WebSocket's."""
    send: Send = environ["asgi.send"]
    scope = environ["asgi.scope"]
    start, body = "http.response.start", "http.response.body"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        start, body = "websocket.http.response.start", "websocket.http.response.body"
    raw_headers = [*_raw_headers(tuple(headers)), (b"content-length", b"%d" % len(payload))]
    await send({"type": start, "status": int(status[:3]), "headers": raw_headers})
    await send({"type": body, "body": payload})


@lru_cache(maxsize=64)
def _raw_headers(headers: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them. Most responses have one of a few lists."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]


async def wait_disconnected(environ: dict[str, Any]) -> None:
    """Wait until the client has given the request up."""
    receive: Receive = environ["asgi.receive"]
    while (await receive())["type"] != "http.disconnect":
        pass


def warn_of_limits(environ: dict[str, Any], max_message_bytes: int) -> None:
    """
    Warn of options of uvicorn's that let one small message take much memory.

    Behind some middlewares uvicorn cannot be seen, and nothing is said.
    """
    config = getattr(getattr(environ["asgi.receive"], "__self__", None), "config", None)
    size = getattr(config, "ws_max_size", None)
    if size is None or DIRECT in (environ["asgi.scope"].get("extensions") or {}):
        return
    if size > max_message_bytes:
        UVICORN_LOGGER.warning(
            "uvicorn takes WebSocket messages of up to %d bytes, compressed ones too, before max_http_buffer_size=%d "
            "is looked at: a small frame may take much memory. Serve with 'fastsio run', or with 'uvicorn "
            "--ws-max-size %d --ws-per-message-deflate false'",
            size,
            max_message_bytes,
            max_message_bytes,
        )


async def accept(environ: dict[str, Any]) -> AnyLink:
    """Accept a WebSocket."""
    send: Send = environ["asgi.send"]
    direct = direct_link(environ["asgi.scope"])
    event = {"type": "websocket.accept"}
    offered = environ["asgi.scope"].get("subprotocols")
    # Nearly no client offers any.
    subprotocol = choose_subprotocol(offered) if offered else None
    if subprotocol is not None:
        event["subprotocol"] = subprotocol
    await send(event)
    return direct or Link(environ["asgi.receive"], send)


DRIVER: Final[dict[str, Any]] = {
    "translate_request": translate_request,
    "translate_session_request": translate_session_request,
    "make_response": make_response,
    "wait_disconnected": wait_disconnected,
    "accept": accept,
    "warn_of_limits": warn_of_limits,
}

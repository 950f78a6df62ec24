"""
The object that the connections of one uvicorn server share: options, the engine of each path, heads of responses.

Source: ASGI specification, "HTTP Connection Scope".
"""

from __future__ import annotations

import logging
from contextvars import Context, copy_context
from copy import copy
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from uvicorn.protocols.utils import get_client_addr, get_path_with_query_string

from fastsio._extras import optional
from fastsio.aio.engine.server import EngineServer
from fastsio.aio.server import AsyncServer
from fastsio.base.server import engine_of
from fastsio.integrations.fast.app_lookup import find_application, is_plain_application, skip_proxy_headers
from fastsio.integrations.fast.plain_request import Blocks
from fastsio.integrations.fast.websocket import flusher_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Iterable

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from fastsio.integrations.asgi import ASGIApp
    from fastsio.integrations.fast.plain_request import Fields, PlainRequest

    Header = tuple[bytes, bytes]

logger = logging.getLogger("uvicorn.error")
access_logger = logging.getLogger("uvicorn.access")
#: uvicorn's protocol whose responses :func:`compose` equals byte for byte; None when httptools is not installed.
HTTPTOOLS: Final = getattr(optional("uvicorn.protocols.http.httptools_impl"), "HttpToolsProtocol", None)
#: The version of the HTTP part of ASGI that uvicorn speaks.
SPEC_VERSION: Final = "2.3"
#: How many paths are remembered with their engines: a client cannot fill the memory.
MAX_PATHS: Final = 64


class Route(NamedTuple):
    """
    The engine and application that serve the plain requests with the same headers.

    Attributes:
        key: The path of the requests, and the address of the proxy if they have headers of a proxy.
        engine: The engine; None if other code than fastsio's may handle the requests.
        app: The application of the engine, if uvicorn calls it without an application around it; otherwise None.
    """

    key: tuple[bytes, str | None]
    engine: EngineServer | None
    app: ASGIApp | None


class Site:
    """
    A server of uvicorn.

    *app_state* is filled by the application's lifespan, *standard* is the class of uvicorn's HTTP protocol.

    Attributes:
        blocks: The parsed headers of plain requests.
        entry: The application that uvicorn calls with a request, with uvicorn's own middleware.
        keep_alive_s: Seconds for which a connection without a request is kept.
        logs_access: Whether each response is logged.
        reads_polls: Whether requests of long-polling are read without uvicorn's HTTP protocol.
    """

    def __init__(
        self,
        config: Config,
        state: ServerState,
        app_state: dict[str, Any],
        standard: Any,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.config = config
        self.state = state
        self.app_state = app_state
        self.standard = standard
        self.loop = loop
        self.flusher = flusher_of(loop)
        self.blocks = Blocks()
        self.keep_alive_s = config.timeout_keep_alive
        self.logs_access = access_logger.hasHandlers()
        uses_httptools = HTTPTOOLS is not None and isinstance(standard, type) and issubclass(standard, HTTPTOOLS)
        self.reads_polls = uses_httptools and config.limit_concurrency is None
        self.entry: Any = config.loaded_app
        self._inner = skip_proxy_headers(self.entry)
        self._scheme = "https" if config.is_ssl else "http"
        #: Makes a context for a request, so that requests do not see each other's context variables.
        self.new_context = Context if getattr(config, "reset_contextvars", False) else copy_context
        #: Path -> the result of :meth:`engine_alone`.
        self._engines_alone: dict[bytes, EngineServer | None] = {}
        self._defaults: list[Header] | None = None
        self._default_lines = b""

    # The engine of a request.

    def route_of(self, request: PlainRequest, client: tuple[str, int] | None) -> Route | None:
        """
        Return the engine and application that serve a request; its headers keep the route.

        *client*, where the request comes from, is needed only if it has headers of a proxy.

        Returns:
            None if uvicorn's middleware for proxies fails on the request.
        """
        path, fields = request.path, request.fields
        key = path, client and client[0] if fields.is_forwarded else None
        known: Route | None = fields.route
        if known is not None and known.key == key:
            return known
        scope = self.make_scope(request, client)
        if fields.is_forwarded and not _apply_proxy_headers(self.entry, scope):
            return None
        fields.environ["wsgi.url_scheme"] = scope["scheme"]
        fields.client = scope["client"] if fields.is_forwarded else None
        app = find_application(self._inner, scope)
        is_alone = app is self._inner and not fields.is_forwarded
        route = fields.route = Route(key, _polling_engine(app), app if is_alone else None)
        return route

    def engine_alone(self, path: bytes) -> EngineServer | None:
        """Return the engine of the WebSockets of a path, if uvicorn calls its application directly; otherwise None."""
        if path not in self._engines_alone:
            app, scope = self._inner, {"path": self.path_of(path), "root_path": self.config.root_path}
            is_alone = is_plain_application(app) and app.is_socketio(scope)
            if len(self._engines_alone) >= MAX_PATHS:
                self._engines_alone.clear()
            self._engines_alone[path] = own_engine(app) if is_alone else None
        return self._engines_alone[path]

    def make_scope(self, request: PlainRequest, client: tuple[str, int] | None) -> dict[str, Any]:
        """Build the ASGI scope of a request as uvicorn does, but without the address of the server."""
        root_path = self.config.root_path
        return {
            "type": "http",
            "asgi": {"version": self.config.asgi_version, "spec_version": SPEC_VERSION},
            "http_version": "1.1",
            "server": None,
            "client": client,
            "scheme": self._scheme,
            "root_path": root_path,
            "headers": request.fields.headers.copy(),
            "state": self.app_state.copy(),
            "method": request.method.decode("ascii"),
            "path": self.path_of(request.path),
            "raw_path": root_path.encode("ascii") + request.path,
            "query_string": request.query,
        }

    def path_of(self, path: bytes) -> str:
        """Return the path of an ASGI scope: the sent path without its escapes, after the root path."""
        return self.config.root_path + unquote(path.decode("ascii"))

    def entry_for(self, fields: Fields) -> Any:
        """Return the application to call with a request."""
        return self.entry if fields.is_forwarded else self._inner

    # Tasks.

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a task that uvicorn waits for when it stops."""
        task = self.loop.create_task(coroutine, context=self.new_context())
        tasks = self.state.tasks
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # Responses.

    def default_lines(self) -> bytes:
        """Return the header lines of every response, such as ``date``, which uvicorn makes anew every second."""
        defaults = self.state.default_headers
        if defaults is not self._defaults:
            self._defaults = defaults
            self._default_lines = _lines(defaults)
        return self._default_lines

    def log_fields(self, request: PlainRequest, client: tuple[str, int] | None) -> dict[str, Any] | None:
        """Return the parts of a request that the access log shows; None if that log is off."""
        if not self.logs_access:
            return None
        return {
            "client": request.fields.client or client,
            "method": request.method.decode("ascii"),
            "path": self.path_of(request.path),
            "query_string": request.query,
            "http_version": "1.1",
        }

    def log(self, scope: Any, status: int) -> None:
        """Write the line of the access log for a response."""
        access_logger.info(
            '%s - "%s %s HTTP/%s" %d',
            get_client_addr(scope),
            scope["method"],
            get_path_with_query_string(scope),
            scope["http_version"],
            status,
        )


def compose(status: int, defaults: bytes, headers: list[Header], body: bytes, *, closes: bool) -> tuple[bytes, bool]:
    """
    Build a response as uvicorn does; *defaults* are the header lines of every response.

    Returns:
        The bytes of the response, and whether the connection must be closed after it: as *closes*, or because of
        *headers*.
    """
    names = {name.lower() for name, _ in headers}
    says_close = any(name.lower() == b"connection" and b"close" in _options(value) for name, value in headers)
    end = b"connection: close\r\n" if closes and not says_close else b""
    if b"content-length" not in names:
        end += b"transfer-encoding: chunked\r\n"
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    return b"".join((status_line(status), defaults, _lines(headers), end, b"\r\n", body)), closes or says_close


def _options(value: bytes) -> list[bytes]:
    return [option.lower().strip() for option in value.split(b",")]


def _lines(headers: Iterable[Header]) -> bytes:
    return b"".join([b"%b: %b\r\n" % (name.lower(), value) for name, value in headers])


@lru_cache(maxsize=64)
def status_line(status: int) -> bytes:
    """Return the first line of a response."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


@lru_cache(maxsize=256)
def engine_head(status: str, headers: tuple[tuple[str, str], ...]) -> tuple[int, bytes, bytes]:
    """Return the fixed parts of a response of the engine: the status code, the first line, and the header lines."""
    code = int(status[:3])
    lines = _lines([(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers])
    return code, status_line(code), lines + b"content-length: "


def own_engine(app: ASGIApp) -> EngineServer | None:
    """Return the engine of an application; None if the server or engine has another ``handle_request()``."""
    server = app.engineio_server
    engine = engine_of(server)
    is_own = (
        isinstance(engine, EngineServer)
        and _is_own(engine, EngineServer)
        and (server is engine or (isinstance(server, AsyncServer) and _is_own(server, AsyncServer)))
    )
    return engine if is_own else None


def _polling_engine(app: ASGIApp | None) -> EngineServer | None:
    """Return the engine that serves long-polling for an application, as :func:`own_engine`; otherwise None."""
    engine = None if app is None else own_engine(app)
    return engine if engine is not None and "polling" in engine.transports else None


def _is_own(server: Any, kind: type[Any]) -> bool:
    return type(server).handle_request is kind.handle_request and "handle_request" not in vars(server)


def _apply_proxy_headers(proxy: Any, scope: dict[str, Any]) -> bool:
    """Let uvicorn's middleware for proxies change a scope, without calling the application; False if it fails."""
    if proxy is skip_proxy_headers(proxy):
        return True

    async def end(*_: Any) -> None:
        """Stand for the application."""

    middleware = copy(proxy)
    middleware.app = end
    call = middleware(scope, None, None)
    try:
        call.send(None)
    except StopIteration:
        return True
    except Exception as error:  # noqa: BLE001 - the real call fails in the same way, and uvicorn answers
        logger.debug("The client that a proxy names cannot be told beforehand: %r", error)
    call.close()
    return False

"""
The ASGI application: Socket.IO at its path, static files and another application elsewhere.

Passes each request to the server, to a static file or to the other application.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.server import BaseServer, reopen, require_server, use_mode
from fastsio.exceptions import SetupError
from fastsio.integrations.engineio_apps import ASGIApp as EngineASGIApp
from fastsio.integrations.signals import SignalChain
from fastsio.integrations.static import StaticFile, StaticFiles, serve_file

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    # The same types as in Starlette, so that type checkers accept the application in a Mount.
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


#: How many middlewares may be around the other application for it to be found.
_MAX_WRAPPERS: Final = 64
#: Logged with the error of the shutdown; the ASGI server gets the reason for the refusal.
UNDOING_FAILED: Final = "the start was refused, and what had started failed to shut down"


class ASGIApp(EngineASGIApp):
    """
    Serve a Socket.IO server, static files and another application as one ASGI application.

    It may stand alone, wrap another application, or be mounted in one; the path is found with and without the
    mount's or proxy's prefix.

    Args:
        socketio_server: The :class:`AsyncServer`.
        other_asgi_app: Gets every request that is neither Socket.IO nor a static file, and the lifespan events
            unless one of the hooks below is given. An application of FastAPI is ``request.app`` in handlers too, and
            its ``dependency_overrides`` count for events.
        static_files: URL -> file name, directory or ``{"filename": ..., "content_type": ...}``.
        socketio_path: The path of Socket.IO. ``""`` or None serves it at every path, for applications mounted at the
            path of Socket.IO itself.
        on_startup: Function or coroutine function to call when the server starts. A task that a function returns is
            not waited for.
        on_shutdown: Function or coroutine function to call when it stops, after the Socket.IO server was shut down.
        handle_signals: Whether SIGTERM and SIGINT end the connections of the Socket.IO server before the web server
            takes them. Without this uvicorn waits for clients that poll, until their heartbeat ends them.

    Raises:
        SetupError: The server is not for asyncio, was made for another framework, or is used with one already.
    """

    def __init__(
        self,
        socketio_server: Any,
        other_asgi_app: Any = None,
        static_files: dict[str, Any] | None = None,
        socketio_path: str | None = "socket.io",
        on_startup: Callable[[], Any] | None = None,
        on_shutdown: Callable[[], Any] | None = None,
        *,
        handle_signals: bool = True,
    ) -> None:
        require_server(socketio_server, "ASGIApp", asynchronous=True)
        use_mode(socketio_server, "asgi")
        self.engineio_server = socketio_server
        self.other_asgi_app = other_asgi_app
        self.engineio_path = None if socketio_path is None else f"/{socketio_path.strip('/')}/".replace("//", "/")
        self.static_files = static_files or {}
        self.on_startup = on_startup
        self.on_shutdown = on_shutdown
        # An Engine.IO server by itself has no handlers to check, and is neither shut down nor told of signals.
        self._is_socketio = isinstance(socketio_server, BaseServer)
        self._signals = SignalChain(socketio_server) if handle_signals and self._is_socketio else None
        self._host = _starlette_in(other_asgi_app)
        self._has_begun = False
        #: uvicorn's class for WebSockets; None under other web servers.
        self._websocket_class: Any = None
        self._static = StaticFiles(self.static_files)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if not self._has_begun:
            self._has_begun = True
            self._websocket_class = _begin(receive)
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
        elif scope["type"] in ("http", "websocket") and self.is_socketio(scope):
            self.prepare(scope)
            await self.engineio_server.handle_request(scope, receive, send)
        else:
            await self._serve_other(scope, receive, send)

    def prepare(self, scope: Scope) -> None:
        """
        Do what comes before a request for Socket.IO is served.

        The application beside or around this one becomes ``request.app``, and its ``dependency_overrides`` count.
        """
        if self._signals is not None and not self._signals.is_installed:  # it gets no lifespan events
            self._signals.install()
        host = self._host
        if host is not None and "app" not in scope:
            scope["app"], scope["router"] = host, host.router
        app = scope.get("app")
        if app is not None and hasattr(app, "dependency_overrides"):
            self.engineio_server.host_app = app

    def is_socketio(self, scope: Scope) -> bool:
        """Tell whether a request is for Socket.IO."""
        path = self.engineio_path
        if path is None or f"{scope['path']}/".startswith(path):
            return True
        return any(f"{candidate}/".startswith(path) for candidate in _paths(scope))

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._static.find(_paths(scope)[-1]) if scope["type"] == "http" else None
        if found is not None:
            await serve_file(found, send, with_body=scope["method"] != "HEAD")
        elif self.other_asgi_app is not None:
            await self.other_asgi_app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self.not_found(receive, send)

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Serve the lifespan of the application: with the hooks, or without hooks by the other application.

        After the start the handlers are checked. If the check fails, the application that has started is shut down,
        and the ASGI server is told that the start has failed. At the end the Socket.IO server shuts down first: its
        disconnect handlers may still use what the application has.
        """
        if self._is_socketio:
            reopen(self.engineio_server)
        if self.other_asgi_app is not None and self.on_startup is None and self.on_shutdown is None:
            await self._serve_inner_lifespan(scope, receive, send)
            return
        for phase, hook in (("startup", self.on_startup), ("shutdown", self.on_shutdown)):
            await receive()
            if phase == "shutdown":
                await self._shut_down()
            try:
                await _call(hook)
                if phase == "startup":
                    await self._check_started()
            except Exception as exc:  # noqa: BLE001 - the server is told, as the ASGI specification asks
                await send(_failed(phase, exc))
                return
            await send({"type": f"lifespan.{phase}.complete"})

    async def _check_started(self) -> None:
        """Check the handlers after the startup hook, and call the shutdown hook if they are not ready."""
        try:
            self._check_handlers()
        except SetupError:
            try:
                await _call(self.on_shutdown)
            except Exception:
                self.engineio_server.logger.exception(UNDOING_FAILED)
            raise

    async def _serve_inner_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = _InnerLifespan(self._check_handlers, self._shut_down, receive, send)
        try:
            await self.other_asgi_app(scope, inner.receive, inner.send)
        except Exception:
            if inner.refusal is None:
                raise
            self.engineio_server.logger.exception(UNDOING_FAILED)
        else:
            if inner.shutdown_failure is not None:
                self.engineio_server.logger.error("%s: %s", UNDOING_FAILED, inner.shutdown_failure)
        if inner.refusal is not None:
            await send(_failed("startup", inner.refusal))

    async def _shut_down(self) -> None:
        server, signals = self.engineio_server, self._signals
        if not self._is_socketio:
            return
        is_urgent = False
        if signals is not None:
            signals.remove()
            is_urgent = signals.is_urgent
        try:
            await server.shutdown(timeout=0 if is_urgent else None)
        except Exception:  # the application is to shut down all the same
            server.logger.exception("The server could not be shut down")

    def _check_handlers(self) -> None:
        if self._is_socketio:
            self.engineio_server.check_handlers()
            prepare = getattr(self.engineio_server.manager, "prepare", None)
            if prepare is not None:  # managers of other packages do not have it
                prepare()
        if self._signals is not None:
            self._signals.install()
        get_ready = getattr(self._websocket_class, "get_ready", None)
        if get_ready is not None:
            get_ready()

    async def serve_static_file(self, static_file: dict[str, str], receive: Receive, send: Send) -> None:  # noqa: ARG002 - python-socketio's signature
        """Answer with the file of a ``{"filename": ..., "content_type": ...}``."""
        await serve_file(StaticFile(Path(static_file["filename"]), static_file["content_type"]), send)

    async def not_found(self, receive: Receive, send: Send) -> None:  # noqa: ARG002 - python-socketio's signature
        """Answer 404."""
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"Not Found"})


class _InnerLifespan:
    """
    ``receive`` and ``send`` for the lifespan of the other application, with a check after the startup.

    When the check fails, the application that has started gets the event to shut down. Its answers after that are not
    passed on to the ASGI server. Before the application gets an event to shut down, *shut_down* is called.

    Attributes:
        refusal: The SetupError that the check raised, or None.
        shutdown_failure: The application's message if its shutdown after a refusal has failed, or None.
    """

    def __init__(
        self, check: Callable[[], None], shut_down: Callable[[], Awaitable[None]], receive: Receive, send: Send
    ) -> None:
        self.refusal: SetupError | None = None
        self.shutdown_failure: str | None = None
        self._check = check
        self._shut_down = shut_down
        self._receive = receive
        self._send = send

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the next event for the application."""
        if self.refusal is not None:
            return {"type": "lifespan.shutdown"}
        event = await self._receive()
        if event["type"] == "lifespan.shutdown":
            await self._shut_down()
        return event

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Pass on a message of the application, unless the start was refused."""
        if self.refusal is not None:
            if message["type"] == "lifespan.shutdown.failed":
                self.shutdown_failure = message.get("message", "")
            return
        if message["type"] == "lifespan.startup.complete":
            try:
                self._check()
            except SetupError as error:
                self.refusal = error
                return
        await self._send(message)


def _begin(receive: Any) -> Any:
    """Tell the class that serves uvicorn's WebSockets that this application is served; return the class, or None."""
    owner = getattr(receive, "__self__", None)  # of the lifespan, or of the first request
    transport = getattr(owner, "transport", None)
    config = getattr(owner if transport is None else transport.get_protocol(), "config", None)
    websocket_class = getattr(config, "ws_protocol_class", None)
    begin = getattr(websocket_class, "begin", None)
    if begin is not None:
        begin(config)
    return websocket_class


def _failed(phase: str, error: Exception) -> dict[str, str]:
    """Build the message that a phase of the lifespan has failed."""
    return {"type": f"lifespan.{phase}.failed", "message": f"{type(error).__name__}: {error}"}


def _paths(scope: Scope) -> tuple[str, ...]:
    """
    Return the request's path, and the path without the prefix it is mounted under.

    Starlette since 0.33 leaves the mount's prefix in ``path`` and repeats it in ``root_path`` after a proxy's, which
    ``app_root_path`` has alone; whether that one is in ``path`` too depends on the proxy and the server.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    for prefix in (root, root.removeprefix(scope.get("app_root_path", "").rstrip("/"))):
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            return path, path[len(prefix) :] or "/"
    return (path,)


def _starlette_in(app: Any) -> Any:
    """Return *app*, or the application inside its middlewares, if that is of Starlette or FastAPI; otherwise None."""
    for _ in range(_MAX_WRAPPERS):
        if hasattr(app, "router") and hasattr(app, "url_path_for"):
            return app
        app = getattr(app, "app", None)
    return None


async def _call(hook: Callable[[], Any] | None) -> None:
    if hook is not None:
        result = hook()
        # A task that a function has started and returned is not awaited.
        if inspect.iscoroutine(result):
            await result

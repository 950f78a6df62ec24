"""
The WSGI application: Socket.IO at its path, static files and another application elsewhere.

Passes each request to the server, to a static file or to the other application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.base.server import require_server
from fastsio.integrations.engineio_apps import WSGIApp as EngineWSGIApp
from fastsio.integrations.static import StaticFile, StaticFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Environ = dict[str, Any]
    StartResponse = Callable[..., Any]


class WSGIApp(EngineWSGIApp):
    """
    Serve a Socket.IO server, static files and another application as one WSGI application.

    It may stand alone, wrap another application, or be mounted in one; the path is found with and without the
    mount's or proxy's prefix.

    Args:
        socketio_app: The :class:`Server`.
        wsgi_app: Gets every request that is neither Socket.IO nor a static file.
        static_files: URL -> file name, directory or ``{"filename": ..., "content_type": ...}``.
        socketio_path: The path of Socket.IO. ``""`` serves it at every path, for applications mounted at the path
            of Socket.IO itself.

    Raises:
        SetupError: The server is not for threads.
    """

    def __init__(
        self,
        socketio_app: Any,
        wsgi_app: Any = None,
        static_files: dict[str, Any] | None = None,
        socketio_path: str = "socket.io",
    ) -> None:
        require_server(socketio_app, "WSGIApp", asynchronous=False)
        self.engineio_app = socketio_app
        self.wsgi_app = wsgi_app
        self.engineio_path = f"/{socketio_path.strip('/')}/".replace("//", "/")
        self.static_files = static_files or {}
        self._static = StaticFiles(self.static_files)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        path = environ.get("PATH_INFO", "")
        if any(f"{candidate}/".startswith(self.engineio_path) for candidate in (path, _full_path(environ, path))):
            answer: Iterable[bytes] = self.engineio_app.handle_request(environ, start_response)
            return answer
        found = self._static.find(path.encode("latin-1", "replace").decode(errors="replace"))
        if found is not None:
            return _serve_file(found, start_response, with_body=environ["REQUEST_METHOD"] != "HEAD")
        if self.wsgi_app is not None:
            other: Iterable[bytes] = self.wsgi_app(environ, start_response)
            return other
        return self.not_found(start_response)

    def not_found(self, start_response: StartResponse) -> Iterable[bytes]:
        """Answer 404."""
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"Not Found"]


class Middleware(WSGIApp):
    """The old name of :class:`WSGIApp`, without static files."""

    def __init__(self, socketio_app: Any, wsgi_app: Any = None, socketio_path: str = "socket.io") -> None:
        super().__init__(socketio_app, wsgi_app, socketio_path=socketio_path)


def _full_path(environ: Environ, path: str) -> str:
    """Return the path with the prefix the application is mounted under, which may be that of Socket.IO itself."""
    prefix: str = environ.get("SCRIPT_NAME", "")
    return prefix.rstrip("/") + path


def _serve_file(found: StaticFile, start_response: StartResponse, *, with_body: bool) -> Iterable[bytes]:
    body = found.path.read_bytes()
    start_response("200 OK", [("Content-Type", found.content_type), ("Content-Length", str(len(body)))])
    return [body] if with_body else []

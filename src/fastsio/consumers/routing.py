"""A small router for WebSocket routes, for applications without a framework and for mounting in one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastsio.consumers.types import ASGIApplication, Receive, Scope, Send

_PARAMETER: Final = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-z]+))?}")
#: Name of a converter, as in Starlette -> the pattern of its text, and the function that converts the text.
_CONVERTERS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "str": ("[^/]+", str),
    "path": (".*", str),
    "int": ("[0-9]{1,600}", int),  # Python may refuse more digits
    "float": (r"[0-9]+(?:\.[0-9]+)?", float),
}


@dataclass(frozen=True, slots=True)
class WebsocketRoute:
    """A path, and the application that serves it."""

    path: str
    application: ASGIApplication
    name: str | None
    pattern: re.Pattern[str]
    converters: dict[str, Callable[[str], Any]]

    def match(self, path: str) -> dict[str, Any] | None:
        """Return the parameters in *path*, or None if the route does not match."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        return {name: self.converters[name](text) for name, text in found.groupdict().items()}


class WebsocketRouter:
    """
    Serves WebSocket routes: ``app.mount("/ws", router)``, or on its own.

    Args:
        other_app: The application for all other requests; without one, HTTP requests get 404 and other sockets are
            refused.
    """

    def __init__(self, other_app: ASGIApplication | None = None) -> None:
        self._other_app = other_app
        self.routes: list[WebsocketRoute] = []

    def add_websocket_route(self, path: str, route: ASGIApplication, name: str | None = None) -> None:
        """
        Serve a path; the first route that matches serves it.

        Args:
            path: ``/room/{room_name}``; the values of names in braces are in ``scope["path_params"]``.
                ``{number:int}`` and ``{number:float}`` match numbers, ``{rest:path}`` matches the rest of the path.
            route: ``SomeConsumer.as_asgi()``, or another ASGI application.
            name: A name for the route.

        Raises:
            SetupError: The path does not begin with a slash, or *route* is not an ASGI application.
        """
        if not path.startswith("/"):
            raise SetupError(f"the path of a route begins with a slash: {'/' + path!r}, not {path!r}")
        if isinstance(route, type) or not callable(route):
            raise SetupError(f"{route!r} is no ASGI application; write {getattr(route, '__name__', 'C')}.as_asgi()")
        pattern, converters = _compile(path)
        self.routes.append(WebsocketRoute(path, route, name, pattern, converters))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection to its end."""
        kind = scope["type"]
        if kind == "websocket":
            path = _path_in(scope)
            for route in self.routes:
                parameters = route.match(path)
                if parameters is not None:
                    await route.application(_with_parameters(scope, parameters), receive, send)
                    return
        if self._other_app is not None:
            await self._other_app(scope, receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        elif kind == "lifespan":
            await _live(receive, send)
        else:
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Not Found"})


def _compile(path: str) -> tuple[re.Pattern[str], dict[str, Callable[[str], Any]]]:
    converters: dict[str, Callable[[str], Any]] = {}
    pattern, end = "", 0
    for found in _PARAMETER.finditer(path):
        name, kind = found.group(1), found.group(2) or "str"
        if kind not in _CONVERTERS:
            raise SetupError(f"route {path!r}: {kind!r} is not one of {', '.join(_CONVERTERS)}")
        if name in converters:
            raise SetupError(f"route {path!r}: the parameter {name!r} stands in it twice")
        expression, converters[name] = _CONVERTERS[kind]
        pattern += f"{re.escape(path[end : found.start()])}(?P<{name}>{expression})"
        end = found.end()
    rest = path[end:]
    if "{" in rest or "}" in rest:
        raise SetupError(f"route {path!r}: a parameter is written {{name}} or {{name:int}}")
    return re.compile(pattern + re.escape(rest), re.DOTALL), converters


def _path_in(scope: Scope) -> str:
    """Return the path below the mount point; ``root_path`` is in it (ASGI HTTP & WebSocket specification)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and (path == root or path.startswith(root + "/")):
        return path[len(root) :] or "/"
    return path


def _with_parameters(scope: Scope, parameters: dict[str, Any]) -> dict[str, Any]:
    return {**scope, "path_params": {**scope.get("path_params", {}), **parameters}}


async def _live(receive: Receive, send: Send) -> None:
    """Answer the events of the lifespan, for which nothing has to be done."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return

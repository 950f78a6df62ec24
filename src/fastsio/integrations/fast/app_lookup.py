"""
Functions that find the ``ASGIApp`` which will serve a request, inside of routers and middlewares, without calling them.

The search goes only through classes that are known not to change the messages of a WebSocket. If it meets any other
class it finds nothing; then uvicorn's own protocol serves the request, and all middlewares see its messages. A class
is recognised by the module that defines its ``__call__``, so that this module need not import it.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from fastsio.base.server import engine_of
from fastsio.integrations.asgi import ASGIApp

if TYPE_CHECKING:
    from collections.abc import Iterator

    Scope = dict[str, Any]

logger = logging.getLogger("uvicorn.error")
OWN: Final = f"{ASGIApp.__module__}.{ASGIApp.__qualname__}"
STARLETTE: Final = frozenset({"starlette.applications.Starlette", "fastapi.applications.FastAPI"})
ROUTERS: Final = frozenset({"starlette.routing.Router"})
#: A route that hands the request to another application.
MOUNTS: Final = frozenset({"starlette.routing.Mount.handle", "starlette.routing.Host.handle"})
PROXY_HEADERS: Final = "uvicorn.middleware.proxy_headers.ProxyHeadersMiddleware"
MIDDLEWARE: Final = frozenset(
    {
        PROXY_HEADERS,
        "fastapi._body_limit.AppBodyLimitMiddleware",
        "fastapi.middleware.asyncexitstack.AsyncExitStackMiddleware",
        "fastapi.telemetry._asgi.ExceptionTelemetryMiddleware",
        "starlette.middleware.authentication.AuthenticationMiddleware",
        "starlette.middleware.base.BaseHTTPMiddleware",
        "starlette.middleware.body_limit.RequestBodyLimitMiddleware",
        "starlette.middleware.cors.CORSMiddleware",
        "starlette.middleware.errors.ServerErrorMiddleware",
        "starlette.middleware.exceptions.ExceptionMiddleware",
        "starlette.middleware.gzip.GZipMiddleware",
        "starlette.middleware.httpsredirect.HTTPSRedirectMiddleware",
        "starlette.middleware.sessions.SessionMiddleware",
        "starlette.middleware.trustedhost.TrustedHostMiddleware",
    }
)

#: Middlewares that do not change HTTP requests and responses either, as long as nothing fails.
HTTP_MIDDLEWARE: Final = frozenset(
    {
        PROXY_HEADERS,
        "fastapi.middleware.asyncexitstack.AsyncExitStackMiddleware",
        "starlette.middleware.errors.ServerErrorMiddleware",
        "starlette.middleware.exceptions.ExceptionMiddleware",
    }
)


def skip_proxy_headers(app: Any) -> Any:
    """Return the application behind uvicorn's middleware for proxies' headers, or *app* if it is another."""
    return app.app if _class_of(type(app).__call__) == PROXY_HEADERS else app


def is_plain_application(app: Any) -> TypeGuard[ASGIApp]:
    """Return whether an application is fastsio's ``ASGIApp``, with a ``__call__`` that no subclass overrides."""
    return isinstance(app, ASGIApp) and _class_of(type(app).__call__) == OWN


def find_application(app: Any, scope: Scope) -> ASGIApp | None:
    """
    Find the Socket.IO application that a request will reach; the scope is not changed.

    Returns:
        None if another application will get the request, or other code may look at its messages before.
    """
    try:
        return _walk(app, scope)
    except Exception as error:  # noqa: BLE001 - routes of others may expect what only the real call puts into the scope
        logger.debug("Who serves a WebSocket cannot be told beforehand: %r", error)
        return None


def _walk(app: Any, scope: Scope) -> ASGIApp | None:
    transparent = HTTP_MIDDLEWARE if scope["type"] == "http" else MIDDLEWARE
    while app is not None:
        kind = _class_of(type(app).__call__)
        if isinstance(app, ASGIApp):
            if kind != OWN:
                return None
            if app.is_socketio(scope):
                return app
            app = app.other_asgi_app
        elif kind in transparent:
            app = app.app
        elif kind in STARLETTE:
            app, scope = _enter_starlette(app, scope)
        elif kind in ROUTERS:
            app, scope = _enter_router(app, scope)
        else:
            return None
    return None


def _enter_starlette(app: Any, scope: Scope) -> tuple[Any, Scope]:
    telemetry = getattr(app, "_native_telemetry", None)
    if telemetry is not None and telemetry.enabled():
        # FastAPI's telemetry wraps all middlewares, and may count messages.
        return None, scope
    root_path = getattr(app, "root_path", "")
    return app.middleware_stack, {**scope, "root_path": root_path} if root_path else scope


def _enter_router(router: Any, scope: Scope) -> tuple[Any, Scope]:
    if router.middleware_stack != router.app:  # a router may have middleware of its own
        return None, scope
    scope = dict(scope)  # a route of another package may change it
    for route in router.routes:
        match, child_scope = route.matches(scope)
        if match.name == "FULL":
            app = route.app if _function_name(type(route).handle) in MOUNTS else None
            return app, {**scope, **child_scope}
    return None, scope


@lru_cache(maxsize=256)
def _class_of(method: Any) -> str:
    """Return the dotted name of the class that defines a method ``__call__``."""
    return _function_name(method).removesuffix(".__call__")


def _function_name(function: Any) -> str:
    return f"{getattr(function, '__module__', '')}.{function.__qualname__}"


class OpenSize(int):
    """uvicorn's ``ws_max_size`` if it was not set, so that the limit of the application is used."""

    __slots__ = ()


def message_limit(app: Any) -> int | None:
    """Return the size of the largest message that a Socket.IO application in *app* accepts; None without one."""
    engines = [engine_of(found.engineio_server) for found in find_all(app)]
    return max([engine.max_http_buffer_size for engine in engines], default=None)


def find_all(app: Any) -> Iterator[ASGIApp]:
    """Find every Socket.IO application, also behind middlewares and routers."""
    waiting: list[Any] = [app]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, ASGIApp):
            yield one
        waiting += [getattr(one, name, None) for name in ("app", "other_asgi_app", "router")]
        waiting += list(getattr(one, "routes", None) or ())

"""
FastAPI's and Starlette's markers and classes, recognised without importing either.

An application that uses one of them has imported the library, so a look into ``sys.modules`` is enough. The markers are
translated into those of this package.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticUndefined

from fastsio.exceptions import SignatureError
from fastsio.injection.handshake import Place
from fastsio.injection.markers import REQUIRED, Dependency, HandshakeParameter

if TYPE_CHECKING:
    from collections.abc import Callable

#: Classes of ``fastapi.params`` that read the handshake.
_PLACES: Final = {"Header": Place.HEADER, "Cookie": Place.COOKIE, "Query": Place.QUERY}

#: Annotations that have a meaning in an HTTP route but not for an event: module, class, and what to write instead.
_UNSUPPORTED: Final = (
    ("starlette.websockets", "WebSocket", "ask for HTTPConnection to read the handshake, for the server to send"),
    ("starlette.responses", "Response", "an event has no HTTP response; return a value to acknowledge it"),
    ("starlette.background", "BackgroundTasks", "use server.start_background_task()"),
)


def translate(marker: object) -> Dependency | HandshakeParameter | None:
    """Return fastsio's marker for one of FastAPI's; None for one that has no equivalent, and for anything else."""
    params = sys.modules.get("fastapi.params")
    if params is None:
        return None
    if isinstance(marker, params.Depends):
        return _dependency(marker)
    for name, place in _PLACES.items():
        if isinstance(marker, getattr(params, name)):
            return _handshake(marker, place)
    return None


def is_unsupported(marker: object) -> bool:
    """Tell whether this is a marker of FastAPI (``Body``, ``Form``, ``File``, ``Path``) that events cannot have."""
    params = sys.modules.get("fastapi.params")
    return params is not None and isinstance(marker, (params.Body, params.Path))


def is_connection(annotation: type) -> bool:
    """Tell whether this is Starlette's ``HTTPConnection`` or ``Request``, or a subclass."""
    return _is_a(annotation, "starlette.requests", "HTTPConnection")


def is_security_scopes(annotation: object) -> bool:
    """Tell whether this is FastAPI's ``SecurityScopes``."""
    module = sys.modules.get("fastapi.security")
    return module is not None and annotation is module.SecurityScopes


def cure_of(annotation: type) -> str | None:
    """Return what to write instead of a class that has no meaning for an event; None for any other class."""
    for module, name, cure in _UNSUPPORTED:
        if _is_a(annotation, module, name):
            return cure
    return None


def _is_a(annotation: type, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and issubclass(annotation, getattr(loaded, name))


def in_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function that calls *function* in FastAPI's thread pool; a coroutine it returns is awaited."""
    run_in_threadpool = sys.modules["fastapi.concurrency"].run_in_threadpool

    async def call(*args: Any, **kwargs: Any) -> Any:
        result = await run_in_threadpool(function, *args, **kwargs)
        return await result if iscoroutine(result) else result

    return call


def managed_in_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that makes an asynchronous context manager of a generator run in FastAPI's thread pool."""
    in_threadpool = sys.modules["fastapi.concurrency"].contextmanager_in_threadpool
    manager_of = contextmanager(function)

    def make(*args: Any, **kwargs: Any) -> Any:
        return in_threadpool(manager_of(*args, **kwargs))

    return make


def _dependency(marker: Any) -> Dependency:
    is_brief = getattr(marker, "scope", None) == "function"
    return Dependency(
        marker.dependency,
        use_cache=marker.use_cache,
        scope="function" if is_brief else "event",
        scopes=tuple(getattr(marker, "scopes", None) or ()),
        inherits=not is_brief,
        in_thread=True,
        semaphore=_semaphore_of(marker),
    )


def _semaphore_of(marker: Any) -> Callable[[], Any] | None:
    """
    Return a function that returns the semaphore of ``max_concurrency``, the same one that FastAPI's routes wait for.

    Raise SignatureError if this version of FastAPI keeps it elsewhere: the limit must not be ignored.
    """
    if getattr(marker, "max_concurrency", None) is None:
        return None
    get_semaphore = getattr(getattr(marker, "_concurrency", None), "get_semaphore", None)
    if get_semaphore is None:
        raise SignatureError(
            f"{marker!r}: max_concurrency of this version of FastAPI is not known here; use a semaphore of your own"
        )
    return get_semaphore  # type: ignore[no-any-return] # as its use below shows


def _handshake(marker: Any, place: Place) -> HandshakeParameter:
    alias = marker.validation_alias if isinstance(marker.validation_alias, str) else marker.alias
    return HandshakeParameter(
        place,
        default=REQUIRED if marker.default is PydanticUndefined else marker.default,
        default_factory=marker.default_factory,
        alias=alias,
        convert_underscores=getattr(marker, "convert_underscores", False),
        constraints=marker,
    )

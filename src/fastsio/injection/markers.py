"""
The markers users write in signatures: ``Depends``, ``Header``, ``Cookie``, ``Query``; and dependencies by name.

They only describe what a parameter asks for; other modules of this folder find the value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias, get_args

import pydantic

from fastsio.exceptions import SetupError
from fastsio.injection.handshake import Place
from fastsio.types import HandlerMarker

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.fields import FieldInfo

    from fastsio.injection.context import Context

#: How long a dependency's value lives.
Lifetime: TypeAlias = Literal["function", "event", "connection"]

#: The default of a parameter that has none, as in FastAPI.
REQUIRED: Final[Any] = ...


@dataclass(frozen=True, slots=True)
class Dependency(HandlerMarker):
    """
    The marker that :func:`Depends` returns.

    Args:
        dependency: A callable, a registered name, or None for the class in the annotation.
        use_cache: Whether all uses within its lifetime share one value.
        scope: How long the value lives.
        scopes: Security scopes this use adds.
        inherits: Whether it lives as long as the connection if the dependency that asks for it does; FastAPI's markers
            do.
        in_thread: Whether a plain function is called in FastAPI's thread pool.
        semaphore: Returns the semaphore that bounds how many values exist at a time; None is any number.
    """

    dependency: Callable[..., Any] | str | None = None
    use_cache: bool = True
    scope: Lifetime = "event"
    scopes: tuple[str, ...] = ()
    inherits: bool = False
    in_thread: bool = False
    semaphore: Callable[[], Any] | None = None

    def instead(self) -> str:
        """Return the part of the refusal's message that names the marker and says what to write in a route."""
        name = getattr(self.dependency, "__qualname__", self.dependency)
        return f"Depends({name}) is the one of fastsio; write 'from fastapi import Depends'"


def Depends(  # noqa: N802 - FastAPI's name
    dependency: Callable[..., Any] | str | None = None,
    *,
    use_cache: bool = True,
    scope: Lifetime = "event",
) -> Any:
    """
    Ask for what a function, class or callable object returns.

    Works as a default (``user: User = Depends(get_user)``) and inside ``Annotated``. A dependency may be sync or
    async, and may itself have dependencies. It may ``yield`` once: the rest runs after the handler and its
    acknowledgement. If the handler fails, the rest runs before the client is answered, and may raise another exception
    to answer with.

    Args:
        dependency: The callable; a name given to :func:`register_dependency`; None for the annotated class.
        use_cache: Whether all uses within an event share one value; with False each use calls the dependency.
        scope: ``"event"``; ``"function"`` to close when the handler has returned, before its acknowledgement is sent;
            ``"connection"`` to resolve once per connection and close at disconnect.

    Returns:
        A marker; typed Any so that it may stand as the default of a parameter of any type.

    Raises:
        SetupError: The arguments contradict each other or are of the wrong kind.
    """
    if scope not in get_args(Lifetime):
        raise SetupError(f"Depends: scope must be 'event', 'function' or 'connection', not {scope!r}")
    if scope == "connection" and not use_cache:
        raise SetupError("Depends: scope='connection' shares one value, so it cannot have use_cache=False")
    if not (dependency is None or isinstance(dependency, str) or callable(dependency)):
        raise SetupError(f"Depends: expected a callable or a registered name, not {dependency!r}")
    return Dependency(dependency, use_cache, scope)


class EventMarker(HandlerMarker, ABC):
    """A marker whose value its subclass makes of the whole event; *word* is the marker's name in messages."""

    word: ClassVar[str]

    def instead(self) -> str:
        """Return the part of the refusal's message that names the marker and says what to write in a route."""
        return f"{self!r} of fastsio is made of an event; a request has none, leave it out"

    @abstractmethod
    def maker(self, *, asynchronous: bool) -> Callable[[Context], Any]:
        """Return the function that makes the value, a coroutine function if the server awaits, or raise SetupError."""


@dataclass(frozen=True, slots=True)
class HandshakeParameter(HandlerMarker):
    """
    A value of the client's handshake.

    Args:
        place: The part of the handshake that it is in.
        default: Its value when the client did not send it; :data:`REQUIRED` if the client must.
        default_factory: Makes the default, when it must not be shared.
        alias: Its name there; None for the parameter's.
        convert_underscores: For headers: whether ``user_agent`` is found as ``user-agent``.
        constraints: What pydantic checks beyond the type.
    """

    place: Place
    default: Any = REQUIRED
    default_factory: Callable[[], Any] | None = None
    alias: str | None = None
    convert_underscores: bool = False
    constraints: FieldInfo | None = None

    def instead(self) -> str:
        """Return the part of the refusal's message that names the marker and says what to write in a route."""
        name = self.place.value.title()
        return f"{name}() is the one of fastsio; write 'from fastapi import {name}'"


def Header(  # noqa: N802 - FastAPI's name and parameters
    default: Any = REQUIRED,
    *,
    alias: str | None = None,
    convert_underscores: bool = True,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
) -> Any:
    """
    Ask for a header of the client's handshake.

    Args:
        default: Its value when the client did not send it; without one it is required.
        alias: The header's name, when it is not the parameter's.
        convert_underscores: Whether ``user_agent`` is read as ``user-agent``.
        gt: The value is greater.
        ge: The value is greater or equal.
        lt: The value is less.
        le: The value is less or equal.
        min_length: The text has at least this length.
        max_length: The text has at most this length.
        pattern: A regular expression that the text matches.
    """
    constraints = _field(gt=gt, ge=ge, lt=lt, le=le, min_length=min_length, max_length=max_length, pattern=pattern)
    return HandshakeParameter(Place.HEADER, default, None, alias, convert_underscores, constraints)


def Cookie(  # noqa: N802 - as above
    default: Any = REQUIRED,
    *,
    alias: str | None = None,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
) -> Any:
    """
    Ask for a cookie of the client's handshake; the arguments are those of :func:`Header`.

    The names of cookies are case-sensitive, and are not changed: a name that is no Python name is given as *alias*.
    """
    constraints = _field(gt=gt, ge=ge, lt=lt, le=le, min_length=min_length, max_length=max_length, pattern=pattern)
    return HandshakeParameter(Place.COOKIE, default, None, alias, constraints=constraints)


def Query(  # noqa: N802 - as above
    default: Any = REQUIRED,
    *,
    alias: str | None = None,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
) -> Any:
    """Ask for a query parameter of the client's handshake; the arguments are those of :func:`Header`."""
    constraints = _field(gt=gt, ge=ge, lt=lt, le=le, min_length=min_length, max_length=max_length, pattern=pattern)
    return HandshakeParameter(Place.QUERY, default, None, alias, constraints=constraints)


def _field(**limits: Any) -> FieldInfo | None:
    given = {name: limit for name, limit in limits.items() if limit is not None}
    return pydantic.Field(**given) if given else None


class Registry:
    """Dependencies by name. :attr:`version` changes with every registration, so that plans can be made again."""

    def __init__(self) -> None:
        self._factories: dict[str, Callable[..., Any]] = {}
        self.version = 0

    def register(self, name: str, factory: Callable[..., Any]) -> None:
        """Give *factory* a name in place of the one before; raise SetupError if it cannot be called."""
        if not callable(factory):
            raise SetupError(f"register_dependency: {name!r} needs a callable, not {factory!r}")
        self._factories[name] = factory
        self.version += 1

    def find(self, name: str) -> Callable[..., Any] | None:
        """Return the callable of that name, if there is one."""
        return self._factories.get(name)

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._factories)


#: The names of this process.
REGISTRY: Final = Registry()


def register_dependency(name: str, factory: Callable[..., Any]) -> None:
    """
    Give a dependency a name, so that ``Depends("name")`` finds it without importing it.

    It may be registered after the handlers that use it. A second registration replaces the first.

    Args:
        name: The argument of ``Depends``.
        factory: The callable.

    Raises:
        SetupError: *factory* cannot be called.
    """
    REGISTRY.register(name, factory)

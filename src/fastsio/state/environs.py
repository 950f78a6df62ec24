"""
The environs of connections, which need not be in memory for as long as their clients are connected.

An environ is read while its client connects, and seldom after that, but the client may stay for very long. So where an
environ can be made again, as of an ASGI scope, the server then *loosens* it: it refers to it weakly, and the environ is
freed with the last reference of the application. If it is asked for later, an equal one is made, which stays. One that
the application has changed stays too, because what is made again would lack the change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What a server keeps of an environ: the environ itself, or once it is loosened, what it is made of.
Kept: TypeAlias = "dict[str, Any] | Origin"


class Origin(ABC):
    """What an environ is made of. Once the environ is loosened, this also finds it."""

    __slots__ = ("_environ",)

    def __init__(self) -> None:
        self._environ: ref[LooseEnviron] | dict[str, Any] | None = None

    @abstractmethod
    def make(self) -> dict[str, Any]:
        """Return the items of the environ, in a new dict."""

    def loosen(self, environ: LooseEnviron) -> None:
        """Refer weakly to the environ."""
        self._environ = ref(environ)

    def keep(self, environ: dict[str, Any]) -> None:
        """Keep the environ, which has been changed."""
        self._environ = environ

    @property
    def environ(self) -> dict[str, Any]:
        """The environ that was loosened; if it was freed, an equal one, which is kept."""
        environ = self._environ
        if isinstance(environ, ref):
            environ = environ()
        if environ is None:
            environ = self._environ = self.make()
        return environ


class LooseEnviron(dict[str, Any]):
    """An environ that may be loosened; *origin*, what it is made of, is None once it has been changed."""

    __slots__ = ("__weakref__", "origin")

    def __init__(self, origin: Origin) -> None:
        super().__init__(origin.make())
        self.origin: Origin | None = origin

    def __reduce__(self) -> tuple[Any, ...]:
        """Let copies be plain dicts."""
        return dict, (dict(self),)


def _noted(change: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that changes an environ, which then stays."""

    @wraps(change)
    def method(self: LooseEnviron, *args: Any, **kwargs: Any) -> Any:
        origin, self.origin = self.origin, None
        if origin is not None:
            origin.keep(self)
        return change(self, *args, **kwargs)

    return method


for _name in ("__delitem__", "__ior__", "__setitem__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(LooseEnviron, _name, _noted(getattr(dict, _name)))


def loosened(kept: Kept) -> Kept:
    """Return what to keep in place of an environ; the environ itself if it cannot be made again."""
    origin = kept.origin if isinstance(kept, LooseEnviron) else None
    if origin is None:
        return kept
    origin.loosen(kept)  # type: ignore[arg-type] # only a LooseEnviron has an origin
    return origin


def environ_of(kept: Kept) -> dict[str, Any]:
    """Return an environ, or one that is equal."""
    return kept.environ if isinstance(kept, Origin) else kept


class Environs(MutableMapping[str, dict[str, Any]]):
    """Engine.IO sid -> environ; ``environ`` of a server."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def loosen(self, eio_sid: str) -> None:
        """Loosen the environ of a connection, if there is one."""
        kept = self._kept.get(eio_sid)
        if kept is not None:
            self._kept[eio_sid] = loosened(kept)

    def forget(self, eio_sid: str) -> None:
        """Remove the environ of a connection, if there is one; ``pop()`` would make one that is not in memory."""
        self._kept.pop(eio_sid, None)

    def __getitem__(self, eio_sid: str) -> dict[str, Any]:
        return environ_of(self._kept[eio_sid])

    def __setitem__(self, eio_sid: str, environ: dict[str, Any]) -> None:
        self._kept[eio_sid] = environ

    def __delitem__(self, eio_sid: str) -> None:
        del self._kept[eio_sid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, eio_sid: object) -> bool:
        return eio_sid in self._kept

    def __repr__(self) -> str:
        return repr(self.copy())

    def copy(self) -> dict[str, dict[str, Any]]:
        """Return a dict with the same items."""
        return dict(self)

"""
The origins that a server accepts, and the response headers that tell browsers so.

It reads the option and the environ, and never waits. A function of the application may return an awaitable.

Source: Fetch standard, "CORS protocol"; the option's forms are python-engineio's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fastsio.engine.header_cache import MAX_SHARED_BYTES
from fastsio.exceptions import SetupError
from fastsio.injection.signature import Colour, colour_of, name_of, positional_range

if TYPE_CHECKING:
    from collections.abc import Callable

ANY: Final = "*"
METHODS: Final = "OPTIONS, GET, POST"
#: A function is called with the origin, and with the environ if it takes two arguments.
MOST_ARGUMENTS: Final = 2
#: Functions of these kinds return a generator, which is true whatever it yields.
NO_ANSWERS: Final = (Colour.GENERATOR, Colour.ASYNC_GENERATOR)


class Origins:
    """
    The origins that a server accepts: ``allowed``, the option ``cors_allowed_origins``.

    ``asks_application`` tells whether that is a function, which gets the environ of a request.

    Raises:
        SetupError: The function cannot be used: the server cannot await it, it takes other arguments, or it is a
            generator.
    """

    __slots__ = ("_check", "allowed", "asks_application")

    def __init__(self, allowed: Any, *, may_await: bool) -> None:
        self.allowed = allowed
        self.asks_application = callable(allowed)
        self._check = _origin_check(allowed, may_await=may_await) if callable(allowed) else self._contain

    @property
    def is_off(self) -> bool:
        """Whether the server neither checks origins nor sends headers, because other code does both."""
        allowed = self.allowed
        return isinstance(allowed, list) and not allowed

    def accepts(self, origin: str, environ: dict[str, Any]) -> Any:
        """Return whether an origin is accepted; something to await if the application's function returns that."""
        return self._check(origin, environ)

    def _contain(self, origin: str, environ: dict[str, Any]) -> bool:
        allowed = self.allowed
        if allowed is None:
            return origin in _own_origins(environ)
        if isinstance(allowed, str):
            return allowed in (ANY, origin)
        return ANY in allowed or origin in allowed


def _origin_check(function: Callable[..., Any], *, may_await: bool) -> Callable[[str, dict[str, Any]], Any]:
    """Return a function that calls one of the application with origin and environ, or with the origin alone."""
    colour = colour_of(function)
    if colour in NO_ANSWERS:
        raise SetupError(f"cors_allowed_origins: {name_of(function)} is a generator; give a function that returns True")
    if colour is Colour.COROUTINE and not may_await:
        raise SetupError(
            f"cors_allowed_origins: {name_of(function)} is a coroutine function, which a sync server cannot await; "
            "give a plain function"
        )
    least, most = positional_range(function)
    if least > MOST_ARGUMENTS or most == 0:
        raise SetupError(
            f"cors_allowed_origins: {name_of(function)} must take (origin) or (origin, environ) as its arguments"
        )
    if most == 1:
        return lambda origin, _environ: function(origin)
    return function


def _own_origins(environ: dict[str, Any]) -> list[str]:
    """Return the origins of the server itself: that of the request, and that of the request to a proxy before it."""
    host, scheme = environ.get("HTTP_HOST"), environ.get("wsgi.url_scheme")
    if host is None or scheme is None:
        return []
    forwarded_scheme = environ.get("HTTP_X_FORWARDED_PROTO", scheme).split(",")[0].strip()
    forwarded_host = environ.get("HTTP_X_FORWARDED_HOST", host).split(",")[0].strip()
    return [f"{scheme}://{host}", f"{forwarded_scheme}://{forwarded_host}"]


def cors_headers(environ: dict[str, Any], *, is_allowed: bool, with_credentials: bool) -> list[tuple[str, str]]:
    """Build the headers of a response; *is_allowed*: its request has an origin that is accepted."""
    origin = environ["HTTP_ORIGIN"] if is_allowed else None
    asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS")
    is_usual = asked is None and (origin is None or len(origin) <= MAX_SHARED_BYTES)
    headers = _usual_headers if is_usual else _headers
    is_preflight = environ["REQUEST_METHOD"] == "OPTIONS"
    return [*headers(origin, asked, is_preflight=is_preflight, with_credentials=with_credentials)]


def _headers(
    origin: str | None, asked: str | None, *, is_preflight: bool, with_credentials: bool
) -> tuple[tuple[str, str], ...]:
    # The response depends on the origin, so a cache must not give it to another one.
    headers = [("Vary", "Origin")]
    if origin is not None:
        headers.append(("Access-Control-Allow-Origin", origin))
    if is_preflight:
        headers.append(("Access-Control-Allow-Methods", METHODS))
    if asked is not None:
        headers.append(("Access-Control-Allow-Headers", asked))
    if with_credentials:
        headers.append(("Access-Control-Allow-Credentials", "true"))
    return tuple(headers)


_usual_headers: Final = lru_cache(maxsize=64)(_headers)

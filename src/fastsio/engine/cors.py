"""
Which origins a server takes, and the response headers that tell browsers.

Pure: reads the option and the environ, and never waits. A function of the application may give something to await.

Source: Fetch standard, "CORS protocol"; the option's forms are python-engineio's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import SetupError
from fastsio.injection.signature import Colour, colour_of, name_of, positional_range

if TYPE_CHECKING:
    from collections.abc import Callable

ANY: Final = "*"
METHODS: Final = "OPTIONS, GET, POST"
#: A function is called with the origin, and with the environ if it takes two arguments.
MOST_ARGUMENTS: Final = 2
#: An object of these is true, whatever the function means to say.
NO_ANSWERS: Final = (Colour.GENERATOR, Colour.ASYNC_GENERATOR)


class Origins:
    """
    The origins a server takes.

    Args:
        allowed: The option ``cors_allowed_origins``.
        may_await: Whether the server awaits what a function gives.

    Raises:
        SetupError: A function cannot be asked: the server cannot await it, it takes other arguments, or it is a
            generator.
    """

    __slots__ = ("_ask", "allowed")

    def __init__(self, allowed: Any, *, may_await: bool) -> None:
        self.allowed = allowed
        self._ask = _asker(allowed, may_await=may_await) if callable(allowed) else self._contain

    @property
    def is_off(self) -> bool:
        """Whether neither origins are checked nor headers sent: something else does both."""
        allowed = self.allowed
        return isinstance(allowed, list) and not allowed

    def admit(self, origin: str, environ: dict[str, Any]) -> Any:
        """
        Tell whether an origin is taken.

        Args:
            origin: What the browser says.
            environ: Of the request.

        Returns:
            Something true or false; what the application's function gives may have to be awaited.
        """
        return self._ask(origin, environ)

    def _contain(self, origin: str, environ: dict[str, Any]) -> bool:
        allowed = self.allowed
        if allowed is None:
            return origin in _own_origins(environ)
        if isinstance(allowed, str):
            return allowed in (ANY, origin)
        return ANY in allowed or origin in allowed


def _asker(function: Callable[..., Any], *, may_await: bool) -> Callable[[str, dict[str, Any]], Any]:
    """Return how a function of the application is asked."""
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
    """Return the origins of the server itself: as the request reached it, and as a proxy says that it was asked for."""
    host, scheme = environ.get("HTTP_HOST"), environ.get("wsgi.url_scheme")
    if host is None or scheme is None:
        return []
    forwarded_scheme = environ.get("HTTP_X_FORWARDED_PROTO", scheme).split(",")[0].strip()
    forwarded_host = environ.get("HTTP_X_FORWARDED_HOST", host).split(",")[0].strip()
    return [f"{scheme}://{host}", f"{forwarded_scheme}://{forwarded_host}"]


def cors_headers(environ: dict[str, Any], *, is_allowed: bool, with_credentials: bool) -> list[tuple[str, str]]:
    """
    Build the headers of a response.

    Args:
        environ: Of the request.
        is_allowed: Whether the request has an origin that is taken.
        with_credentials: Whether browsers may send cookies.
    """
    # The response is another one for another origin, so that no cache may give it to both.
    headers = [("Vary", "Origin")]
    if is_allowed:
        headers.append(("Access-Control-Allow-Origin", environ["HTTP_ORIGIN"]))
    if environ["REQUEST_METHOD"] == "OPTIONS":
        headers.append(("Access-Control-Allow-Methods", METHODS))
    asked = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS")
    if asked is not None:
        headers.append(("Access-Control-Allow-Headers", asked))
    if with_credentials:
        headers.append(("Access-Control-Allow-Credentials", "true"))
    return headers

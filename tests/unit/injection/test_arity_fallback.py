"""Handlers behind wrappers that take ``(sid, *args)``, as Flask-SocketIO registers them."""

from __future__ import annotations

from functools import wraps
from typing import Any

import pytest

from fastsio.injection import HandlerKind, compile_endpoint
from fastsio.injection.calls import with_fallback


def wrapped(handler: Any) -> Any:
    """Wrap a handler that knows no sid."""

    @wraps(handler)
    def wrapper(sid: str, *args: Any) -> Any:
        return handler(*args)

    return wrapper


def compiled(handler: Any, kind: HandlerKind = HandlerKind.DISCONNECT, *, asynchronous: bool = False) -> Any:
    """Compile a handler and return what is called."""
    return compile_endpoint(handler, kind=kind, label="handler", asynchronous=asynchronous).handler


def test_the_last_argument_is_left_out_if_it_is_one_too_many():
    """What the wrapper calls decides, not what the wrapper takes."""
    handler = compiled(wrapped(lambda: "no reason"))

    assert handler("sid", "reason") == "no reason"


def test_all_arguments_are_passed_if_they_are_taken():
    """The reason is not lost."""
    handler = compiled(wrapped(lambda reason: reason))

    assert handler("sid", "reason") == "reason"


def test_a_handler_never_runs_twice():
    """Its own TypeError is a bug to report."""
    runs = []

    def handler() -> None:
        runs.append(1)
        raise TypeError("own")

    with pytest.raises(TypeError, match="own"):
        compiled(wrapped(handler))("sid", "reason")

    assert runs == [1]


def test_the_wrapper_is_called_by_its_own_signature():
    """The handler inside takes neither, and is registered all the same."""
    endpoint = compile_endpoint(wrapped(lambda: None), kind=HandlerKind.CONNECT, label="handler", asynchronous=False)

    assert endpoint.plain
    assert [count for count in range(4) if endpoint.accepts(count)] == [1, 2, 3]


async def test_coroutine_functions_have_it_too():
    """Wrappers that are coroutine functions, and plain ones of coroutine functions."""

    async def inner() -> str:
        return "no reason"

    async def failing() -> str:
        raise TypeError("own")

    @wraps(inner)
    async def outer(sid: str, *args: Any) -> str:
        return await inner(*args)

    assert await compiled(outer, asynchronous=True)("sid", "reason") == "no reason"
    assert await compiled(wrapped(inner), asynchronous=True)("sid", "reason") == "no reason"
    with pytest.raises(TypeError, match="own"):
        await compiled(wrapped(failing), asynchronous=True)("sid")


def test_other_handlers_are_left_alone():
    """Events have no optional argument, and wrappers that only pass on say what they wrap."""

    def handler(sid: str) -> None:
        """Take no reason."""

    @wraps(handler)
    def passing(*args: Any) -> None:
        handler(*args)

    event = wrapped(handler)

    assert compiled(event, HandlerKind.EVENT) is event
    assert compiled(passing) is passing
    assert compiled(handler) is handler


def test_what_has_no_code_is_not_called_again():
    """Nobody can tell whether a builtin ran."""

    @wraps(int)
    def wrapper(sid: str, *args: Any) -> int:
        return int(*args, nonsense=True)

    with pytest.raises(TypeError):
        with_fallback(wrapper, wrapper, is_coroutine=False)("sid", "1")

"""
Making one callable, which takes a context, of a function and its getters, and steps that open dependencies.

This module knows how a function is called and what is done with its result, but not where its arguments come from.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from inspect import isasyncgen, isawaitable, iscoroutine, isgenerator
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from fastsio.exceptions import ValidationFailed
from fastsio.injection import fastapi_markers
from fastsio.injection.signature import Colour, Shape, innermost_of, signature_of
from fastsio.injection.validation import MAX_DETAIL

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from types import CodeType, TracebackType

    from fastsio.injection.context import Context, Keep, Manager, Opener
    from fastsio.injection.signature import Parameter
    from fastsio.injection.sources import Getter


@dataclass(slots=True)
class Arguments:
    """
    The arguments of one function: getters by position and by keyword.

    ``rest`` is the index of the first payload argument in ``*args``; ``open_keywords`` gets those of ``**kwargs``.
    """

    positional: list[Getter] = field(default_factory=list)
    keywords: dict[str, Getter] = field(default_factory=dict)
    rest: int | None = None
    open_keywords: Getter | None = None

    def add(self, parameter: Parameter, get: Getter) -> None:
        """Fill a parameter, by position or by keyword."""
        if parameter.shape is Shape.KEYWORD:
            self.keywords[parameter.name] = get
        else:
            self.positional.append(get)


@dataclass(frozen=True, slots=True)
class Step:
    """
    One dependency of a plan.

    Args:
        key: Where its value is stored in the context.
        acquire: Makes the value.
        awaits: Whether that has to be awaited; if not *certain*, only when it is a coroutine.
        shared: Whether to use a value that another endpoint of the same event has stored.
    """

    key: Hashable
    acquire: Getter
    awaits: bool
    shared: bool
    certain: bool = True


def bind(function: Callable[..., Any], arguments: Arguments) -> Getter:
    """
    Return a function of a context that calls *function* with its arguments, fast for up to four positional ones.

    If several values from the peer are not valid, the error names all of them and not only the first.
    """
    arguments = _reporting_all(arguments)
    if arguments.keywords or arguments.rest is not None or arguments.open_keywords is not None:
        return _bind_any(function, arguments)
    getters = tuple(arguments.positional)
    if len(getters) < len(_SHORT):
        return _SHORT[len(getters)](function, *getters)

    def call(context: Context) -> Any:
        return function(*[get(context) for get in getters])

    return call


def _reporting_all(arguments: Arguments) -> Arguments:
    """Return the arguments; a getter that fails also reports the failures of the getters after it."""
    getters = [*arguments.positional, *arguments.keywords.values()]
    failing = [get for get in getters if getattr(get, "validates", False)]

    def reporting(get: Getter) -> Getter:
        others = failing[failing.index(get) + 1 :] if get in failing else []
        return _reporting(get, others) if others else get

    return Arguments(
        [reporting(get) for get in arguments.positional],
        {name: reporting(get) for name, get in arguments.keywords.items()},
        arguments.rest,
        arguments.open_keywords,
    )


def _reporting(get: Getter, others: list[Getter]) -> Getter:
    def get_or_report(context: Context) -> Any:
        try:
            return get(context)
        except ValidationFailed as error:
            detail = list(error.detail)
        for other in others:
            try:
                other(context)
            except ValidationFailed as error:
                detail += error.detail
        raise ValidationFailed(detail[:MAX_DETAIL])

    return get_or_report


def _bind_any(function: Callable[..., Any], arguments: Arguments) -> Getter:
    positional = tuple(arguments.positional)
    keywords = tuple(arguments.keywords.items())
    rest, open_keywords = arguments.rest, arguments.open_keywords

    def call(context: Context) -> Any:
        values = [get(context) for get in positional]
        if rest is not None:
            values.extend(context.args[rest:])
        named = {name: get(context) for name, get in keywords}
        if open_keywords is not None:
            named.update(open_keywords(context))
        return function(*values, **named)

    return call


def _bind_0(function: Callable[..., Any]) -> Getter:
    def call(_context: Context) -> Any:
        return function()

    return call


def _bind_1(function: Callable[..., Any], a: Getter) -> Getter:
    def call(context: Context) -> Any:
        return function(a(context))

    return call


def _bind_2(function: Callable[..., Any], a: Getter, b: Getter) -> Getter:
    def call(context: Context) -> Any:
        return function(a(context), b(context))

    return call


def _bind_3(function: Callable[..., Any], a: Getter, b: Getter, c: Getter) -> Getter:
    def call(context: Context) -> Any:
        return function(a(context), b(context), c(context))

    return call


def _bind_4(function: Callable[..., Any], a: Getter, b: Getter, c: Getter, d: Getter) -> Getter:
    def call(context: Context) -> Any:
        return function(a(context), b(context), c(context), d(context))

    return call


_SHORT: tuple[Callable[..., Getter], ...] = (_bind_0, _bind_1, _bind_2, _bind_3, _bind_4)


def value_call(
    function: Callable[..., Any], colour: Colour, arguments: Arguments, *, in_thread: bool
) -> tuple[Getter, bool]:
    """Return a getter for the value of a dependency that closes nothing, and whether its result is to be awaited."""
    if in_thread and colour is Colour.PLAIN:
        return bind(fastapi_markers.in_thread(function), arguments), True
    return bind(function, arguments), colour is Colour.COROUTINE


def refusing_coroutines(make: Getter, refusal: str) -> Getter:
    """Return *make* for a server without an event loop: in place of a coroutine TypeError is raised, with *refusal*."""

    def call(context: Context) -> Any:
        value = make(context)
        if type(value) is CoroutineType:  # a third of the cost of iscoroutine()
            value.close()
            raise TypeError(refusal)
        return value

    return call


def opener_for(
    function: Callable[..., Any],
    colour: Colour,
    arguments: Arguments,
    *,
    asynchronous: bool,
    in_thread: bool = False,
    refusal: str = "",
) -> tuple[Opener, bool]:
    """Return the opener of a dependency, which *colour* decides, and whether its result is to be awaited."""
    match colour:
        case Colour.PLAIN | Colour.COROUTINE:
            call, awaits = value_call(function, colour, arguments, in_thread=in_thread)
            return _valuing(call, awaits=awaits, asynchronous=asynchronous, refusal=refusal), awaits or asynchronous
        case Colour.GENERATOR if in_thread:
            return _entering_async(bind(fastapi_markers.managed_in_thread(function), arguments)), True
        case Colour.GENERATOR:
            return _entering(bind(contextmanager(function), arguments)), False
        case Colour.ASYNC_GENERATOR:
            return _entering_async(bind(asynccontextmanager(function), arguments)), True
        case Colour.WRAPPER if asynchronous:
            return _adopting_async(bind(function, arguments)), True
        case _:
            return _adopting(bind(function, arguments), refusal), False


def _valuing(make: Getter, *, awaits: bool, asynchronous: bool, refusal: str) -> Opener:
    """Return the opener of a value that has nothing to close."""

    async def await_value(context: Context, _keep: Keep) -> Any:
        value = make(context)
        return await value if iscoroutine(value) else value

    if asynchronous and not awaits:
        return await_value
    make = make if asynchronous else refusing_coroutines(make, refusal)
    return lambda context, _keep: make(context)


def _entering(make: Getter) -> Opener:
    def open_value(context: Context, keep: Keep) -> Any:
        manager = make(context)
        value = manager.__enter__()
        keep(manager)
        return value

    return open_value


def _entering_async(make: Getter) -> Opener:
    async def open_value(context: Context, keep: Keep) -> Any:
        manager = make(context)
        value = await manager.__aenter__()
        keep(manager)
        return value

    return open_value


def _adopting(make: Getter, refusal: str) -> Opener:
    """Return an opener that calls a wrapper and handles its result by type; what needs asyncio is refused."""
    make = refusing_coroutines(make, refusal)

    def open_value(context: Context, keep: Keep) -> Any:
        result = make(context)
        manager = _as_manager(result)
        if not isinstance(manager, AbstractContextManager):
            if isinstance(manager, AbstractAsyncContextManager):
                raise TypeError(refusal)
            return result
        value = manager.__enter__()
        keep(manager)
        return value

    return open_value


def _adopting_async(make: Getter) -> Opener:
    async def open_value(context: Context, keep: Keep) -> Any:
        result = make(context)
        if isawaitable(result):
            return await result
        manager = _as_manager(result)
        if isinstance(manager, AbstractAsyncContextManager):
            value = await manager.__aenter__()
        elif isinstance(manager, AbstractContextManager):
            value = manager.__enter__()
        else:
            return result
        keep(manager)
        return value

    return open_value


def _as_manager(result: Any) -> Any:
    """Return a generator as the context manager it would have made; anything else as it is."""
    if isasyncgen(result):
        return asynccontextmanager(lambda: result)()
    if isgenerator(result):
        return contextmanager(lambda: result)()
    return result


def bounded(opener: Opener, semaphore: Callable[[], Any]) -> Opener:
    """Return an opener, to be awaited, that holds a semaphore for as long as the value lives."""

    async def open_value(context: Context, keep: Keep) -> Any:
        held = semaphore()
        await held.acquire()
        opened: list[Manager] = []
        try:
            value = await opener(context, opened.append)
        except BaseException:
            held.release()
            raise
        if not opened:
            held.release()
            return value
        keep(_Release(held))
        for manager in opened:
            keep(manager)
        return value

    return open_value


class _Release(AbstractContextManager[None]):
    """Releases a semaphore when it is closed: after all managers that were kept after it."""

    __slots__ = ("_semaphore",)

    def __init__(self, semaphore: Any) -> None:
        self._semaphore = semaphore

    def __exit__(self, *_exc: object) -> None:
        self._semaphore.release()


def connection_step(key: Hashable, opener: Opener, *, awaits: bool, asynchronous: bool, opens: bool) -> Step:
    """Return the step of a dependency that lives as long as the connection."""

    async def open_async(context: Context, keep: Keep) -> Any:
        value = opener(context, keep)
        return await value if awaits else value

    made_by: Any = open_async if asynchronous else opener

    def acquire(context: Context) -> Any:
        return context.client.scope_store.resolve(context, key, made_by, opens=opens)

    return Step(key, acquire, asynchronous, shared=True)


def with_fallback(called: Callable[..., Any], handler: Callable[..., Any], *, is_coroutine: bool) -> Callable[..., Any]:
    """
    Return a function that calls *called*, and again without the last argument if that was one too many.

    A TypeError that the innermost function of *handler* itself raises is passed on: it has run, and is not run twice.
    """
    code: CodeType | None = getattr(innermost_of(handler), "__code__", None)

    def call(*args: Any) -> Any:
        try:
            return called(*args)
        except TypeError as error:
            if _has_run(code, error.__traceback__):
                raise
        return called(*args[:-1])

    async def call_coroutine(*args: Any) -> Any:
        try:
            return await called(*args)
        except TypeError as error:
            if _has_run(code, error.__traceback__):
                raise
        return await called(*args[:-1])

    wrapper: Any = wraps(handler)(call_coroutine if is_coroutine else call)
    # The handler's own signature, and not that of the function that it wraps.
    wrapper.__signature__ = signature_of(handler)
    return wrapper  # type: ignore[no-any-return] # one of the two above


def _has_run(code: CodeType | None, traceback: TracebackType | None) -> bool:
    while traceback is not None:
        if traceback.tb_frame.f_code is code:
            return True
        traceback = traceback.tb_next
    return code is None

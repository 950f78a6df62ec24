"""
Reading signatures: the one module that inspects functions, at registration.

Sees through partials, methods, callable objects, classes and ``functools.wraps``; resolves annotations one by one, so
that one unresolvable name is reported with its parameter. It knows no markers.
"""

from __future__ import annotations

import functools
import inspect
import sys
from dataclasses import dataclass
from enum import Enum, auto
from types import CoroutineType, NoneType, SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Stands for an annotation or a default that a parameter does not have.
EMPTY: Final[Any] = inspect.Parameter.empty


class Shape(Enum):
    """How a parameter is passed."""

    POSITIONAL = auto()
    KEYWORD = auto()
    REST = auto()
    KEYWORD_REST = auto()


_SHAPES: Final = {
    inspect.Parameter.POSITIONAL_ONLY: Shape.POSITIONAL,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: Shape.POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY: Shape.KEYWORD,
    inspect.Parameter.VAR_POSITIONAL: Shape.REST,
    inspect.Parameter.VAR_KEYWORD: Shape.KEYWORD_REST,
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, its annotation resolved."""

    name: str
    shape: Shape
    annotation: Any = EMPTY
    default: Any = EMPTY


class Colour(Enum):
    """What calling a function returns."""

    PLAIN = auto()
    COROUTINE = auto()
    GENERATOR = auto()
    ASYNC_GENERATOR = auto()
    #: A plain function that wraps one of the others: only its result shows which.
    WRAPPER = auto()


class Unresolved:
    """Stands for an annotation whose names only type checkers import."""


class UnresolvedError(Exception):
    """An annotation names what does not exist yet; *parameter* is empty when the whole signature cannot be read."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(parameter, reason)
        self.parameter = parameter
        self.reason = reason

    @property
    def fault(self) -> str:
        """What is wrong, for the message of a SignatureError."""
        where = f"parameter {self.parameter!r}" if self.parameter else "the signature"
        return f"{where} refers to what does not exist ({self.reason})"


def read_parameters(
    function: Callable[..., Any], caller_names: Mapping[str, Any] | None = None, *, unresolved: Any = EMPTY
) -> tuple[Parameter, ...] | None:
    """
    Return the parameters a caller can fill, or None when the function has no readable signature (some builtins).

    Keywords bound by a partial are left out: the partial has filled them. *caller_names* are further names for the
    annotations; *unresolved* takes the place of one that cannot be resolved, EMPTY to raise UnresolvedError instead.
    """
    try:
        signature = signature_of(function)
    except (TypeError, ValueError):
        return None
    except NameError as error:  # pragma: no cover - Python 3.14 evaluates annotations here
        raise UnresolvedError("", str(error)) from error
    bound = _bound_keywords(function)
    resolve = _Resolver(function, caller_names or {}, unresolved)
    return tuple(
        Parameter(name, _SHAPES[entry.kind], resolve(name, entry.annotation), entry.default)
        for name, entry in signature.parameters.items()
        if name not in bound
    )


def read_returned(
    function: Callable[..., Any], caller_names: Mapping[str, Any] | None = None, *, unresolved: Any = EMPTY
) -> Any:
    """Return the annotation of a function's result, EMPTY without one; arguments as for :func:`read_parameters`."""
    return _Resolver(function, caller_names or {}, unresolved)("return", signature_of(function).return_annotation)


def may_give_coroutine(function: Callable[..., Any], caller_names: Mapping[str, Any] | None = None) -> bool:
    """Tell whether a plain function may return a coroutine, as far as the annotation of its result shows."""
    called = _called(function)
    if inspect.isclass(called):
        return False
    try:
        returned = read_returned(function, caller_names, unresolved=EMPTY)
    except (TypeError, ValueError, NameError, UnresolvedError):  # no readable signature, as some builtins
        return True
    return _admits_coroutine(returned)


def _admits_coroutine(annotation: Any) -> bool:
    if annotation is None or annotation is NoneType:
        return False
    origin = get_origin(annotation)
    if origin is Annotated:
        return _admits_coroutine(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return any(_admits_coroutine(member) for member in get_args(annotation))
    kind = origin or annotation
    if not isinstance(kind, type) or kind in (EMPTY, Any):
        return True
    try:
        return issubclass(CoroutineType, kind)
    except TypeError:  # a Protocol that is not runtime-checkable
        return True


def names_of_caller(function: Callable[..., Any]) -> dict[str, Any]:
    """
    Return the local names of the function in which a handler was defined, if that function is still running.

    With ``from __future__ import annotations`` the handler's annotations are text, and may name classes local there.
    """
    innermost = innermost_of(function)
    outer = name_of(innermost).rpartition(".<locals>.")[0]
    frame = inspect.currentframe() if outer else None
    while frame is not None:
        if frame.f_code.co_qualname == outer and frame.f_globals is getattr(innermost, "__globals__", None):
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}


def positional_range(function: Callable[..., Any]) -> tuple[int, int | None]:
    """Return the least and the greatest number of positional arguments; None is any number."""
    try:
        signature = signature_of(function)
    except (TypeError, ValueError, NameError):
        return 0, None
    least = most = 0
    endless = False
    for parameter in signature.parameters.values():
        shape = _SHAPES[parameter.kind]
        endless = endless or shape is Shape.REST
        if shape is Shape.POSITIONAL:
            most += 1
            least += parameter.default is EMPTY
    return least, None if endless else most


def colour_of(function: Callable[..., Any]) -> Colour:
    """Tell what calling *function* returns, without calling it."""
    layers = list(_layers(function))
    outermost = _own_colour(layers[0])
    if outermost is Colour.PLAIN and any(_own_colour(layer) is not Colour.PLAIN for layer in layers):
        return Colour.WRAPPER
    return outermost


def innermost_of(function: Callable[..., Any]) -> Any:
    """Return the function inside of all partials, methods, callable objects and wrappers."""
    return list(_layers(function))[-1]


def hides_arity(function: Callable[..., Any]) -> bool:
    """Tell whether a wrapper has parameters of its own and ``*args``, so that the arity of what it wraps is unknown."""
    outermost = _called(function)
    if not inspect.isfunction(outermost) or not hasattr(outermost, "__wrapped__"):
        return False
    own = inspect.signature(function, follow_wrapped=False)  # noqa: TID251 - this module is where it is read
    shapes = {_SHAPES[entry.kind] for entry in own.parameters.values()}
    return {Shape.POSITIONAL, Shape.REST} <= shapes


def name_of(function: object) -> str:
    """Return the name to show in messages."""
    if isinstance(function, functools.partial):
        return name_of(function.func)
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of *function*: of the function it wraps, unless it has parameters of its own."""
    own = inspect.signature(function, follow_wrapped=False)  # noqa: TID251 - this module is where it is read
    passes_on = all(_SHAPES[entry.kind] in (Shape.REST, Shape.KEYWORD_REST) for entry in own.parameters.values())
    return inspect.signature(function) if passes_on else own  # noqa: TID251 - as above


def _own_colour(function: Any) -> Colour:
    if inspect.iscoroutinefunction(function):
        return Colour.COROUTINE
    if inspect.isasyncgenfunction(function):
        return Colour.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(function):
        return Colour.GENERATOR
    return Colour.PLAIN


def _layers(function: Any) -> Iterator[Any]:
    """Yield the function that is called, then each one that is in ``__wrapped__`` of the one before."""
    current = _called(function)
    yield current
    while not inspect.isclass(current) and hasattr(current, "__wrapped__"):
        current = _called(current.__wrapped__)
        yield current


def _called(function: Any) -> Any:
    """Return the function that runs when *function* is called: that in partials and methods, or ``__call__``."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif inspect.isclass(function) or inspect.isroutine(function) or inspect.iscoroutinefunction(function):
            return function  # the last are objects that declare themselves one, such as AsyncMock
        else:
            return type(function).__call__


def _bound_keywords(function: Any) -> frozenset[str]:
    return frozenset(function.keywords) if isinstance(function, functools.partial) else frozenset()


class _Resolver:
    """Evaluates annotations with the names of the function's module and closure, and of its class's module."""

    def __init__(self, function: Any, caller_names: Mapping[str, Any], unresolved: Any) -> None:
        self._caller_names = caller_names
        self._unresolved = unresolved
        innermost = innermost_of(function)
        self._globals: dict[str, Any] = {}
        self._locals: dict[str, Any] = {}
        if inspect.isclass(innermost):
            self._globals.update(vars(sys.modules[innermost.__module__]))
            innermost = innermost.__init__
        self._globals.update(getattr(innermost, "__globals__", {}))
        self._locals.update(_closure(innermost))

    def __call__(self, name: str, annotation: Any) -> Any:
        if annotation is EMPTY:
            return EMPTY
        for names in (self._locals, {**self._caller_names, **self._locals}):
            try:
                return self._evaluate(name, annotation, names)
            except (NameError, AttributeError) as error:
                failure = error
        if self._unresolved is not EMPTY:
            return self._unresolved
        raise UnresolvedError(name, str(failure)) from failure

    def _evaluate(self, name: str, annotation: Any, names: dict[str, Any]) -> Any:
        holder = SimpleNamespace(__annotations__={name: annotation})
        try:
            return get_type_hints(holder, self._globals, names, include_extras=True)[name]
        except (SyntaxError, TypeError):
            return EMPTY  # not a type, but a note to the reader, which python-socketio ignores too


def _closure(function: Any) -> Iterator[tuple[str, Any]]:
    code = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None)
    if code is None or cells is None:
        return
    for name, cell in zip(code.co_freevars, cells, strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue

# ruff: noqa: B008, D103, PLW0108, TC001 - Depends() as a default is what is tested, and lambdas in it; models and handlers here are examples; annotations are resolved at run time
"""Dependencies: forms, order, sharing, FastAPI's parameter rules, and what is refused."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Coroutine
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, SupportsAbs, TypeVar, runtime_checkable

import fastapi
import pytest
from pydantic import BaseModel

from fastsio import Joined, Room
from fastsio.exceptions import DependencyCycleError, SignatureError, ValidationFailed
from fastsio.injection import Depends, HandlerKind, Query, register_dependency
from fastsio.types import Data, SocketID


class Message(BaseModel):
    text: str


class Paging(BaseModel):
    page: int = 1


def wraps(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@dataclass
class Adder:
    """A callable object that cannot be hashed."""

    amount: int

    def __call__(self, sid: SocketID):
        return sid, self.amount


class Service:
    def __init__(self, sid: SocketID, page: int = 1):
        self.sid = sid
        self.page = page

    def method(self, data: Data):
        return data


def plain():
    return "plain"


async def coroutine():
    return "coroutine"


def generator():
    yield "generator"


async def async_generator():
    yield "async generator"


@pytest.mark.parametrize(
    ("dependency", "expected"),
    [
        (plain, "plain"),
        (coroutine, "coroutine"),
        (generator, "generator"),
        (async_generator, "async generator"),
        (wraps(plain), "plain"),
        (wraps(coroutine), "coroutine"),
        (wraps(generator), "generator"),
        (wraps(async_generator), "async generator"),
        (contextmanager(generator), "generator"),
        (asynccontextmanager(async_generator), "async generator"),
        (wraps(wraps(coroutine)), "coroutine"),
        (Adder(3), ("sid-1", 3)),
        (functools.partial(Adder(1).__call__), ("sid-1", 1)),
        (Service(sid="x").method, "payload"),
        (dict, {}),
    ],
)
async def test_every_form_of_callable_is_a_dependency(harness, dependency, expected):
    """Functions of each colour, wrapped ones, classes, objects, methods, partials."""
    assert await harness.call(lambda value=Depends(dependency): value, "payload") == expected


@pytest.mark.parametrize("decorate", [lambda function: function, wraps, contextmanager])
def test_generators_are_dependencies_of_a_sync_server(harness, decorate):
    """Opened before the handler, closed after it."""
    log = []

    @decorate
    def database():
        yield "db"
        log.append("closed")

    assert harness.call_sync(lambda db=Depends(database): db) == "db"
    assert log == ["closed"]


def test_a_wrapper_of_a_coroutine_function_may_run_it_on_a_sync_server(harness):
    """Its result is taken as it is."""

    @functools.wraps(coroutine)
    def run():
        return "ran"

    assert harness.call_sync(lambda value=Depends(run): value) == "ran"


async def test_a_wrapper_may_answer_with_a_plain_value(harness):
    """A cache in front of a coroutine function is still a dependency."""

    @functools.wraps(coroutine)
    def cached():
        return "cached"

    assert await harness.call(lambda value=Depends(cached): value) == "cached"


async def test_depends_without_a_function_makes_the_annotated_class(harness):
    """Also inside Annotated and Optional."""

    async def handler(first: Annotated[Service, Depends()], second: Service | None = Depends()):
        return first.sid, first is second

    assert await harness.call(handler) == ("sid-1", True)


async def test_dependencies_nest_and_run_once_per_event(harness):
    """A diamond resolves its base once, before what needs it."""
    log = []

    async def base():
        log.append("base")
        return object()

    async def left(inner=Depends(base)):
        log.append("left")
        return inner

    def right(*, inner=Depends(base)):
        log.append("right")
        return inner

    async def handler(a=Depends(left), b=Depends(right)):
        return a is b

    assert await harness.call(handler) is True
    assert log == ["base", "left", "right"]


async def test_use_cache_false_resolves_anew_for_each_use(harness):
    """Both uses get a value of their own."""

    async def handler(a=Depends(object, use_cache=False), b=Depends(object, use_cache=False)):
        return a is b

    assert await harness.call(handler) is False


async def test_objects_that_cannot_be_hashed_are_shared_by_identity(harness):
    """Equal objects are not the same dependency."""
    calls = []

    @dataclass
    class Counter:
        name: str

        def __call__(self):
            calls.append(self.name)
            return object()

    one, other = Counter("same"), Counter("same")

    async def handler(a=Depends(one), b=Depends(one), c=Depends(other)):
        return a is b, a is c

    assert await harness.call(handler) == (True, False)
    assert calls == ["same", "same"]


async def test_a_dependency_by_name(harness):
    """Registered names need no import."""
    register_dependency("test_graph.plain", plain)

    assert await harness.call(lambda value=Depends("test_graph.plain"): value) == "plain"


async def test_scalars_of_a_dependency_are_query_parameters(harness):
    """FastAPI's rule, so its dependencies work unchanged."""
    harness.client.environ = {"QUERY_STRING": "page=2&flag=on&tag=a&tag=b"}

    def paging(page: int, tag, size: int = 10, flag=None, tags: list[str] = Query(alias="tag"), secret=plain, **_rest):
        return page, tag, size, flag, tags, secret

    assert await harness.call(lambda value=Depends(paging): value) == (2, "b", 10, "on", ["a", "b"], plain)


async def test_a_missing_or_wrong_query_parameter_is_reported(harness):
    """Like a wrong payload: the handler is not called."""

    def paging(page: int):
        raise AssertionError

    with pytest.raises(ValidationFailed, match=r"query\.page: Field required"):
        await harness.call(lambda value=Depends(paging): value)
    harness.client.scope_store.handshake = None
    harness.client.environ = {"QUERY_STRING": "page=x"}
    with pytest.raises(ValidationFailed, match=r"query\.page: Input should be a valid integer"):
        await harness.call(lambda value=Depends(paging): value)


async def test_structured_parameters_of_a_dependency_are_the_payload(harness):
    """What would be the body of a request."""

    def text_of(message: Message, extra: dict | None, *rest):
        return message.text, extra

    async def handler(text=Depends(text_of), message: Message = None):
        return text, message.text

    assert await harness.call(handler, {"text": "hi"}) == (("hi", None), "hi")


async def test_a_model_as_a_dependency_is_made_from_the_query(harness):
    """FastAPI calls the class with its fields as parameters."""
    harness.client.environ = {"QUERY_STRING": "page=3"}

    async def handler(paging: Annotated[Paging, Depends()]):
        return paging.page

    assert await harness.call(handler) == 3


async def test_keywords_bound_by_a_partial_are_not_the_clients_to_set(harness):
    """Whoever wrote the partial has filled them."""
    harness.client.environ = {"QUERY_STRING": "limit=1000000"}

    def page(limit: int, sid: SocketID):
        return limit

    assert await harness.call(lambda value=Depends(functools.partial(page, limit=5)): value) == 5


def test_a_bare_sid_in_a_dependency_is_refused(harness):
    """FastAPI's rule would read it from the query, where it is the transport's session."""

    def user(sid: str):
        raise AssertionError

    with pytest.raises(
        SignatureError,
        match=r"chat\.handler: dependency .*user: parameter 'sid' would be read from the query .* annotate it with SocketID",
    ):
        harness.compile(lambda who=Depends(user): who)


def cycle_a(value=Depends("test_graph.b")):
    raise AssertionError


def cycle_b(value=Depends(cycle_a)):
    raise AssertionError


def test_a_cycle_is_refused_with_its_path(harness):
    """Names make cycles possible."""
    register_dependency("test_graph.b", cycle_b)

    with pytest.raises(DependencyCycleError, match=r"^chat\.handler: dependency cycle cycle_a -> cycle_b -> cycle_a"):
        harness.compile(lambda value=Depends(cycle_a): value)


@pytest.mark.parametrize("dependency", [coroutine, async_generator])
def test_an_async_dependency_is_refused_by_a_sync_server(harness, dependency):
    """It could not be awaited."""
    with pytest.raises(SignatureError, match=r"parameter 'value' depends on .*, which is async"):
        harness.compile(lambda value=Depends(dependency): value, asynchronous=False)


class Loader:
    """A callable object around a coroutine function."""

    def __call__(self):
        return coroutine()


@runtime_checkable
class Unaskable(Protocol):
    """A protocol that no class can be compared with."""

    amount: int


def gives_coroutine():
    return coroutine()


@functools.wraps(coroutine)
def passes_coroutine_on():
    return coroutine()


@pytest.mark.parametrize("scope", ["event", "function", "connection"])
@pytest.mark.parametrize(
    "dependency",
    [lambda: coroutine(), gives_coroutine, functools.partial(gives_coroutine), Loader(), Loader().__call__],
)
async def test_a_coroutine_that_a_plain_function_gives_is_awaited(harness, dependency, scope):
    """A lambda around a coroutine function gives the handler the value, however long that lives."""
    marker = Depends(dependency, scope=scope)

    assert await harness.call(lambda value=marker, again=marker: (value, again)) == ("coroutine", "coroutine")


async def test_a_plain_function_may_give_a_value_one_time_and_a_coroutine_the_next(harness):
    """A cache in front of a coroutine function: only what is a coroutine is awaited."""
    cache = {}

    async def load():
        return "loaded"

    def look_up():
        return cache.get("user") or load()

    endpoint = harness.compile(lambda value=Depends(look_up): value)
    loaded = await endpoint.call(harness.context())
    cache["user"] = "cached"

    assert (loaded, await endpoint.call(harness.context())) == ("loaded", "cached")


async def test_what_can_be_awaited_but_is_no_coroutine_is_given_as_it_is(harness):
    """Tasks go on by themselves, and connection pools can be awaited though nobody has to."""
    future = asyncio.get_running_loop().create_future()

    assert await harness.call(lambda value=Depends(lambda: future): value) is future


@pytest.mark.parametrize("scope", ["event", "function", "connection"])
@pytest.mark.parametrize(
    "dependency", [lambda: coroutine(), gives_coroutine, passes_coroutine_on, lambda: passes_coroutine_on()]
)
def test_a_sync_server_refuses_a_coroutine_that_a_plain_function_gives(harness, dependency, scope):
    """Nobody would await it: the error names handler, parameter and dependency, and what is needed."""
    harness.use_threads()

    with pytest.raises(
        TypeError,
        match=r"^chat\.handler: parameter 'value' depends on .*, which returned what has to be awaited; a sync server needs",
    ):
        harness.call_sync(lambda value=Depends(dependency, scope=scope): value)


def test_a_sync_server_refuses_an_async_generator_behind_a_wrapper(harness):
    """It could not be entered, and its generator object is no value."""
    with pytest.raises(TypeError, match="which returned what has to be awaited"):
        harness.call_sync(lambda value=Depends(asynccontextmanager(async_generator)): value)


@pytest.mark.parametrize(
    ("returned", "is_checked"),
    [
        (str, False),
        (None, False),
        (dict[str, int] | None, False),
        (Annotated[Service, "noted"], False),
        (Any, True),
        (object, True),
        (Awaitable[str], True),
        (Service | Coroutine[Any, Any, Service], True),
        (TypeVar("Some"), True),
        (TypeVar("Some") | None, True),
        (SupportsAbs, False),
        (Unaskable, True),
        ("NobodyKnows", True),
    ],
)
def test_only_functions_that_may_give_a_coroutine_are_checked_with_each_event(harness, returned, is_checked):
    """What the return annotation rules out costs nothing when an event comes."""

    def made():
        return "made"

    made.__annotations__["return"] = returned

    plan = harness.compile(lambda value=Depends(made): value)._plan
    assert plan.steps[0].certain is not is_checked


@pytest.mark.parametrize(
    ("dependency", "is_checked"), [(Service, False), (dict, False), (min, True), (coroutine, False)]
)
def test_classes_and_coroutine_functions_are_not_checked(harness, dependency, is_checked):
    """What calling them gives is known; a builtin says nothing of what it returns."""
    plan = harness.compile(lambda value=Depends(dependency): value)._plan

    assert plan.steps[0].certain is not is_checked


def test_depends_without_anything_to_make_is_refused(harness):
    """Neither a function nor a class."""
    with pytest.raises(SignatureError, match=r"parameter 'value' has Depends\(\) without a class to make"):
        harness.compile(lambda value=Depends(): value)


def test_a_marker_in_place_of_a_type_is_refused(harness):
    """The value would be a payload argument that no client can send."""

    def handler(value: Query): ...

    with pytest.raises(SignatureError, match=r"parameter 'value' .*write Annotated\[..., Query\(\)\], with the type"):
        harness.compile(handler)


@pytest.mark.parametrize(
    "marker", [Depends(int), Query(), Joined(Room), fastapi.Depends(int), fastapi.Header()], ids=repr
)
def test_a_marker_that_is_the_annotation_is_refused(harness, marker):
    """Without Annotated it says nothing about the value."""

    def handler(value): ...

    handler.__annotations__["value"] = marker

    with pytest.raises(SignatureError, match=r"parameter 'value' .*its type is a marker; write Annotated"):
        harness.compile(handler)


@pytest.mark.parametrize("marker", [Depends, Query])
def test_a_marker_without_parentheses_is_refused(harness, marker):
    """Otherwise the function itself would be the value."""
    with pytest.raises(SignatureError, match=rf"write {marker.__name__}\(.*\), with its parentheses"):
        harness.compile(lambda value=marker: value)


def test_an_exception_is_no_value_of_a_dependency(harness):
    """Only the handler itself gets it."""

    def log(problem: ValueError):
        raise AssertionError

    with pytest.raises(SignatureError, match="parameter 'problem' is no value of this event"):
        harness.compile(lambda exc, value=Depends(log): value, HandlerKind.EXCEPTION)


class Opaque:
    """Nothing pydantic can validate."""


@pytest.mark.parametrize("annotation", [Opaque, list[Opaque]])
def test_what_cannot_be_validated_is_refused_with_its_parameter(harness, annotation):
    """A forgotten Depends is the usual cause."""

    def user(database):
        raise AssertionError

    user.__annotations__["database"] = annotation

    with pytest.raises(SignatureError, match="parameter 'database' cannot be validated"):
        harness.compile(lambda who=Depends(user): who)


class Unfinished(BaseModel):
    inner: Missing  # noqa: F821 - not defined on purpose


def test_a_model_that_waits_for_another_leaves_the_endpoint_pending(harness):
    """Its class may be defined later."""
    endpoint = harness.compile(lambda message=None: message)
    assert not endpoint.pending

    def handler(sid, message: Unfinished):
        raise AssertionError

    assert harness.compile(handler).pending


def needs_missing(value: Missing):  # noqa: F821 - not defined on purpose
    raise AssertionError


def test_an_unresolved_reference_in_a_dependency_names_both(harness):
    """Where it is used, and where it stands."""
    endpoint = harness.compile(lambda value=Depends(needs_missing): value)

    with pytest.raises(
        SignatureError, match=r"chat\.handler: parameter 'value' refers to .*needs_missing: .*'Missing'"
    ):
        endpoint.prepare()


async def test_a_failing_dependency_closes_those_that_were_opened(harness):
    """The handler does not run, and the error reaches them."""
    log: list[Any] = []

    async def database():
        try:
            yield
        except PermissionError:
            log.append("rolled back")
            raise

    def guard(db=Depends(database)):
        raise PermissionError

    context = harness.context()
    with pytest.raises(PermissionError) as refused:
        await harness.compile(lambda value=Depends(guard): value).call(context)
    await context.aclose(refused.value)

    assert log == ["rolled back"]

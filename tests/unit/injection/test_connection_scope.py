"""Values that last as long as a connection, with asyncio: when they are made, shared, and closed."""

from __future__ import annotations

import asyncio
import contextvars
from functools import wraps

import anyio
import pytest

from fastsio.exceptions import SignatureError
from fastsio.injection import Context, Depends
from fastsio.types import Auth, Data, Environ, Event, Session, SocketID
from tests.support.waiting import WAIT_S

# ruff: noqa: B008 - Depends() as a default is what is tested; models and handlers here are examples


async def test_a_connection_scoped_value_is_resolved_once_for_all_events(harness):
    """The second event finds what the first resolved."""
    calls = []

    async def user(sid: SocketID):
        calls.append(sid)
        return object()

    async def handler(who=Depends(user, scope="connection")):
        return who

    endpoint = harness.compile(handler)

    first = await endpoint.call(harness.context())
    second = await endpoint.call(harness.context())

    assert first is second
    assert calls == ["sid-1"]


async def test_two_racing_events_resolve_a_value_once(harness):
    """The second waits for the first."""
    gate, started = asyncio.Event(), asyncio.Event()
    calls = []

    async def user():
        calls.append("user")
        started.set()
        await gate.wait()
        return object()

    async def handler(who=Depends(user, scope="connection")):
        return who

    endpoint = harness.compile(handler)
    tasks = [asyncio.create_task(endpoint.call(harness.context())) for _ in range(3)]
    await asyncio.wait_for(started.wait(), WAIT_S)
    gate.set()

    values = await asyncio.wait_for(asyncio.gather(*tasks), WAIT_S)

    assert calls == ["user"]
    assert len({id(value) for value in values}) == 1


async def test_after_a_failure_the_next_event_tries_again(harness):
    """A failed resolution leaves nothing behind."""
    outcomes = [ValueError("down"), "user"]

    async def user():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def handler(who=Depends(user, scope="connection")):
        return who

    endpoint = harness.compile(handler)
    with pytest.raises(ValueError, match="down"):
        await endpoint.call(harness.context())

    assert await endpoint.call(harness.context()) == "user"


async def test_its_generators_outlive_the_event_and_close_with_the_connection(harness):
    """The last opened is closed first."""
    log = []

    async def pool():
        yield "pool"
        log.append("pool closed")

    def lease(inner=Depends(pool, scope="connection")):
        yield f"lease of {inner}"
        log.append("lease closed")

    async def handler(value=Depends(lease, scope="connection")):
        return value

    assert await harness.call(handler) == "lease of pool"
    assert log == []

    await harness.client.scope_store.aclose()
    await harness.client.scope_store.aclose()

    assert log == ["lease closed", "pool closed"]


async def test_a_value_resolved_after_the_connection_ended_closes_with_its_event(harness):
    """An event may still run when the client is gone; nothing may leak."""
    log = []

    async def user():
        yield "user"
        log.append("closed")

    async def handler(who=Depends(user, scope="connection")):
        return who

    await harness.client.scope_store.aclose()

    assert await harness.call(handler) == "user"
    assert log == ["closed"]


async def test_a_value_being_resolved_while_the_connection_ends_closes_with_its_event(harness):
    """The race between a slow dependency and a disconnect leaks nothing."""
    gate, started, log = asyncio.Event(), asyncio.Event(), []

    async def user():
        started.set()
        await gate.wait()
        yield "user"
        log.append("closed")

    async def handler(who=Depends(user, scope="connection")):
        return who

    task = asyncio.create_task(harness.call(handler))
    await asyncio.wait_for(started.wait(), WAIT_S)
    await harness.client.scope_store.aclose()
    gate.set()

    assert await asyncio.wait_for(task, WAIT_S) == "user"
    assert log == ["closed"]


async def test_a_value_is_closed_when_the_last_event_that_uses_it_is_over(harness):
    """A client that leaves does not take the database from the handlers that still run."""
    log = []

    async def pool():
        yield "pool"
        log.append("pool closed")

    async def lease(inner=Depends(pool, scope="connection")):
        yield f"lease of {inner}"
        log.append("lease closed")

    endpoint = harness.compile(lambda value=Depends(lease, scope="connection"): value)
    first, second = harness.context(), harness.context()
    await endpoint.call(first)
    await harness.client.scope_store.aclose()
    assert await endpoint.call(second) == "lease of pool"

    await first.aclose()
    assert log == []
    await second.aclose()
    assert log == ["lease closed", "pool closed"]


async def test_an_event_that_fails_uses_the_value_no_more(harness):
    """Its use ends with the call, and the next events share the value."""
    log = []

    async def user():
        yield "user"
        log.append("closed")

    def fail(who=Depends(user, scope="connection")):
        raise ValueError(who)

    with pytest.raises(ValueError, match="user"):
        await harness.compile(fail).call(harness.context())
    assert log == []

    await harness.client.scope_store.aclose()
    assert log == ["closed"]


async def test_a_generator_is_opened_and_closed_in_one_task_and_one_context(harness):
    """So a context variable can be reset; what depends on it sees what it has set."""
    variable = contextvars.ContextVar("variable", default="none")
    log = []

    async def outer():
        token = variable.set("outer")
        task = asyncio.current_task()
        yield
        variable.reset(token)
        log.append(task is asyncio.current_task())

    def inner(above=Depends(outer, scope="connection")):
        token = variable.set(f"inner of {variable.get()}")
        yield variable.get()
        variable.reset(token)
        log.append(variable.get())

    event = asyncio.create_task(harness.call(lambda value=Depends(inner, scope="connection"): value))
    assert await event == "inner of outer"
    await asyncio.create_task(harness.client.scope_store.aclose())

    assert log == ["outer", True]


async def test_a_task_group_of_anyio_serves_the_events_of_a_connection(harness):
    """Whichever task they run in; it is left by the one that entered it."""
    log = []

    async def workers():
        async with anyio.create_task_group() as group:
            yield group
            group.cancel_scope.cancel()

    async def work(number):
        log.append(number)

    async def handler(number: int, group=Depends(workers, scope="connection")):
        group.start_soon(work, number)

    await asyncio.create_task(harness.call(handler, 1))
    await asyncio.create_task(harness.call(handler, 2))
    await asyncio.create_task(harness.client.scope_store.aclose())

    assert log == [1, 2]


async def test_a_task_group_that_fails_is_told_of_and_opened_anew(harness):
    """The connection goes on without it; the next event that asks for it has another one."""
    reported, opened = [], []
    told = asyncio.Event()

    def report(_loop, details):
        reported.append(details["exception"])
        told.set()

    asyncio.get_running_loop().set_exception_handler(report)

    async def workers():
        async with anyio.create_task_group() as group:
            opened.append(group)
            yield group

    async def crash():
        raise ValueError("bad")

    async def handler(group=Depends(workers, scope="connection")):
        group.start_soon(crash)

    endpoint = harness.compile(handler)
    for number in (1, 2):
        told.clear()
        context = harness.context()
        await endpoint.call(context)
        await asyncio.wait_for(told.wait(), WAIT_S)
        await context.aclose()
        assert len(opened) == len(reported) == number

    assert isinstance(reported[0].exceptions[0], ValueError)
    await harness.client.scope_store.aclose()


async def test_an_event_that_is_cancelled_leaves_the_opening_to_the_others(harness):
    """What one of them has begun is not begun again."""
    gate, started, calls = asyncio.Event(), asyncio.Event(), []

    async def user():
        calls.append("user")
        started.set()
        await gate.wait()
        yield "user"

    endpoint = harness.compile(lambda who=Depends(user, scope="connection"): who)
    first = asyncio.create_task(endpoint.call(harness.context()))
    await asyncio.wait_for(started.wait(), WAIT_S)
    second = asyncio.create_task(endpoint.call(harness.context()))
    first.cancel()
    await asyncio.wait([first])
    gate.set()

    assert await asyncio.wait_for(second, WAIT_S) == "user"
    assert calls == ["user"]


async def test_a_generator_that_fails_to_open_is_tried_again_by_the_next_event(harness):
    """Those that waited for it are the next ones."""
    outcomes = [ValueError("down"), None]

    async def user():
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        yield "user"

    endpoint = harness.compile(lambda who=Depends(user, scope="connection"): who)
    results = await asyncio.gather(*(endpoint.call(harness.context()) for _ in range(3)), return_exceptions=True)

    assert isinstance(results[0], ValueError)
    assert results[1:] == ["user", "user"]


async def test_what_fails_while_it_is_closed_is_raised_when_all_are_closed(harness):
    """One that fails keeps no other one open."""
    log = []

    async def pool():
        yield
        log.append("pool closed")

    async def lease(inner=Depends(pool, scope="connection")):
        yield
        raise ValueError("bad")

    await harness.call(lambda value=Depends(lease, scope="connection"): value)

    with pytest.raises(ValueError, match="bad"):
        await harness.client.scope_store.aclose()
    assert log == ["pool closed"]


async def test_a_wrapper_around_a_generator_and_around_a_function_last_as_long(harness):
    """Only what they return tells which of the two they are."""
    log = []

    async def generator():
        yield "value"
        log.append("closed")

    async def function():
        return "plain"

    @wraps(generator)
    def opened():
        return generator()

    @wraps(function)
    def called():
        return function()

    def handler(one=Depends(opened, scope="connection"), two=Depends(called, scope="connection")):
        return one, two

    assert await harness.call(handler) == ("value", "plain")
    await harness.client.scope_store.aclose()
    assert log == ["closed"]


async def test_it_may_use_what_the_connection_knows(harness):
    """Auth is kept with the client, so it is available here outside connect handlers."""
    harness.client.auth = {"token": "t"}
    harness.client.session["name"] = "Ada"

    def user(auth: Auth, environ: Environ, session: Session, server: harness.Server):
        return auth["token"], environ, session["name"], server

    async def handler(who=Depends(user, scope="connection")):
        return who

    assert await harness.call(handler) == ("t", {}, "Ada", harness.server)


@pytest.mark.parametrize("annotation", [Data, Event, dict, list[int]])
def test_it_may_not_use_what_belongs_to_one_event(harness, annotation):
    """It would outlive the event."""

    def user(what):
        return what

    user.__annotations__["what"] = annotation

    with pytest.raises(SignatureError, match=r"parameter 'what' .* outlives"):
        harness.compile(lambda who=Depends(user, scope="connection"): who)


def test_it_may_not_depend_on_an_event_scoped_dependency(harness):
    """The inner value would be closed while the outer one lives."""

    def database():
        return "db"

    def user(db=Depends(database)):
        return db

    with pytest.raises(SignatureError, match=r"'db' depends on .*database, which lives for one event only"):
        harness.compile(lambda who=Depends(user, scope="connection"): who)


async def test_two_clients_have_values_of_their_own(harness):
    """The scope belongs to the connection, not to the handler."""

    async def user():
        return object()

    endpoint = harness.compile(lambda who=Depends(user, scope="connection"): who)
    first = await endpoint.call(harness.context())
    harness.client.scope_store = type(harness.client.scope_store)()

    second = await endpoint.call(Context(harness.server, harness.client, "said"))

    assert first is not second

"""The context of one event."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import wraps

import anyio
import pytest

from fastsio.exceptions import SignatureError
from fastsio.injection import Context, Depends
from fastsio.injection.context import unwind, unwind_async
from fastsio.types import Auth, Data, Environ, Event, Session, SocketID

# ruff: noqa: B008 - Depends() as a default is what is tested; models and handlers here are examples; annotations are resolved at run time


async def test_closing_a_context_that_opened_nothing_does_nothing(harness):
    """Most events have no generator to close."""
    context = harness.context()

    await context.aclose()
    context.close()

    assert context.stack is None


async def test_generators_stay_open_until_the_context_is_closed(harness):
    """The acknowledgement is sent between the handler and the end of its dependencies."""
    log = []

    async def database():
        log.append("open")
        yield "db"
        log.append("closed")

    def transaction(db=Depends(database)):
        yield db
        log.append("committed")

    async def handler(db=Depends(transaction)):
        log.append(db)

    context = harness.context()

    await harness.compile(handler).call(context)
    log.append("ack")
    await context.aclose()
    await context.aclose()

    assert log == ["open", "db", "ack", "committed", "closed"]


async def test_the_exception_is_thrown_into_the_generators(harness):
    """A dependency can roll back."""
    seen = []

    def database():
        try:
            yield
        except ValueError as error:
            seen.append(error)
            raise

    context = harness.context()
    error = ValueError("boom")
    await harness.compile(lambda db=Depends(database): None).call(context)

    await context.aclose(error)

    assert seen == [error]


async def test_cancellation_is_thrown_into_the_generators(harness):
    """A cancelled event closes what it opened, and each dependency sees why."""
    seen = []

    async def database():
        try:
            yield
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    context = harness.context()
    await harness.compile(lambda db=Depends(database): None).call(context)

    await context.aclose(asyncio.CancelledError())

    assert seen == ["cancelled"]


def test_a_sync_server_closes_generators_too(harness):
    """close() is aclose() without an event loop."""
    log = []

    def database():
        yield "db"
        log.append("closed")

    result = harness.call_sync(lambda db=Depends(database): db)

    assert (result, log) == ("db", ["closed"])


async def test_endpoints_of_one_event_share_resolved_values(harness):
    """use_cache is per event: a middleware and the handler get the same object."""
    calls = []

    async def user():
        calls.append("user")
        return object()

    async def hook(who=Depends(user)):
        return who

    context = harness.context()

    first = await harness.compile(hook).call(context)
    second = await harness.compile(hook).call(context)

    assert first is second
    assert calls == ["user"]


async def test_values_made_from_the_payload_are_not_shared_between_endpoints(harness):
    """A middleware may have replaced the payload in between."""

    async def text(data: Data):
        return data

    async def outer(value=Depends(text)):
        return value

    async def handler(value=Depends(outer)):
        return value

    context = harness.context("raw")
    endpoint = harness.compile(handler)
    before = await endpoint.call(context)
    context.args = ("cleaned",)

    after = await endpoint.call(context)

    assert (before, after) == ("raw", "cleaned")


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
    await asyncio.wait_for(started.wait(), 5)
    gate.set()

    values = await asyncio.wait_for(asyncio.gather(*tasks), 5)

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
    await asyncio.wait_for(started.wait(), 5)
    await harness.client.scope_store.aclose()
    gate.set()

    assert await asyncio.wait_for(task, 5) == "user"
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
        await asyncio.wait_for(told.wait(), 5)
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
    await asyncio.wait_for(started.wait(), 5)
    second = asyncio.create_task(endpoint.call(harness.context()))
    first.cancel()
    await asyncio.wait([first])
    gate.set()

    assert await asyncio.wait_for(second, 5) == "user"
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


def test_threads_that_race_resolve_a_value_once(harness):
    """A synchronous server gives a thread lock."""
    harness.use_threads()
    started, gate, calls = threading.Event(), threading.Event(), []

    def user():
        calls.append("user")
        started.set()
        assert gate.wait(5)
        return object()

    endpoint = harness.compile(lambda who=Depends(user, scope="connection"): who, asynchronous=False)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(endpoint.call_sync, harness.context())
        assert started.wait(5)
        second = pool.submit(endpoint.call_sync, harness.context())
        gate.set()

        assert first.result(5) is second.result(5)
    assert endpoint.call_sync(harness.context()) is first.result()
    assert calls == ["user"]


def test_a_sync_scope_closes_its_generators(harness):
    """close() is aclose() without an event loop."""
    harness.use_threads()
    log = []

    def user():
        yield "user"
        log.append("closed")

    assert harness.call_sync(lambda who=Depends(user, scope="connection"): who) == "user"
    assert log == []

    harness.client.scope_store.close()

    assert log == ["closed"]


def test_a_sync_generator_is_opened_and_closed_in_one_thread_and_one_context(harness):
    """As with tasks: thread-locals, locks of threads and context variables work."""
    harness.use_threads()
    variable = contextvars.ContextVar("variable", default="none")
    lock, log = threading.RLock(), []

    def user():
        token = variable.set("set")
        thread = threading.get_ident()
        with lock:
            yield variable.get()
        variable.reset(token)
        log.append(thread == threading.get_ident())

    endpoint = harness.compile(lambda who=Depends(user, scope="connection"): who, asynchronous=False)
    context = harness.context()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(endpoint.call_sync, context).result(5) == "set"
    harness.client.scope_store.close()
    assert log == []

    context.close()
    assert log == [True]


def test_threads_that_race_open_a_generator_once(harness):
    """The second waits for the first; if that fails it tries itself."""
    harness.use_threads()
    started, gate, calls = threading.Event(), threading.Event(), []

    def user():
        calls.append("user")
        started.set()
        assert gate.wait(5)
        if len(calls) == 1:
            raise ValueError("down")
        yield "user"

    endpoint = harness.compile(lambda who=Depends(user, scope="connection"): who, asynchronous=False)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(endpoint.call_sync, harness.context())
        assert started.wait(5)
        second = pool.submit(endpoint.call_sync, harness.context())
        gate.set()

        assert isinstance(first.exception(5), ValueError)
        assert second.result(5) == "user"
    assert calls == ["user", "user"]


def test_a_thread_that_fails_leaves_nothing_and_one_that_comes_late_closes_with_its_event(harness):
    """As with tasks."""
    harness.use_threads()
    outcomes, log = [ValueError("down"), "plain"], []

    def plain():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def user():
        yield "user"
        log.append("closed")
        raise ValueError("bad")

    endpoint = harness.compile(lambda who=Depends(plain, scope="connection"): who, asynchronous=False)
    with pytest.raises(ValueError, match="down"):
        endpoint.call_sync(harness.context())
    assert endpoint.call_sync(harness.context()) == "plain"

    opened = harness.compile(lambda who=Depends(user, scope="connection"): who, asynchronous=False)
    context = harness.context()
    opened.call_sync(context)
    context.close()
    with pytest.raises(ValueError, match="bad"):
        harness.client.scope_store.close()
    late = harness.context()
    assert opened.call_sync(late) == "user"
    with pytest.raises(ValueError, match="bad"):
        late.close()
    assert log == ["closed", "closed"]


async def test_two_clients_have_values_of_their_own(harness):
    """The scope belongs to the connection, not to the handler."""

    async def user():
        return object()

    endpoint = harness.compile(lambda who=Depends(user, scope="connection"): who)
    first = await endpoint.call(harness.context())
    harness.client.scope_store = type(harness.client.scope_store)()

    second = await endpoint.call(Context(harness.server, harness.client, "said"))

    assert first is not second


class Recorder:
    """Opens managers that write down how they are left."""

    def __init__(self):
        self.log = []

    def open(self, name, *, swallow=False, replace=None):
        @contextmanager
        def manager():
            try:
                yield
            except BaseException as error:
                self.log.append((name, type(error)))
                if replace is not None:
                    raise replace from error
                if not swallow:
                    raise
            else:
                self.log.append((name, None))
                if replace is not None:
                    raise replace

        entered = manager()
        entered.__enter__()
        return entered

    async def open_async(self, name):
        @asynccontextmanager
        async def manager():
            try:
                yield
            except BaseException as error:
                self.log.append((name, type(error)))
                raise
            else:
                self.log.append((name, None))

        entered = manager()
        await entered.__aenter__()
        return entered


def test_managers_are_left_in_reverse_order():
    """What was opened last may depend on what was opened first."""
    recorder = Recorder()

    unwind([recorder.open("first"), recorder.open("second")])

    assert recorder.log == [("second", None), ("first", None)]


def test_the_exception_reaches_every_manager_and_is_not_raised_again():
    """Who throws it in has it already."""
    recorder = Recorder()

    unwind([recorder.open("first"), recorder.open("second")], ValueError())

    assert recorder.log == [("second", ValueError), ("first", ValueError)]


def test_a_manager_that_swallows_does_not_hide_the_failure_from_the_others():
    """A transaction must not be committed because a logger was content."""
    recorder = Recorder()

    unwind([recorder.open("database"), recorder.open("logger", swallow=True)], ValueError())

    assert recorder.log == [("logger", ValueError), ("database", ValueError)]


def test_a_failing_manager_does_not_keep_the_others_open():
    """Its error is thrown into those that remain, and raised at the end."""
    recorder = Recorder()

    with pytest.raises(KeyError):
        unwind([recorder.open("first"), recorder.open("second", replace=KeyError("x"))])

    assert recorder.log == [("second", None), ("first", KeyError)]


def test_a_replaced_exception_is_what_comes_out():
    """A dependency may translate an error."""
    recorder = Recorder()

    with pytest.raises(PermissionError):
        unwind([recorder.open("first", replace=PermissionError())], ValueError())


async def test_both_colours_are_left_in_one_order():
    """Generators and async generators share one stack."""
    recorder = Recorder()
    managers = [recorder.open("sync"), await recorder.open_async("async")]

    await unwind_async(managers, ValueError())

    assert recorder.log == [("async", ValueError), ("sync", ValueError)]


async def test_a_failing_manager_does_not_keep_async_ones_open():
    """The rule holds for both colours."""
    recorder = Recorder()
    managers = [await recorder.open_async("async"), recorder.open("sync", replace=KeyError("x"))]

    with pytest.raises(KeyError):
        await unwind_async(managers)

    assert recorder.log == [("sync", None), ("async", KeyError)]

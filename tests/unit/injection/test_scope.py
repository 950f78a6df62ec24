# ruff: noqa: B008 - Depends() as a default is what is tested; models and handlers here are examples
"""Values that last as long as a connection."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastsio.exceptions import SignatureError
from fastsio.injection import ConnectionScope, Context, Depends
from fastsio.types import Auth, Data, Environ, Event, Session, SocketID


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


def test_a_thread_that_waited_takes_the_value_of_the_first():
    """The value is looked up again under the lock."""

    class SlowLock:
        """Lets another thread resolve the value while this one waits."""

        waited = False

        def __enter__(self):
            if not SlowLock.waited:
                SlowLock.waited = True
                scope.resolve_sync("key", lambda: "first")

        def __exit__(self, *_details):
            return None

    scope = ConnectionScope(SlowLock)

    assert scope.resolve_sync("key", lambda: "second") == "first"


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


async def test_two_clients_have_values_of_their_own(harness):
    """The scope belongs to the connection, not to the handler."""

    async def user():
        return object()

    endpoint = harness.compile(lambda who=Depends(user, scope="connection"): who)
    first = await endpoint.call(harness.context())
    harness.client.scope_store = ConnectionScope(asyncio.Lock)

    second = await endpoint.call(Context(harness.server, harness.client, "said"))

    assert first is not second

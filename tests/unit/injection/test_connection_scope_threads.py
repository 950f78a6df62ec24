"""Values that last as long as a connection, with threads."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastsio.injection import Depends
from tests.support.waiting import WAIT_S

# ruff: noqa: B008 - Depends() as a default is what is tested; models and handlers here are examples


def test_threads_that_race_resolve_a_value_once(harness):
    """A synchronous server gives a thread lock."""
    harness.use_threads()
    started, gate, calls = threading.Event(), threading.Event(), []

    def user():
        calls.append("user")
        started.set()
        assert gate.wait(WAIT_S)
        return object()

    endpoint = harness.compile(lambda who=Depends(user, scope="connection"): who, asynchronous=False)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(endpoint.call_sync, harness.context())
        assert started.wait(WAIT_S)
        second = pool.submit(endpoint.call_sync, harness.context())
        gate.set()

        assert first.result(WAIT_S) is second.result(WAIT_S)
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
        assert pool.submit(endpoint.call_sync, context).result(WAIT_S) == "set"
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
        assert gate.wait(WAIT_S)
        if len(calls) == 1:
            raise ValueError("down")
        yield "user"

    endpoint = harness.compile(lambda who=Depends(user, scope="connection"): who, asynchronous=False)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(endpoint.call_sync, harness.context())
        assert started.wait(WAIT_S)
        second = pool.submit(endpoint.call_sync, harness.context())
        gate.set()

        assert isinstance(first.exception(5), ValueError)
        assert second.result(WAIT_S) == "user"
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


def test_a_late_event_does_not_keep_open_what_others_use(harness):
    """It opens a value of its own; what another event still uses is closed with that one."""
    harness.use_threads()
    log = []

    def pool():
        yield "pool"
        log.append("pool closed")

    def late():
        yield "late"
        log.append("late closed")

    endpoint = harness.compile(lambda value=Depends(pool, scope="connection"): value, asynchronous=False)
    context = harness.context()
    endpoint.call_sync(context)
    harness.client.scope_store.close()

    assert harness.call_sync(lambda value=Depends(late, scope="connection"): value) == "late"
    assert log == ["late closed"]
    context.close()
    assert log == ["late closed", "pool closed"]

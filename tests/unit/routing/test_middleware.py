"""The onion."""

from __future__ import annotations

import re

import pytest

from fastsio import BaseMiddleware, Depends, MiddlewareChain, SyncMiddleware
from fastsio.exceptions import SetupError, SignatureError
from fastsio.injection.sources import payload_of
from fastsio.routing.middleware import (
    Scope,
    Wrapper,
    detached_context,
    event_context,
    fold,
    replace_data,
    unreached,
)


async def run(middleware, *, data=None, handler=None, **context):
    """Run one middleware, or several, around a handler."""
    chain = MiddlewareChain()
    for one in middleware if isinstance(middleware, list) else [middleware]:
        chain.add_middleware(one)
    return await chain.execute("e", "s1", data, handler or (lambda sid, data: data), **context)


class Tracer(BaseMiddleware):
    """Writes down when it runs."""

    def __init__(self, name, log, **scope):
        super().__init__(**scope)
        self.name, self.log = name, log

    async def before_event(self, event, sid, data):
        self.log.append(f"{self.name}>")
        return data

    async def after_event(self, event, sid, response):
        self.log.append(f"<{self.name}")
        return response


async def test_the_first_added_is_the_outermost():
    """A, B, handler, B, A."""
    log = []

    await run([Tracer("A", log), Tracer("B", log)], handler=lambda sid, data: log.append("handler"))

    assert log == ["A>", "B>", "handler", "<B", "<A"]


async def test_what_before_event_returns_replaces_the_data():
    """None leaves it as it is."""

    class Replace(SyncMiddleware):
        def before_event(self, data):
            return {**data, "new": 1}

    class Keep(SyncMiddleware):
        def before_event(self):
            return None

    assert await run([Replace(), Keep()], data={"old": 0}) == {"old": 0, "new": 1}


async def test_what_after_event_returns_replaces_the_answer():
    """None leaves the handler's answer."""

    class Replace(BaseMiddleware):
        async def after_event(self, response):
            return response + 1

    class Keep(BaseMiddleware):
        async def after_event(self): ...

    assert await run([Replace(), Keep(), BaseMiddleware()], data=1) == 2


async def test_hooks_take_the_context_they_name_by_keyword():
    """Whatever the order or the defaults of the hook's parameters."""
    seen = {}

    class Hook(BaseMiddleware):
        async def before_event(self, event, sid, data, environ: dict = None, **kwargs):  # noqa: RUF013 - as snippets.md writes it
            seen.update(kwargs, environ=environ, first=(event, sid, data))

    await run(Hook(), data=5, namespace="/n", environ={"a": 1}, auth="token", server="server")

    assert seen == {
        "first": ("e", "s1", 5),
        "environ": {"a": 1},
        "namespace": "/n",
        "auth": "token",
        "server": "server",
    }


async def test_handle_exception_answers_instead():
    """It sees failures of the handler and of hooks further in, and of its own."""

    class Rescue(BaseMiddleware):
        async def handle_exception(self, exc, event, sid, data, **kwargs):
            return f"{type(exc).__name__} in {event} with {data}"

    def fail(sid, data):
        raise KeyError

    assert await run(Rescue(), data=1, handler=fail) == "KeyError in e with 1"


async def test_handle_exception_may_pass_the_failure_on():
    """Raising in the hook is what the caller sees."""

    class Pass(SyncMiddleware):
        def handle_exception(self, exc):
            raise ValueError from exc

    def fail(sid, data):
        raise KeyError

    with pytest.raises(ValueError, match=r"^$"):
        await run(Pass(), handler=fail)


async def test_a_custom_call_decides_everything():
    """__call__ gets the handler, and may not call it at all."""

    class Double(BaseMiddleware):
        async def __call__(self, event, sid, data, handler, **kwargs):
            return await handler(sid, data * 2) + 1

    class Stop(BaseMiddleware):
        async def __call__(self, event, sid, data, handler, **kwargs):
            return "stopped"

    class Through(BaseMiddleware):
        async def __call__(self, event, sid, data, handler, **kwargs):
            return await super().__call__(event, sid, data, handler, **kwargs)

        async def before_event(self, event, sid, data, **kwargs):
            return data + 100

    assert await run(Double(), data=5) == 11
    assert await run(Stop(), data=5) == "stopped"
    assert await run([Through()], data=1) == 101


async def test_a_function_is_a_middleware_too():
    """A plain async function stands for __call__."""

    async def around(sid, data, handler):
        return [await handler(sid)]

    assert await run(around, data=5) == [5]


async def test_the_base_call_runs_a_plain_handler():
    """super().__call__ serves coroutine functions and functions."""

    async def coroutine(sid, data):
        return data

    assert await BaseMiddleware()("e", "s1", 3, coroutine) == 3
    assert await BaseMiddleware()("e", "s1", 3, lambda sid, data: data) == 3


async def test_hooks_may_have_dependencies():
    """A hook is an endpoint like any other."""

    class Hook(BaseMiddleware):
        async def before_event(self, data, extra: int = Depends(lambda: 7)):
            return data + extra

    class Server:
        dependency_overrides = {}
        host_app = None

    assert await run(Hook(), data=1, server=Server()) == 8


def test_a_hook_with_an_unknown_parameter_is_refused():
    """Nothing could ever fill it."""

    class Hook(BaseMiddleware):
        async def before_event(self, payload): ...

    with pytest.raises(SignatureError, match="payload"):
        Wrapper.of(Hook())


def test_what_is_no_middleware_is_refused():
    """An object without hooks."""
    with pytest.raises(SetupError, match="not a middleware"):
        Wrapper.of(object())


@pytest.mark.parametrize(
    ("own", "registered", "holds"),
    [
        ({}, {}, {("a", "/"), ("b", "/"), ("a", "/x"), ("b", "/x")}),
        ({"events": ["a"]}, {}, {("a", "/"), ("a", "/x")}),
        ({"events": "a", "namespace": "/x"}, {}, {("a", "/x")}),
        ({"global_middleware": False}, {}, {("a", "/"), ("b", "/")}),
        ({"events": ["a"]}, {"global_middleware": True}, {("a", "/"), ("b", "/"), ("a", "/x"), ("b", "/x")}),
        ({"events": ["a"]}, {"events": ["b"], "namespace": "/x"}, {("b", "/x")}),
        ({"events": "*", "namespace": "*"}, {}, {("a", "/"), ("b", "/"), ("a", "/x"), ("b", "/x")}),
        ({"events": ["a"]}, {"events": ["*"], "namespace": "/x"}, {("a", "/x"), ("b", "/x")}),
        ({}, {"namespace": ""}, {("a", "/"), ("b", "/")}),
    ],
)
def test_the_scope_is_the_registrations_then_the_middlewares(own, registered, holds):
    """What add_middleware is told comes before what the instance says."""
    scope = Scope.of(BaseMiddleware(**own), **registered)

    assert {(e, n) for e in "ab" for n in ("/", "/x") if scope.holds(e, n)} == holds


def test_the_events_of_any_object_may_be_one_name():
    """A text is a name, not the names that stand in it."""

    class Guard:
        events = "connect"

    assert not Scope.of(Guard()).holds("on", "/")
    assert Scope.of(Guard()).holds("connect", "/")


@pytest.mark.parametrize(("namespace", "told"), [("chat", "write '/chat'"), (["/"], "write '/name'")])
def test_a_middleware_for_a_namespace_that_there_cannot_be_is_refused(namespace, told):
    """It would never run, and a guard that never runs lets everybody in."""
    with pytest.raises(SetupError, match=told):
        BaseMiddleware(namespace=namespace)
    with pytest.raises(SetupError, match=told):
        Scope.of(BaseMiddleware(), namespace=namespace)


def test_a_class_in_place_of_a_middleware_is_refused():
    """The error says what to add."""
    with pytest.raises(SetupError, match=r"BaseMiddleware is a class; add an object, BaseMiddleware\(\)"):
        Wrapper.of(BaseMiddleware)


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("before_evnt", "before_event"),
        ("after_events", "after_event"),
        ("handle_exeption", "handle_exception"),
        ("beforeEvent", "before_event"),
        ("on_before_event", "before_event"),
    ],
)
@pytest.mark.parametrize("base", [BaseMiddleware, SyncMiddleware, object])
def test_a_method_that_is_nearly_called_like_a_hook_is_refused(name, hook, base):
    """It would guard nothing. The error names the method and the hook; a chain says so too."""
    guard = type("Guard", (base,), {name: lambda self, event, sid, data: data, "after_event": lambda self: None})()

    with pytest.raises(SetupError, match=rf"^Guard\.{name} is no hook and would never run; did you mean '{hook}'\?$"):
        Wrapper.of(guard)
    with pytest.raises(SetupError, match="is no hook"):
        MiddlewareChain().add_middleware(guard)


def test_a_slip_that_a_subclass_calls_on_its_parent_is_one_still():
    """Nobody else calls it."""

    class Guard(BaseMiddleware):
        def before_evnt(self, event, sid, data):
            return data

    class Strict(Guard):
        def before_evnt(self, event, sid, data):
            return super().before_evnt(event, sid, data)

    with pytest.raises(SetupError, match="is no hook"):
        Wrapper.of(Strict())


def test_helpers_of_a_middleware_may_be_called_as_they_like():
    """A method that another one uses runs; so does what is far from any hook, private, or no method at all."""

    class Guard(BaseMiddleware):
        before_events = ("a", "b")

        async def before_event(self, event, sid, data):
            return [self.alter_event(one) for one in data]

        @staticmethod
        def alter_event(one: str) -> str:
            return one

        def handle_event(self, event):
            """Be called by the application."""

        def _before_event(self):
            """Be private."""

    assert Wrapper.of(Guard()).before is not None


@pytest.mark.parametrize("base", [BaseMiddleware, SyncMiddleware])
def test_a_middleware_without_a_hook_is_refused(base):
    """A subclass that brings none does nothing; the error names those there are."""

    class Guard(base):
        def before_connect(self, sid): ...

    with pytest.raises(
        SetupError, match=r"Guard object at .* has no hook of its own; give it before_event, after_event"
    ):
        Wrapper.of(Guard())
    assert Wrapper.of(base()).endpoints() == []


def wrappers(*middlewares, **scope):
    """Return middlewares as a server registers them."""
    return [(Scope.of(one, **scope), Wrapper.of(one)) for one in middlewares]


@pytest.mark.parametrize(
    ("scope", "handled", "said"),
    [
        (
            {"events": "mesage"},
            {"/": {"message"}},
            "'mesage', which has no handler: it never runs for it; did you mean 'mess",
        ),
        ({"events": "message", "namespace": "/b"}, {"/a": {"message"}}, "'message', which has no handler in '/b'"),
        (
            {"events": "conect"},
            {"/": {"message"}},
            "'conect', which has no handler: it never runs for it; did you mean 'conn",
        ),
        ({"events": ["message", 5]}, {"/": {"message"}}, "5, which has no handler: it never runs for it$"),
    ],
)
def test_an_event_of_a_middleware_without_a_handler_is_told(scope, handled, said):
    """The sentence names middleware, event and, if there is one, the name that was meant."""
    [text] = unreached(wrappers(Tracer("T", []), **scope), handled, ("connect", "disconnect"))

    assert re.search("^Tracer is for the event " + said, text)


@pytest.mark.parametrize(
    ("scope", "handled"),
    [
        ({}, {}),
        ({"namespace": "/a"}, {}),
        ({"events": ["connect", "disconnect"]}, {}),
        ({"events": "message"}, {"/": {"message"}}),
        ({"events": "message", "namespace": "/b"}, {"*": {"message"}}),
        ({"events": "anything"}, {"/": {"*"}}),
        ({"events": "anything", "namespace": "/b"}, {"*": {"*"}}),
    ],
)
def test_nothing_is_told_of_middlewares_that_may_run(scope, handled):
    """Built-in events happen anyway, and a handler for every event, or in every namespace, counts."""
    assert unreached(wrappers(Tracer("T", []), **scope), handled, ("connect", "disconnect")) == []


def test_those_in_a_chain_are_looked_at_one_by_one():
    """Each has a scope of its own."""
    inner, outer = MiddlewareChain(), MiddlewareChain()
    inner.add_middleware(Tracer("T", [], events="mesage"))
    inner.add_middleware(Tracer("T", []))
    outer.add_middleware(inner)

    [text] = unreached(wrappers(outer), {"/": {"message"}})
    assert text.startswith("Tracer is for the event 'mesage'")


def test_should_run_tells_the_own_scope():
    """The method of the base class, for those who ask."""
    middleware = BaseMiddleware(events=["a"])

    assert middleware.should_run("a")
    assert not middleware.should_run("b", "/x")


class Choosy(Tracer):
    """Runs for the events of a set that may change."""

    chosen = frozenset({"e"})

    def should_run(self, event, namespace=None):
        self.log.append((event, namespace))
        return event in self.chosen


async def test_an_own_should_run_is_asked_for_each_event():
    """As in fastsio 0.3.6: it may decide by what changes, and what the base class would have said does not count."""
    log = []
    choosy = Choosy("C", log, events=["never"], namespace="/never")

    await run(choosy, handler=lambda sid, data: log.append("handler"))
    choosy.chosen = frozenset()
    await run(choosy, handler=lambda sid, data: log.append("handler"), namespace="/chat")

    assert log == [("e", "/"), "C>", "handler", "<C", ("e", "/chat"), "handler"]


def test_a_registration_still_limits_one_that_decides_itself():
    """What add_middleware() was given is not the middleware's to widen."""
    scope = Scope.of(Choosy("C", [], events=["never"], namespace="/never"), events=["e"], namespace="/chat")

    assert scope == Scope(frozenset({"e"}), "/chat")


def test_an_own_should_run_may_ask_the_base_class():
    """That one knows the scope which the middleware was made with."""

    class Asking(BaseMiddleware):
        def should_run(self, event, namespace=None):
            return super().should_run(event, namespace)

    asking = Asking(events=["a"])

    assert asking.should_run("a")
    assert not asking.should_run("b")


def test_should_run_is_a_plain_function():
    """A coroutine would be true."""

    class Waiting(BaseMiddleware):
        async def should_run(self, event, namespace=None):
            return False

        async def before_event(self, event, sid, data): ...

    with pytest.raises(SetupError, match=r"Waiting\.should_run is not awaited; write 'def should_run'"):
        Wrapper.of(Waiting())


async def test_a_chain_runs_those_in_scope_and_may_be_nested():
    """A chain is a middleware; what is removed runs no more."""
    log = []
    inner, outer = MiddlewareChain(), MiddlewareChain()
    tracer = Tracer("T", log)
    inner.add_middleware(tracer)
    inner.add_middleware(Tracer("never", log, events=["other"]))
    outer.add_middleware(inner)

    assert await outer.execute("e", "s1", 1, lambda sid, data: data) == 1
    inner.remove_middleware(tracer)
    await outer.execute("e", "s1", 1, lambda sid, data: data)

    assert log == ["T>", "<T"]


@pytest.mark.parametrize(
    ("args", "new", "after"),
    [((1,), 2, (2,)), ((1,), (2, 3), ((2, 3),)), ((1, 2), (3, 4), (3, 4)), ((), (1,), (1,)), ((), 5, (5,))],
)
def test_data_keeps_its_number_of_arguments(args, new, after):
    """A tuple replaces several arguments, but is one value where there was one."""
    context = detached_context("e", "s1", None)
    context.args = args

    replace_data(context, new)

    assert context.args == after


def test_hooks_see_none_one_or_a_tuple():
    """The payload as Data has it."""
    assert payload_of(detached_context("e", "s1", None)) is None
    assert payload_of(detached_context("e", "s1", 5)) == 5
    assert payload_of(detached_context("e", "s1", (1, 2))) == (1, 2)


async def test_folding_nothing_is_the_endpoint_itself():
    """An event without middleware pays nothing."""

    async def endpoint(context): ...

    assert fold([], endpoint) is endpoint
    assert Wrapper.of(BaseMiddleware()).wrap(endpoint) is endpoint


@pytest.mark.parametrize("base", [BaseMiddleware, SyncMiddleware])
async def test_the_hooks_of_the_base_classes_change_nothing(base):
    """super() may be called from an override."""

    class Super(base):
        async def before_event(self, event, sid, data, **kwargs):
            result = super().before_event(event, sid, data, **kwargs)
            return await result if base is BaseMiddleware else result

        async def after_event(self, event, sid, response, **kwargs):
            result = super().after_event(event, sid, response, **kwargs)
            return await result if base is BaseMiddleware else result

        async def handle_exception(self, exc, event, sid, data, **kwargs):
            result = super().handle_exception(exc, event, sid, data, **kwargs)
            return await result if base is BaseMiddleware else result

    def fail(sid, data):
        raise KeyError

    assert await run(Super(), data=5) == 5
    with pytest.raises(KeyError):
        await run(Super(), handler=fail)


@pytest.mark.parametrize(
    ("call", "seen"),
    [
        (lambda handler, sid, data, context: handler(sid, {"n": 2}), {"n": 2}),
        (lambda handler, sid, data, context: handler({"n": 3}), {"n": 3}),
        (lambda handler, sid, data, context: handler({"n": 4}, **context), {"n": 4}),
        (lambda handler, sid, data, context: handler(data={"n": 5}), {"n": 5}),
        (lambda handler, sid, data, context: handler(sid), {"n": 1}),
        (lambda handler, sid, data, context: handler(), {"n": 1}),
    ],
)
@pytest.mark.parametrize("is_plain", [False, True])
async def test_the_handler_of_a_whole_middleware_is_called_in_several_ways(call, seen, is_plain):
    """With the sid or without, with the context that came by keyword or without; by a plain function too."""

    class Around(BaseMiddleware):
        async def __call__(self, event, sid, data, handler, **context):
            return await call(handler, sid, data, context)

    class Plain(SyncMiddleware):
        def __call__(self, event, sid, data, handler, **context):
            return call(handler, sid, data, context)

    async def endpoint(context):
        return context.args[0]

    wrapper = Wrapper.of(Plain() if is_plain else Around())

    assert await wrapper.wrap(endpoint)(detached_context("e", "s1", {"n": 1})) == seen


def test_a_chain_runs_without_an_event_loop():
    """Those that are in scope, around a plain function."""
    log = []
    chain = MiddlewareChain()

    class Noting(SyncMiddleware):
        def before_event(self, event, sid, data):
            log.append((event, sid, data))

    chain.add_middleware(Noting())
    chain.add_middleware(Noting(events="other"))

    assert chain.execute_sync("e", "s1", 5, lambda sid, data: data + 1) == 6
    assert chain.execute_sync("e", "s1", 6, lambda sid, data: data + 1) == 7
    assert log == [("e", "s1", 5), ("e", "s1", 6)]


async def test_a_chain_is_called_as_a_middleware_is():
    """By hand, around a handler."""
    assert await MiddlewareChain()("e", "s1", 5, lambda sid, data: data) == 5


@pytest.mark.parametrize(
    ("event", "given", "args", "reason"),
    [
        ("connect", [{"REQUEST_METHOD": "GET"}], ({"token": 1},), None),
        ("disconnect", ["transport close"], (), "transport close"),
        ("disconnect", [], (), None),
        ("news", [1, 2], (1, 2), None),
    ],
)
def test_a_context_is_made_of_what_a_handler_gets(event, given, args, reason):
    """After the sid: the environ of a connect, the reason of a disconnect, the arguments of another event."""
    client = detached_context("e", "s1", None, auth={"token": 1}).client

    context = event_context(None, client, event, given)

    assert (context.event, context.args, context.reason) == (event, args, reason)

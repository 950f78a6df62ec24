"""Middlewares around handlers, as a server runs them."""

from __future__ import annotations

import logging

import pytest

import fastsio
from fastsio import BaseMiddleware, Depends, RouterSIO, SocketID
from fastsio.exceptions import SetupError
from fastsio.middlewares import SyncMiddleware, auth_middleware, rate_limit_middleware


class Recorder(BaseMiddleware):
    """Writes down when its hooks run."""

    def __init__(self, name, log, **scope) -> None:
        super().__init__(**scope)
        self.name = name
        self.log = log

    async def before_event(self, event, sid, data, **kwargs):
        self.log.append(f"{self.name}>{event}")
        return data

    async def after_event(self, event, sid, response, **kwargs):
        self.log.append(f"{self.name}<{event}")
        return response


async def test_the_onion_is_a_b_handler_b_a(sio, wire):
    """Middlewares run in the order they were added, and back; a router's are inside of the server's."""
    log = []
    router = RouterSIO(middleware=[Recorder("R", log)])
    router.on("ask", lambda _sid: log.append("handler"))
    sio.add_router(router)
    sio.add_middleware(Recorder("A", log))
    sio.add_middleware(Recorder("B", log))
    client = await wire.join()
    log.clear()
    await client.ask("ask")

    assert log == ["A>ask", "B>ask", "R>ask", "handler", "R<ask", "B<ask", "A<ask"]


async def test_before_event_replaces_the_data_and_after_event_the_answer(sio, wire):
    """What before_event returns is what the handler sees; what after_event returns is the acknowledgement."""

    class Doubling(BaseMiddleware):
        async def before_event(self, event, sid, data, **kwargs):
            return data * 2

        async def after_event(self, event, sid, response, **kwargs):
            return {"answer": response}

    sio.add_middleware(Doubling(events=["ask"]))
    sio.on("ask", lambda _sid, number: number)
    client = await wire.join()

    assert await client.ask("ask", 21) == [{"answer": 42}]


async def test_none_leaves_data_and_answer_alone(sio, wire):
    """A hook that returns nothing changes nothing."""

    class Silent(SyncMiddleware):
        def before_event(self, event, sid, data):
            """Return nothing."""

        def after_event(self, event, sid, response):
            """Return nothing."""

    sio.add_middleware(Silent())
    sio.on("ask", lambda _sid, *args: args)
    client = await wire.join()

    assert await client.ask("ask", 1, 2) == [1, 2]


async def test_hooks_get_their_context_by_keyword(sio, wire):
    """Context goes by keyword, filtered to what each hook names."""
    seen = []

    class Curious(BaseMiddleware):
        async def before_event(self, event, sid, data, environ=None, server=None):
            seen.append((event, sid, data, environ["NAME"], server is sio))

        async def after_event(self, event, sid, response, namespace):
            seen.append((response, namespace))

    sio.add_middleware(Curious(events=["ask"]))
    sio.on("ask", lambda _sid, data: data)
    client = await wire.join(NAME="x")
    await client.ask("ask", 5)

    assert seen == [("ask", client.sid, 5, "x", True), (5, "/")]


async def test_the_scope_belongs_to_the_registration(sio, wire):
    """The same instance may be added twice with different scopes; others' events do not pass through it."""
    log = []
    recorder = Recorder("M", log)
    sio.add_middleware(recorder, events=["a"], namespace="/")
    sio.add_middleware(recorder, events=["b"], namespace="/admin")
    for namespace in ("/", "/admin"):
        for event in ("a", "b"):
            sio.on(event, lambda _sid: None, namespace=namespace)
    client = await wire.join()
    await client.join("/admin")
    await client.send('2["a"]', '2["b"]', '2/admin,["a"]', '2/admin,1["b"]')
    await client.receive()

    assert log == ["M>a", "M<a", "M>b", "M<b"]
    sio.remove_middleware(recorder)
    assert sio.get_middlewares() == []


async def test_handle_exception_may_answer_or_pass_on(sio, wire, error_of):
    """handle_exception turns a failure into an answer; raising passes it to the next one outside."""
    log = []

    class Catching(BaseMiddleware):
        def __init__(self, name, kind) -> None:
            super().__init__()
            self.name, self.kind = name, kind

        async def handle_exception(self, exc, event, sid, data, **kwargs):
            log.append((self.name, type(exc).__name__))
            if isinstance(exc, self.kind):
                return {"caught": self.name}
            raise exc

    @sio.event
    async def fail(sid: SocketID, kind: str):
        raise {"key": KeyError, "value": ValueError, "other": OSError}[kind]("x")

    sio.add_middleware(Catching("outer", KeyError))
    sio.add_middleware(Catching("inner", ValueError))
    client = await wire.join()

    assert await client.ask("fail", "value") == [{"caught": "inner"}]
    assert await client.ask("fail", "key") == [{"caught": "outer"}]
    await client.send('21["fail","other"]')
    assert error_of(await client.receive())["type"] == "internal"
    assert [name for name, _ in log] == ["inner", "inner", "outer", "inner", "outer"]


async def test_an_exception_skips_the_inner_hooks(sio, wire, error_of):
    """PermissionError of before_event keeps the handler from running and is answered `forbidden`."""
    log = []

    class Guard(BaseMiddleware):
        async def before_event(self, event, sid, data, environ=None, **kwargs):
            if "HTTP_AUTHORIZATION" not in environ:
                raise PermissionError("no entry")

    sio.add_middleware(Guard(events=["join"]))
    sio.on("join", lambda _sid: log.append("ran") or {"status": "joined"})
    stranger, member = await wire.join(), await wire.join(HTTP_AUTHORIZATION="x")
    await stranger.send('21["join"]')

    assert error_of(await stranger.receive()) == {
        "type": "forbidden",
        "event": "join",
        "msg": "no entry",
        "detail": None,
    }
    assert await member.ask("join") == [{"status": "joined"}]
    assert log == ["ran"]


async def test_a_middleware_may_be_one_call(sio, wire):
    """A middleware with a __call__ of its own runs the handler itself, or does not."""

    class Cache(BaseMiddleware):
        def __init__(self) -> None:
            super().__init__(events=["ask"])
            self.answers = {}

        async def __call__(self, event, sid, data, handler, **kwargs):
            if data not in self.answers:
                self.answers[data] = await handler(sid, data)
            return self.answers[data]

    calls = []
    sio.add_middleware(Cache())
    sio.on("ask", lambda _sid, data: calls.append(data) or data)
    client = await wire.join()

    assert [await client.ask("ask", 1), await client.ask("ask", 1)] == [[1], [1]]
    assert calls == [1]


async def test_connect_and_disconnect_pass_through_too(sio, wire):
    """Connect and disconnect are events to a middleware; an error before connect refuses the client."""
    log = []
    sio.add_middleware(Recorder("M", log))
    sio.add_middleware(auth_middleware(lambda _sid, environ: "BADGE" in environ))
    sio.on("connect", lambda _sid, _environ: log.append("connect"))
    sio.on("disconnect", lambda _sid, _reason: log.append("disconnect"))
    stranger = await wire.open()
    await stranger.send("0")
    refusal = await stranger.receive()
    member = await wire.join(BADGE="t")
    await member.lose()

    assert refusal.startswith('4{"message":"Authentication required."')
    assert log == ["M>connect", "M>connect", "connect", "M<connect", "M>disconnect", "disconnect", "M<disconnect"]


async def test_validation_and_injection_work_inside(sio, wire, error_of):
    """Markers, Depends and validation work under a middleware; it sees the raw data."""
    seen = []

    class Watching(BaseMiddleware):
        async def before_event(self, event, sid, data, **kwargs):
            seen.append(data)

    @sio.event
    async def ask(sid: SocketID, number: int, name: str = Depends(lambda: "dep")):
        return number + 1, name

    sio.add_middleware(Watching(events=["ask"]))
    client = await wire.join()
    assert await client.ask("ask", "41") == [42, "dep"]
    await client.send('21["ask","x"]')

    assert error_of(await client.receive())["type"] == "validation_error"
    assert seen == ["41", "x"]


async def test_middlewares_are_around_class_namespaces_and_catch_alls(sio, wire):
    """A global middleware runs for methods and for catch-all handlers, under the event's own name."""
    log = []
    sio.add_middleware(Recorder("M", log), global_middleware=True)

    class Chat(fastsio.AsyncNamespace):
        async def on_talk(self, sid):
            log.append("method")

    sio.register_namespace(Chat("/chat"))
    sio.on("*", lambda _event, _sid: log.append("any"))
    client = await wire.join()
    await client.join("/chat")
    log.clear()
    await client.ask("whatever")
    await client.send('2/chat,1["talk"]')
    await client.receive()

    assert log == ["M>whatever", "any", "M<whatever", "M>talk", "method", "M<talk"]


async def test_the_rate_limit_is_told_and_passes(sio, wire, error_of):
    """Beyond the rate the client reads `rate_limited` with retry_after; when the window is over it is served."""
    now = [100.0]
    sio.add_middleware(rate_limit_middleware(2, 10.0, clock=lambda: now[0]))
    sio.on("ask", lambda _sid: "yes")
    client, other = await wire.join(), await wire.join()
    assert [await client.ask("ask"), await client.ask("ask")] == [["yes"], ["yes"]]
    now[0] += 4
    await client.send('21["ask"]')
    error = error_of(await client.receive())

    assert (error["type"], error["detail"]) == ("rate_limited", {"retry_after": 6.0})
    assert await other.ask("ask") == ["yes"]
    now[0] += 6
    assert await client.ask("ask") == ["yes"]


async def test_what_is_no_middleware_is_refused(sio):
    """An object without any of the hooks fails when it is added."""
    with pytest.raises(fastsio.exceptions.SetupError):
        sio.add_middleware(object())


def test_auth_middleware_takes_what_can_be_called():
    """The error says which arguments it is called with."""
    with pytest.raises(SetupError, match=r"auth_middleware\(\) takes a function checker\(sid, environ\), not True"):
        auth_middleware(True)


async def test_a_middleware_that_never_runs_is_told_when_the_server_starts(make, caplog):
    """The log names the middleware, the event and the one that was meant: once, and also where only errors are logged."""
    sio, wire = make()
    sio.logger = logging.getLogger("tests.errors_only")
    sio.logger.setLevel(logging.ERROR)
    sio.on("message", lambda sid: None)
    sio.add_middleware(Recorder("A", []), events="mesage")

    sio.check_handlers()
    await wire.join()

    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "fastsio.server",
            "WARNING",
            "Recorder is for the event 'mesage', which has no handler: it never runs for it; did you mean 'message'?",
        )
    ]


async def test_an_application_that_dispatches_itself_is_told_nothing(sio, wire, caplog):
    """It may handle any event."""

    async def trigger(event, namespace, *args):
        return None

    sio._trigger_event = trigger
    sio.add_middleware(Recorder("A", []), events="mesage")
    await wire.join()

    assert caplog.records == []


def test_a_misspelt_hook_is_refused_by_servers_and_routers(sio):
    """It would guard nothing."""

    class Guard(BaseMiddleware):
        async def before_evnt(self, event, sid, data, **kwargs):
            raise PermissionError

    for add in (sio.add_middleware, lambda guard: RouterSIO(middleware=[guard])):
        with pytest.raises(SetupError, match=r"Guard\.before_evnt is no hook .* did you mean 'before_event'"):
            add(Guard())

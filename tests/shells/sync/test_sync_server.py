from __future__ import annotations

import json
import threading
from typing import Annotated

import fastapi
import pytest
from pydantic import BaseModel

from fastsio import (
    AsyncServer,
    BaseMiddleware,
    Data,
    Depends,
    MiddlewareChain,
    RouterSIO,
    Session,
    SocketID,
    SyncMiddleware,
    auth_middleware,
)
from fastsio.exceptions import ClientLeftError, SignatureError, TimeoutError
from fastsio.sync.namespace import Namespace
from fastsio.sync.server import Server
from tests.shells.sync.fake_engine import wired
from tests.support.waiting import WAIT_S


class Say(BaseModel):
    text: str


def test_an_event_is_handled_and_acknowledged():
    """A handler without markers is called by position and its result is the acknowledgement."""
    sio, wire = wired()

    @sio.event
    def add(sid, one, two):
        return sid, one + two

    client = wire.join()
    assert client.ask("add", 1, 2) == [client.sid, 3]


def test_an_injected_handler_gets_models_and_dependencies():
    """Markers, models, sub-dependencies and generators work as on the asyncio server."""
    sio, wire = wired()
    steps = []

    def opened():
        steps.append("open")
        yield "db"
        steps.append("close")

    def upper(message: Say, db: Annotated[str, Depends(opened)]) -> str:
        return f"{db}:{message.text.upper()}"

    @sio.event
    def say(sid: SocketID, session: Session, loud: Annotated[str, Depends(upper)]) -> str:
        session["last"] = loud
        return loud

    client = wire.join()
    assert client.ask("say", {"text": "hi"}) == ["db:HI"]
    assert sio.get_session(client.sid) == {"last": "db:HI"}
    assert steps == ["open", "close"]


def test_an_invalid_payload_is_answered_and_the_client_lives_on():
    """The handler does not see it; the client gets the error object."""
    sio, wire = wired()

    @sio.event
    def say(sid: SocketID, message: Say) -> str:
        return message.text

    client = wire.join()
    [answer] = client.ask("say", {"text": 3})
    assert answer["error"]["type"] == "validation_error"
    assert client.ask("say", {"text": "hi"}, ack_id=2) == ["hi"]


def test_coroutine_functions_are_refused_at_registration():
    """C-189: handlers, dependencies and exception handlers that would have to be awaited fail when they are registered."""
    sio = Server(async_mode="threading")

    async def wanted() -> str:
        return "x"

    async def handler(sid):
        pass

    def depending(sid: SocketID, value: Annotated[str, Depends(wanted)]) -> None:
        pass

    with pytest.raises(SignatureError, match="coroutine function; a sync server"):
        sio.on("a", handler)
    with pytest.raises(SignatureError, match="wanted"):
        sio.on("b", depending)
    with pytest.raises(SignatureError, match="coroutine function"):
        sio.exception_handler(ValueError)(handler)


def test_a_coroutine_that_a_plain_dependency_returns_fails_its_event(caplog):
    """Nobody would await it: the handler is not called, the client reads internal, the log says what is wrong."""
    sio, wire = wired(logger=True)
    called = []

    async def load() -> str:
        return "ann"

    def get_user():
        return load()

    @sio.event
    def greet(sid: SocketID, user: Annotated[str, Depends(get_user)]) -> str:
        called.append(user)
        return user

    [answer] = wire.join().ask("greet")

    assert answer["error"]["type"] == "internal"
    assert called == []
    assert "greet: parameter 'user' depends on" in caplog.text
    assert "which returned what has to be awaited; a sync server needs a plain function" in caplog.text


def test_a_coroutine_that_a_plain_handler_returns_is_an_error_of_the_handler(caplog):
    """C-190: nobody would await it. The log names the handler; the client is answered as for any failure."""
    sio, wire = wired(async_handlers=False)
    sio.on("plain", lambda sid: allows(sid, {}))

    @sio.event
    def marked(sid: SocketID):
        return allows(sid, {})

    client = wire.join()
    client.send('21["plain"]')
    [answer] = client.ask("marked", ack_id=2)

    assert answer["error"]["type"] == "internal"
    errors = [str(record.exc_info[1]) for record in caplog.records]
    assert [error.rpartition("<locals>.")[2] for error in errors] == [
        "<lambda>: returned a coroutine, which a sync server cannot await; return its result",
        "marked: returned a coroutine, which a sync server cannot await; return its result",
    ]


def test_middleware_and_exception_handlers_surround_the_handler():
    """Hooks run in order, and an exception handler's result is the acknowledgement."""
    sio, wire = wired()
    steps = []

    class Noted(SyncMiddleware):
        def before_event(self, event, sid, data, **_):
            steps.append(f"before {event}")
            return data

        def after_event(self, event, sid, response, **_):
            steps.append(f"after {event}")
            return response

    sio.add_middleware(Noted(), events="fail")
    router = RouterSIO()

    @router.on("fail")
    def fail(data: Data) -> None:
        raise LookupError(data)

    @router.exception_handler(LookupError)
    def found(exc: LookupError) -> str:
        return f"no {exc}"

    sio.add_router(router)
    client = wire.join()
    assert client.ask("fail", "bread") == ["no bread"]
    assert steps == ["before fail"]


class Doubling(BaseMiddleware):
    """Is written for asyncio."""

    async def before_event(self, event, sid, data, **_):
        return data * 2


class Around(BaseMiddleware):
    """Is written for asyncio too, in one piece."""

    async def __call__(self, event, sid, data, handler, **_):
        return await handler(sid, data)


class Plain(SyncMiddleware):
    """Is written for threads: what it calls gives the answer itself."""

    def __call__(self, event, sid, data, handler, **_):
        return {"answer": handler(sid, data + 1)}


async def allows(sid, environ):
    """Let everybody in, once it is awaited."""
    return True


def add_by_router(sio, middleware):
    """Include a router that has the middleware."""
    router = RouterSIO(middleware=[middleware])
    router.on("echo", lambda sid, data: data)
    sio.add_router(router)


def add_in_chain(sio, middleware):
    """Add a chain that has it."""
    chain = MiddlewareChain()
    chain.add_middleware(middleware)
    sio.add_middleware(chain)


def add_to_chain(sio, middleware):
    """Add it to a chain in a chain that the server has already."""
    inner, outer = MiddlewareChain(), MiddlewareChain()
    outer.add_middleware(inner)
    sio.add_middleware(outer)
    inner.add_middleware(middleware)


ADDING = [Server.add_middleware, add_by_router, add_in_chain, add_to_chain]


@pytest.mark.parametrize("add", ADDING)
@pytest.mark.parametrize(
    ("middleware", "named"),
    [
        (Doubling(), r"Doubling\.before_event"),
        (Around(), "Around"),
        (auth_middleware(allows), r"the checker of auth_middleware\(\)"),
    ],
)
def test_a_middleware_with_coroutine_hooks_is_refused_when_it_is_added(add, middleware, named):
    """Nobody could await it. The error names the hook, however the middleware comes to the server."""
    sio = Server(async_mode="threading")

    with pytest.raises(SignatureError, match=f"^{named}: is a coroutine function; a sync server calls plain functions"):
        add(sio, middleware)


@pytest.mark.parametrize("add", ADDING)
def test_a_plain_middleware_calls_the_handler_and_has_its_answer(add):
    """Without a coroutine between the two, wherever it was added."""
    sio, wire = wired()
    add(sio, Plain(events="echo"))
    if "echo" not in sio.handlers.get("/", {}):
        sio.on("echo", lambda sid, data: data)

    assert wire.join().ask("echo", 2) == [{"answer": 3}]


def test_a_router_may_serve_both_kinds_of_server_with_a_plain_middleware():
    """Its hooks are compiled for each: what they depend on lives as long as the connection on both."""
    made = []

    def count() -> int:
        made.append(1)
        return len(made)

    class Counting(SyncMiddleware):
        def before_event(self, event, sid, data, number: Annotated[int, Depends(count, scope="connection")]):
            return number

    router = RouterSIO(middleware=[Counting(events="echo")])
    router.on("echo", lambda sid, data: data)
    sio, wire = wired()
    AsyncServer(async_mode="asgi").add_router(router)
    sio.add_router(router)
    client = wire.join()

    assert client.ask("echo", "x") == client.ask("echo", "y", ack_id=2) == [1]


def test_a_chain_runs_by_hand_without_an_event_loop():
    """As execute() does, for hooks that are plain."""
    chain = MiddlewareChain()
    chain.add_middleware(Plain(events="echo"))
    chain.add_middleware(Plain(events="other"))

    assert chain.execute_sync("echo", "sid", 2, lambda sid, data: data) == {"answer": 3}

    chain.remove_middleware(chain.members()[0])
    assert chain.execute_sync("echo", "sid", 2, lambda sid, data: data) == 2


def test_connect_can_refuse_and_disconnect_is_told_why():
    """The connect handler decides before anything else is handled; the disconnect handler runs once."""
    sio, wire = wired()
    left = []

    @sio.event
    def connect(sid, environ, auth):
        return auth == {"token": "good"}

    @sio.event
    def disconnect(sid, reason):
        left.append((sid, reason, sio.rooms(sid)))

    bad = wire.open()
    bad.send('0{"token":"bad"}')
    assert bad.receive() == '4{"message":"Connection rejected by server"}'
    good = wire.join(auth={"token": "good"})
    sio.enter_room(good.sid, "lobby")
    good.lose("ping timeout")
    assert left == [(good.sid, "ping timeout", [good.sid, "lobby"])]
    assert sio.rooms(good.sid) == []
    assert sio.environ.keys() == {bad.eio_sid}


def test_call_waits_for_the_answer():
    """call() in one thread is answered by the client's frame in another; without one it raises TimeoutError."""
    sio, wire = wired()
    client = wire.join()
    results = []

    def ask():
        results.append(sio.call("question", "why", to=client.sid, timeout=WAIT_S))

    thread = threading.Thread(target=ask)
    thread.start()
    assert client.receive() == '21["question","why"]'
    client.send('31["because"]')
    thread.join(WAIT_S)
    assert results == ["because"]
    with pytest.raises(TimeoutError):
        sio.call("question", to=client.sid, timeout=0.01)


def test_class_namespaces_and_sessions():
    """Methods of a class-based namespace are handlers, its methods are the server's with its namespace."""
    sio, wire = wired()

    class Chat(Namespace):
        def on_say(self, sid, data):
            with self.session(sid) as session:
                session["said"] = data
            self.emit("said", data, to=sid)
            return "ok"

    sio.register_namespace(Chat("/chat"))
    client = wire.open()
    sid = client.join("/chat")
    client.send('2/chat,1["say","hi"]')
    assert client.receive() == '2/chat,["said","hi"]'
    assert client.receive() == '3/chat,1["ok"]'
    assert sio.get_session(sid, "/chat") == {"said": "hi"}


def test_a_malformed_packet_closes_its_connection_only():
    """The one that sent it is closed, its disconnect handler runs; others live on."""
    sio, wire = wired()
    left = []
    sio.on("disconnect", lambda sid, reason: left.append((sid, reason)))
    sio.on("echo", lambda sid, data: data)
    bad, good = wire.join(), wire.join()
    bad.send('2["broken"')
    assert left == [(bad.sid, "transport error")]
    assert good.ask("echo", 1) == [1]


def test_threads_that_end_a_client_at_once_run_its_handler_once():
    """However many threads disconnect, lose and leave at the same time, the disconnect handler runs once a client."""
    sio, wire = wired()
    left: list[str] = []
    sio.on("disconnect", lambda sid, reason: left.append(sid))
    clients = [wire.join() for _ in range(40)]
    barrier = threading.Barrier(4)

    def end(how):
        for client in clients:
            barrier.wait(WAIT_S)
            how(client)

    ways = (lambda c: sio.disconnect(c.sid), lambda c: c.lose(), lambda c: c.send("1"), lambda c: sio.disconnect(c.sid))
    threads = [threading.Thread(target=end, args=(way,)) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert sorted(left) == sorted(client.sid for client in clients)
    assert list(sio.manager.get_namespaces()) == []
    assert sio._connections == {}


def test_rooms_and_callbacks_survive_many_threads():
    """Threads that enter, leave, emit and answer at the same time lose nothing and raise nothing."""
    sio, wire = wired()
    clients = [wire.join() for _ in range(8)]
    failures: list[BaseException] = []
    answers: list[int] = []

    def work(client):
        try:
            for number in range(200):
                sio.enter_room(client.sid, "busy")
                sio.emit("n", number, room="busy", skip_sid=client.sid)
                sio.leave_room(client.sid, "busy")
                sio.emit("ask", number, to=client.sid, callback=answers.append)
        except BaseException as exc:  # noqa: BLE001 - whatever a thread raises fails the test
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert failures == []
    for client in clients:
        asked = 0
        while not client.frames.empty():
            frame = client.receive()
            if '["ask"' in frame:
                asked += 1
                client.send(f"3{frame[1 : frame.index('[')]}[{asked}]")
        assert asked == 200
    assert len(answers) == 1600
    assert list(sio.manager.get_participants("/", "busy")) == []


def test_a_client_that_was_just_told_that_it_is_connected_can_be_disconnected():
    """Another thread may know of the client from its own end; it waits until the server is done with accepting it."""
    sio, wire = wired()
    left, looked, may_go_on = threading.Event(), threading.Event(), threading.Event()
    sio.on("disconnect", lambda sid, reason: left.set())
    connect, can_disconnect = sio.manager.connect, sio.manager.can_disconnect

    def connect_late(sid, namespace):
        assert may_go_on.wait(WAIT_S)
        return connect(sid, namespace)

    def look(sid, namespace):
        looked.set()
        return can_disconnect(sid, namespace)

    sio.manager.connect, sio.manager.can_disconnect = connect_late, look
    client = wire.open()
    threading.Thread(target=client.send, args=("0",)).start()
    sid = json.loads(client.receive()[1:])["sid"]
    disconnecting = threading.Thread(target=sio.disconnect, args=(sid,))
    disconnecting.start()
    assert looked.wait(WAIT_S)
    may_go_on.set()
    disconnecting.join(WAIT_S)

    assert client.receive() == "1"
    assert left.is_set()


def test_what_other_threads_send_while_a_client_is_told_that_it_is_connected_comes_after_that():
    """Neither an event nor the end of the client overtakes its CONNECT; both follow it."""
    sio, wire = wired()
    accepted, left, looked, may_go_on = (threading.Event() for _ in range(4))
    sids: list[str] = []
    sio.on("connect", lambda sid, environ: sids.append(sid))
    sio.on("disconnect", lambda sid, reason: left.set())
    post, can_disconnect = wire.post, sio.manager.can_disconnect

    def post_late(eio_sid, packets, waits=False):
        if packets[0].data.startswith("0{"):
            accepted.set()
            assert may_go_on.wait(WAIT_S)
        return post(eio_sid, packets, waits)

    def look(sid, namespace):
        looked.set()
        return can_disconnect(sid, namespace)

    wire.post, sio.manager.can_disconnect = post_late, look
    client = wire.open()
    threading.Thread(target=client.send, args=("0",)).start()
    assert accepted.wait(WAIT_S)
    sio.emit("early", to=sids[0])
    disconnecting = threading.Thread(target=sio.disconnect, args=(sids[0],))
    disconnecting.start()
    assert looked.wait(WAIT_S)
    may_go_on.set()
    disconnecting.join(WAIT_S)

    assert [client.receive() for _ in range(3)] == [f'0{{"sid":"{sids[0]}"}}', '2["early"]', "1"]
    assert left.is_set()


def test_a_connection_that_cannot_be_begun_leaves_no_records(monkeypatch):
    """The engine refuses the client, and nobody would be told of its end."""
    sio, wire = wired()

    def failing(*_args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(sio._lifecycle._deadlines, "set", failing)

    with pytest.raises(RuntimeError, match="can't start new thread"):
        wire.open()

    assert sio.environ == {}
    assert sio._connections == {}


def test_an_exception_that_a_dependency_translates_is_what_the_client_reads():
    """Threads answer in the same order: the dependencies first, then the client."""
    sio, wire = wired()

    def item():
        try:
            yield "item"
        except LookupError as error:
            raise fastapi.HTTPException(409, "No owner.") from error

    @sio.event
    def find(sid: SocketID, value: Annotated[str, fastapi.Depends(item)]):
        raise LookupError("owner")

    (answer,) = wire.join().ask("find")
    assert (answer["error"]["type"], answer["error"]["msg"]) == ("conflict", "No owner.")


def test_a_dependency_of_the_connection_stays_open_for_a_handler_whose_client_left():
    """It is closed, by the thread that opened it, when that handler is done."""
    sio, wire = wired()
    log: list[str] = []
    begun, gate, closed = threading.Event(), threading.Event(), threading.Event()

    def database():
        thread = threading.get_ident()
        yield "database"
        log.append(f"closed {thread == threading.get_ident()}")
        closed.set()

    @sio.event
    def transfer(sid: SocketID, db: Annotated[str, Depends(database, scope="connection")]):
        begun.set()
        assert gate.wait(WAIT_S)
        log.append("credit")

    client = wire.join()
    client.send('2["transfer"]')
    assert begun.wait(WAIT_S)
    client.lose()
    assert log == []

    gate.set()
    assert closed.wait(WAIT_S)
    assert log == ["credit", "closed True"]


def test_a_call_to_a_client_that_leaves_fails_at_once():
    """The thread that waits is woken; a call to nobody does not wait at all."""
    sio, wire = wired()
    client = wire.join()
    errors: list[Exception] = []

    def call() -> None:
        try:
            sio.call("ask", to=client.sid, timeout=None)
        except ClientLeftError as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert client.receive() == '21["ask"]'
    client.lose()
    thread.join(WAIT_S)

    assert len(errors) == 1
    with pytest.raises(ClientLeftError):
        sio.call("ask", to=client.sid, timeout=None)


def test_an_event_that_waits_for_a_place_keeps_no_client():
    """Its thread ends with the client; the handler that has begun goes on."""
    sio, wire = wired(max_concurrent_handlers=1)
    begun, release, gone = threading.Event(), threading.Event(), threading.Event()

    @sio.event
    def hang(sid):
        begun.set()
        release.wait(WAIT_S)

    @sio.event
    def disconnect(sid, reason):
        gone.set()

    client = wire.join()
    client.send('2["hang"]')
    assert begun.wait(WAIT_S)
    waiting = threading.Thread(target=client.send, args=('2["hang"]',))
    waiting.start()
    wire.close_client(client.eio_sid, "transport close")

    assert gone.wait(WAIT_S)
    waiting.join(WAIT_S)
    assert not waiting.is_alive()
    release.set()


def test_a_callback_does_not_wait_for_an_event_that_cannot_be_written():
    """As with ``call()``: the client cannot answer it."""
    sio, wire = wired()
    client = wire.join()

    with pytest.raises(TypeError):
        sio.emit("ask", object(), to=client.sid, callback=print)

    assert not sio.manager.callbacks.get(client.sid)

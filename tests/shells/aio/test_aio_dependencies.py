"""Dependencies while a server runs: when they are made, shared and closed."""
# ruff: noqa: B008 - a default is one of the two places for Depends

from __future__ import annotations

import asyncio
import json

import fastapi
import pytest

from fastsio import Auth, BaseMiddleware, Depends, Environ, Room, RouterSIO, Session, SocketID
from fastsio.exceptions import EventError
from tests.shells.aio.fake_engine import settled, turns
from tests.support.waiting import WAIT_S


async def test_a_generator_is_closed_after_the_acknowledgement(sio, wire):
    """What follows the yield runs after the client has its answer, the last opened first."""
    log = []

    async def outer():
        yield "outer"
        log.append(("outer closed", list(client.frames)))

    def inner(above=Depends(outer)):
        yield above
        log.append(("inner closed", list(client.frames)))

    @sio.event
    async def ask(sid: SocketID, value=Depends(inner)):
        log.append("handler")
        return value

    client = await wire.join()
    await client.send('21["ask"]')
    await settled(lambda: len(log) == 3)

    assert log == ["handler", ("inner closed", ['31["outer"]']), ("outer closed", ['31["outer"]'])]


async def test_the_exception_is_thrown_into_a_generator(sio, wire):
    """A failing handler's exception reaches its dependencies, as rollback needs, before the client is answered."""
    log = []

    async def transaction():
        try:
            yield
        except ValueError as error:
            log.append(("rollback", str(error), len(client.frames)))
            raise

    @sio.event
    async def fail(sid: SocketID, db=Depends(transaction)):
        raise ValueError("bad")

    client = await wire.join()
    await client.send('21["fail"]')
    await settled(lambda: log)

    assert log == [("rollback", "bad", 0)]
    await settled(lambda: client.frames)


@pytest.mark.virtual_time
async def test_a_cancelled_handler_closes_its_generators(make):
    """A handler cancelled at shutdown closes its dependencies with the cancellation thrown in."""
    sio, wire = make(shutdown_timeout=0.05)
    log = []

    async def resource():
        try:
            yield
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            log.append("closed")

    @sio.event
    async def hang(sid: SocketID, held=Depends(resource)):
        await asyncio.Event().wait()

    client = await wire.join()
    await client.send('2["hang"]')
    await turns()
    await asyncio.wait_for(sio.shutdown(), WAIT_S)

    assert log == ["cancelled", "closed"]


async def test_a_refused_connect_closes_its_generators(sio, wire):
    """Dependencies of a connect handler that refuses or is cancelled are closed."""
    log = []

    async def resource():
        try:
            yield
        finally:
            log.append("closed")

    @sio.event
    async def connect(sid: SocketID, auth: Auth, held=Depends(resource)):
        if auth == {"hang": True}:
            await asyncio.Event().wait()
        return False

    refused, lost = await wire.open(), await wire.open()
    await refused.send("0")
    assert (await refused.receive())[0] == "4"
    assert log == ["closed"]
    await lost.send('0{"hang":true}')
    await turns()
    await lost.lose()
    await settled(lambda: len(log) == 2)


async def test_a_failing_close_is_logged_and_hurts_nobody(sio, wire, caplog):
    """An exception after the yield is logged; the acknowledgement has been sent."""

    async def resource():
        yield 1
        raise RuntimeError("while closing")

    @sio.event
    async def ask(sid: SocketID, value=Depends(resource)):
        return value

    client = await wire.join()

    assert await client.ask("ask") == [1]
    await settled(lambda: "while closing" in caplog.text)
    assert await client.ask("ask") == [1]


async def test_a_connection_scoped_dependency_is_made_once_and_closed_at_disconnect(sio, wire):
    """A value with scope="connection" is resolved by the first event, shared by all, closed after the disconnect handler."""
    log = []

    async def user(environ: Environ, auth: Auth, session: Session):
        log.append("made")
        session["seen"] = True
        yield {"name": auth["name"], "from": environ["NAME"]}
        log.append("closed")

    @sio.event
    async def connect(sid: SocketID, me=Depends(user, scope="connection")):
        log.append(me["name"])

    @sio.event
    async def ask(sid: SocketID, me=Depends(user, scope="connection")):
        return me

    @sio.event
    async def disconnect(sid: SocketID, me=Depends(user, scope="connection")):
        log.append(f"{me['name']} leaves")

    client = await wire.join(auth={"name": "Ada"}, NAME="x")
    assert await client.ask("ask") == [{"name": "Ada", "from": "x"}]
    assert await client.ask("ask") == [{"name": "Ada", "from": "x"}]
    other = await wire.join(auth={"name": "Bob"}, NAME="y")
    assert (await other.ask("ask"))[0]["name"] == "Bob"
    await client.lose()

    assert log == ["made", "Ada", "made", "Bob", "Ada leaves", "closed"]


async def test_a_connection_scoped_dependency_is_per_namespace(sio, wire):
    """With scope="connection", leaving one namespace closes that namespace's values only."""
    log = []

    async def resource(sid: SocketID):
        yield sid
        log.append(sid)

    async def ask(sid: SocketID, value=Depends(resource, scope="connection")):
        return value

    sio.on("ask", ask)
    sio.on("ask", ask, namespace="/chat")
    client = await wire.join()
    await client.join("/chat")
    assert await client.ask("ask") == [client.sid]
    await client.send('2/chat,1["ask"]')
    await client.receive()
    await client.send("1/chat,")

    assert log == [client.sids["/chat"]]
    await client.lose()
    assert log == [client.sids["/chat"], client.sid]


async def test_two_events_that_race_share_one_connection_scoped_value(sio, wire):
    """With scope="connection" the second event waits for the first one's value."""
    gate, made = asyncio.Event(), []

    async def resource():
        made.append(1)
        await gate.wait()
        return len(made)

    @sio.event
    async def ask(sid: SocketID, value=Depends(resource, scope="connection")):
        return value

    client = await wire.join()
    await client.send('21["ask"]', '22["ask"]')
    await turns()
    gate.set()

    assert sorted([await client.receive(), await client.receive()]) == ["31[1]", "32[1]"]


async def test_a_connection_scoped_dependency_of_a_refused_connect_is_closed(sio, wire):
    """A client that is refused has no dependency with scope="connection" left open."""
    log = []

    async def resource():
        yield
        log.append("closed")

    @sio.event
    async def connect(sid: SocketID, value=Depends(resource, scope="connection")):
        return False

    client = await wire.open()
    await client.send("0")
    await client.receive()

    assert log == ["closed"]


async def test_overrides_take_effect_at_once(sio, wire):
    """server.dependency_overrides replaces a dependency for the next event, and back."""

    async def real():
        return "real"

    @sio.event
    async def ask(sid: SocketID, value=Depends(real)):
        return value

    client = await wire.join()
    assert await client.ask("ask") == ["real"]
    sio.dependency_overrides[real] = lambda: "fake"
    assert await client.ask("ask") == ["fake"]
    sio.dependency_overrides.clear()

    assert await client.ask("ask") == ["real"]


async def test_an_exception_that_a_dependency_translates_is_what_the_client_reads(sio, wire, caplog):
    """As in a route: the application's exception becomes an HTTPException or an EventError after the yield."""

    async def item():
        try:
            yield "item"
        except LookupError as error:
            raise fastapi.HTTPException(404, f"No {error.args[0]}.") from error

    @sio.event
    async def find(sid: SocketID, value: str = fastapi.Depends(item)):
        raise LookupError("owner")

    client = await wire.join()

    assert (await client.ask("find"))[0]["error"]["msg"] == "No owner."
    assert not caplog.records


async def test_an_acknowledgement_that_cannot_be_written_reaches_the_dependencies(sio, wire):
    """The event has failed for them, and one of them says what the client reads."""
    seen = []

    async def transaction():
        try:
            yield
        except Exception as error:
            seen.append(type(error))
            raise EventError("conflict", "Not saved.") from error

    @sio.event
    async def save(sid: SocketID, db=Depends(transaction)):
        return object()

    client = await wire.join()

    assert (await client.ask("save"))[0]["error"]["type"] == "conflict"
    assert len(seen) == 1


async def test_a_dependency_that_closes_with_the_call_closes_before_the_answer(sio, wire):
    """``scope="function"``: a commit that fails is what the client reads."""
    committed = []

    async def session():
        yield committed
        committed.append("done")

    async def refused():
        yield
        raise fastapi.HTTPException(403, "The commit was refused.")

    @sio.event
    async def save(sid: SocketID, db=fastapi.Depends(session, scope="function")):
        return "saved"

    @sio.event
    async def lose(sid: SocketID, db=Depends(refused, scope="function")):
        return "saved"

    client = await wire.join()

    assert await client.ask("save") == ["saved"]
    assert committed == ["done"]
    assert (await client.ask("lose"))[0]["error"]["msg"] == "The commit was refused."


async def test_a_middleware_that_answers_for_a_failure_does_not_hide_it_from_dependencies(sio, wire):
    """The transaction of the handler is rolled back although the client gets an answer."""
    log = []

    class Calm(BaseMiddleware):
        async def handle_exception(self, exc, event, sid, data, **context):
            log.append("middleware")
            return "never mind"

    async def transaction():
        try:
            yield
        except ValueError:
            log.append("rollback")
            raise

    @sio.event
    async def risky(sid: SocketID, db=Depends(transaction)):
        raise ValueError("bad")

    sio.add_middleware(Calm())
    client = await wire.join()

    assert await client.ask("risky") == ["never mind"]
    assert log == ["rollback", "middleware"]


async def test_an_exception_handler_is_given_dependencies_that_are_open(sio, wire):
    """Those of the handler that failed have been closed."""
    opened = []

    async def session():
        opened.append("open")
        yield len(opened)
        opened.append("closed")

    @sio.exception_handler(ValueError)
    async def answer(exc: ValueError, db=Depends(session)):
        return [db, list(opened)]

    @sio.event
    async def fail(sid: SocketID, db=Depends(session)):
        raise ValueError("bad")

    client = await wire.join()

    assert await client.ask("fail") == [[2, ["open", "open"]]]


@pytest.mark.parametrize("status", [400, 402, 405, 409, 410, 418])
async def test_an_answer_of_fastapi_is_readable_and_no_defect(sio, wire, caplog, status):
    """Whatever its status below 500: the client reads its text, in events and in connect, and nothing is logged."""

    def active(x_state: str = fastapi.Header("inactive")):
        raise fastapi.HTTPException(status, "Inactive user")

    @sio.event
    async def whoami(sid: SocketID, user: None = fastapi.Depends(active)): ...

    @sio.on("connect", namespace="/members")
    async def enter(sid: SocketID, user: None = fastapi.Depends(active)): ...

    client = await wire.join()
    answer = (await client.ask("whoami"))[0]["error"]
    await client.send("0/members,")
    refusal = json.loads((await client.receive()).removeprefix("4/members,"))

    assert answer["msg"] == refusal["message"] == "Inactive user"
    assert answer["type"] == refusal["data"]["type"] == {409: "conflict"}.get(status, "bad_request")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_websocket_exception_refuses_a_client_with_its_reason(sio, wire, caplog):
    """FastAPI's dependencies for WebSockets serve ``connect`` unchanged."""

    async def token_of(token: str = fastapi.Query("")):
        raise fastapi.WebSocketException(1008, "no token")

    @sio.event
    async def connect(sid: SocketID, token: str = fastapi.Depends(token_of)): ...

    client = await wire.open()
    await client.send("0")
    refusal = json.loads((await client.receive()).removeprefix("4"))

    assert refusal["message"] == "no token"
    assert refusal["data"]["type"] == "forbidden"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_dependency_of_the_connection_stays_open_for_a_handler_whose_client_left(sio, wire):
    """It is closed when that handler is done, and the leave of the client does not wait for it."""
    log, gate = [], asyncio.Event()

    async def database():
        yield "database"
        log.append("closed")

    @sio.event
    async def transfer(sid: SocketID, db: str = Depends(database, scope="connection")):
        log.append("debit")
        await gate.wait()
        log.append("credit")

    @sio.event
    async def disconnect(sid: SocketID, db: str = Depends(database, scope="connection")):
        log.append(f"left {db}")

    client = await wire.join()
    await client.send('2["transfer"]')
    await settled(lambda: log)
    await client.lose()
    assert log == ["debit", "left database"]

    gate.set()
    await settled(lambda: len(log) == 4)
    assert log[2:] == ["credit", "closed"]


async def test_dependencies_of_a_router_are_open_while_a_room_decides(sio, wire):
    """``scope="function"`` closes them after the join, and a failure of it reaches them."""
    log = []

    async def brief():
        log.append("open")
        try:
            yield
        except ValueError as error:
            log.append(str(error))
            raise EventError("conflict", "Not now.") from error
        else:
            log.append("closed")

    class Lobby(Room):
        @classmethod
        def extract_room_identifier(cls, data: int):
            return data

        @classmethod
        async def can_join(cls, session, data: int):
            log.append("asked")
            if data == 2:
                raise ValueError("bad")
            return True

    router = RouterSIO(dependencies=[Depends(brief, scope="function")])
    router.register_room(Lobby)
    sio.add_router(router)
    client = await wire.join()
    log.clear()  # they have run for connect

    await client.send('21["join_lobby",1]')
    assert (await client.receive()).startswith('2["joined"')
    assert (await client.receive()).startswith("31")
    assert log == ["open", "asked", "closed"]

    (answer,) = await client.ask("join_lobby", 2)
    assert answer["error"]["msg"] == "Not now."
    assert log[3:] == ["open", "asked", "bad"]

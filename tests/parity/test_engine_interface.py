"""
``sio.eio`` has what applications use of python-engineio's servers: names, signatures, attributes.

docs/reference/compatibility.md lists them.
"""

from __future__ import annotations

import inspect
from typing import Any

import engineio
import pytest

import fastsio
from fastsio.aio.engine.server import EngineServer as AsyncEngine
from fastsio.engine.request import Request
from fastsio.engine.server_base import ServerBase
from fastsio.engine.session_tables import Move, Step
from fastsio.sync.engine.server import EngineServer as SyncEngine

PAIRS = {"asyncio": (AsyncEngine, engineio.AsyncServer, "asgi"), "threads": (SyncEngine, engineio.Server, "threading")}
#: How python-engineio works inside.
MISSING = {"log_message_keys", "sequence_number", "service_task_event", "service_task_handle"}
pairs = pytest.mark.parametrize(("ours", "theirs", "mode"), PAIRS.values(), ids=PAIRS)


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    """Give name, kind and default of each parameter, keyword-only ones aside."""
    return [
        (one.name, one.kind, one.default)
        for one in inspect.signature(function).parameters.values()  # noqa: TID251 - no handlers
        if one.kind is not inspect.Parameter.KEYWORD_ONLY
    ]


def public(subject: Any) -> set[str]:
    """Give the public names of a class or an object."""
    return {name for name in dir(subject) if not name.startswith("_")} - MISSING


@pairs
def test_public_methods_have_the_same_signatures(ours, theirs, mode):
    """More keyword-only parameters are allowed; what is awaited there is awaited here."""
    for name in public(theirs):
        there, here = getattr(theirs, name), getattr(ours, name)
        if inspect.isfunction(there):
            assert parameters(here) == parameters(there), name
            assert inspect.iscoroutinefunction(here) == inspect.iscoroutinefunction(there), name


@pairs
def test_public_attributes_exist_with_the_same_values(ours, theirs, mode):
    """Of a server without options; the transports may be changed without changing those of other servers."""
    here, there = ours(async_mode=mode), theirs(async_mode=mode)

    assert public(there) <= public(here)
    for name in public(there) - {"logger", "reason"}:
        if not callable(getattr(there, name)):
            assert getattr(here, name) == getattr(there, name), name
    assert vars(here.reason).items() >= {k: v for k, v in vars(there.reason).items() if not k.startswith("_")}.items()


@pairs
def test_options_have_the_same_names_and_defaults(ours, theirs, mode):
    """They are given by keyword."""
    for option in parameters(theirs.__init__)[1:-1]:
        assert option in parameters(ServerBase.__init__), option


def test_the_engine_is_no_instance_of_python_engineios_classes():
    """C-200: it has their interface."""
    assert not isinstance(fastsio.AsyncServer(async_mode="asgi").eio, engineio.AsyncServer)
    assert not isinstance(fastsio.Server(async_mode="threading").eio, engineio.Server)


@pairs
def test_sessions_tell_how_far_they_are(ours, theirs, mode):
    """By the attributes that sockets of python-engineio have for it."""
    session = ours(async_mode=mode)._new_session("id", {}, Request("GET", None, False, 4, None, False))
    names = ("connected", "upgrading", "upgraded", "closing", "closed")

    def told() -> set[str]:
        return {name for name in names if getattr(session, name)}

    assert told() == set()
    session.advance(Step.ACCEPT)
    session.move(Move.POLL)
    assert told() == {"connected"}
    session.move(Move.HANDSHAKE)
    session.move(Move.PROBE)
    assert told() == {"connected", "upgrading"}
    session.move(Move.SWITCH)
    assert told() == {"connected", "upgraded"}
    session.claim_end("server disconnect")
    session.advance(Step.OVER)
    assert told() == {"connected", "upgraded", "closing", "closed"}
    assert (session.sid, session.session) == ("id", {})


async def test_sessions_data_is_kept_with_the_session():
    """As with python-engineio: got, saved, or both in a block."""
    engine = AsyncEngine(async_mode="asgi")
    engine.sockets["id"] = await session_of(engine)

    assert await engine.get_session("id") == {}
    await engine.save_session("id", {"a": 1})
    async with engine.session("id") as data:
        data["b"] = 2
    assert await engine.get_session("id") == {"a": 1, "b": 2}
    with pytest.raises(KeyError, match="Session not found"):
        await engine.get_session("nobody")


async def session_of(engine: Any) -> Any:
    """Make a session without a client."""
    return engine._new_session("id", {}, Request("GET", None, False, 4, None, False))


def test_sessions_data_is_kept_with_the_session_in_threads_too():
    """By the same methods, which are not awaited."""
    engine: Any = SyncEngine(async_mode="threading")
    engine.sockets["id"] = engine._new_session("id", {}, Request("GET", None, False, 4, None, False))

    engine.save_session("id", {"a": 1})
    with engine.session("id") as data:
        data["b"] = 2
    assert engine.get_session("id") == {"a": 1, "b": 2}

"""Middleware: its scopes, its order, what its hooks may change, and the ones that come with the package."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

import fastsio
from fastsio import BaseMiddleware, RouterSIO, SyncMiddleware
from tests.acceptance.peers import connected
from tests.support.servers import serve


class Noting(SyncMiddleware):
    """Writes down where it runs."""

    def __init__(self, name: str, notes: list[str], **scope: Any) -> None:
        super().__init__(**scope)
        self._name = name
        self._notes = notes

    def before_event(self, event: str, sid: str, data: Any, namespace: str = "/", **_: Any) -> Any:
        self._notes.append(f"{self._name} before {namespace} {event}")
        return data

    def after_event(self, event: str, sid: str, response: Any, namespace: str = "/", **_: Any) -> Any:
        self._notes.append(f"{self._name} after {namespace} {event}")
        return response


def echoing(*namespaces: str) -> fastsio.AsyncServer:
    """Make a server that echoes ``echo`` and ``admin_action`` in each namespace."""
    sio = fastsio.AsyncServer(async_mode="asgi", namespaces=list(namespaces))
    for namespace in namespaces:
        for event in ("echo", "admin_action"):
            sio.on(event, lambda sid, data=None: data, namespace=namespace)
    return sio


async def test_a_global_middleware_runs_everywhere() -> None:
    """With ``global_middleware=True`` it runs for all events in all namespaces."""
    notes: list[str] = []
    sio = echoing("/", "/admin")
    sio.add_middleware(Noting("m", notes, events=["other"]), global_middleware=True)
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, "/", "/admin") as peer:
        await peer.call("echo", 1)
        await peer.call("admin_action", 2, namespace="/admin")

    assert [note for note in notes if "before" in note and "connect" not in note] == [
        "m before / echo",
        "m before /admin admin_action",
    ]


async def test_the_logging_middleware_logs_all_events(caplog: pytest.LogCaptureFixture) -> None:
    """``add_middleware(logging_middleware(), global_middleware=True)`` logs each event of each namespace."""
    sio = echoing("/", "/admin")
    sio.add_middleware(fastsio.logging_middleware(), global_middleware=True)
    with caplog.at_level(logging.INFO, "fastsio.events"):
        async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, "/", "/admin") as peer:
            await peer.call("echo", "secret")
            await peer.call("echo", "secret", namespace="/admin")
            expected = [f"/ {peer.sid()}: echo", f"/admin {peer.sid('/admin')}: echo"]

    logged = [record.getMessage() for record in caplog.records if record.name == "fastsio.events"]
    assert [line for line in logged if line.endswith("echo")] == expected
    assert "secret" not in caplog.text


async def test_a_scoped_middleware_runs_for_its_pair_only() -> None:
    """Scope belongs to the registration, so one instance may be added twice."""
    notes: list[str] = []
    sio = echoing("/", "/admin")
    middleware = Noting("m", notes)
    sio.add_middleware(middleware, namespace="/admin", events=["admin_action"])
    sio.add_middleware(middleware, namespace="/", events=["echo"])
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, "/", "/admin") as peer:
        for namespace in ("/", "/admin"):
            for event in ("echo", "admin_action"):
                assert await peer.call(event, 1, namespace=namespace) == 1

    assert [note for note in notes if "before" in note] == ["m before / echo", "m before /admin admin_action"]


class Order(BaseModel):
    """A payload."""

    amount: int


async def test_injection_and_validation_work_under_middleware() -> None:
    """``data: dict``, a model and Depends are filled and validated under a middleware."""
    notes: list[str] = []
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.add_middleware(Noting("m", notes))

    def doubled(order: Order) -> int:
        return order.amount * 2

    @sio.on("plain")
    async def plain(sid: fastsio.SocketID, data: dict) -> Any:
        return data

    @sio.on("model")
    async def model(order: Order, double: Annotated[int, fastsio.Depends(doubled)]) -> int:
        return order.amount + double

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        assert await peer.call("plain", {"a": 1}) == {"a": 1}
        assert (await peer.call("plain", "text"))["error"]["type"] == "validation_error"
        assert await peer.call("model", {"amount": 2}) == 6
        assert (await peer.call("model", {"amount": "x"}))["error"]["type"] == "validation_error"


async def test_hooks_replace_data_and_answer() -> None:
    """What before_event returns is what the handler sees, what after_event returns is the ack."""

    class Wrapping(BaseMiddleware):
        async def before_event(self, event: str, sid: str, data: Any, **kwargs: Any) -> Any:
            return {"wrapped": data} if event == "echo" else data

        async def after_event(self, event: str, sid: str, response: Any, **kwargs: Any) -> Any:
            return [response]

    sio = echoing("/")
    sio.add_middleware(Wrapping())
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        assert await peer.call("echo", 1) == [{"wrapped": 1}]


async def test_middlewares_run_as_an_onion() -> None:
    """The order is A, B, handler, B, A."""
    notes: list[str] = []
    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.add_middleware(Noting("A", notes), events=["go"])
    sio.add_middleware(Noting("B", notes), events=["go"])
    sio.on("go", lambda sid: notes.append("handler"))
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        await peer.call("go")

    assert notes == ["A before / go", "B before / go", "handler", "B after / go", "A after / go"]


async def test_handle_exception_answers_for_the_handler() -> None:
    """What handle_exception returns is the answer in place of the failure."""

    class Rescue(BaseMiddleware):
        async def handle_exception(self, exc: Exception, event: str, sid: str, data: Any, **kwargs: Any) -> Any:
            return {"rescued": type(exc).__name__}

    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.add_middleware(Rescue())

    @sio.on("break")
    async def break_(sid: str) -> None:
        raise LookupError

    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as peer:
        assert await peer.call("break") == {"rescued": "LookupError"}


async def test_auth_middleware_refuses_and_denies() -> None:
    """auth_middleware asks its checker before connect and every event."""
    allowed: set[str] = {"connect"}

    async def checker(sid: str, environ: dict[str, Any]) -> bool:
        return environ.get("HTTP_X_TOKEN") == "right" and bool(allowed)

    sio = echoing("/")
    sio.on("connect", lambda sid, environ: None)
    sio.add_middleware(fastsio.auth_middleware(checker))
    async with serve(fastsio.ASGIApp(sio)) as address:
        with pytest.raises(Exception, match="failed to connect"):
            async with connected(address.http, headers={"X-Token": "wrong"}):
                pass
        async with connected(address.http, headers={"X-Token": "right"}) as peer:
            assert await peer.call("echo", 1) == 1
            allowed.clear()
            assert (await peer.call("echo", 1))["error"]["type"] == "unauthorized"


async def test_rate_limit_middleware_says_when_to_come_back() -> None:
    """The event above the limit is answered ``rate_limited`` with ``retry_after`` seconds, per client."""
    now = [100.0]
    sio = echoing("/")
    sio.add_middleware(fastsio.rate_limit_middleware(2, 10, clock=lambda: now[0]))
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http) as ann, connected(address.http) as bob:
        assert [await ann.call("echo", number) for number in (1, 2)] == [1, 2]
        now[0] += 4
        limited = await ann.call("echo", 3)
        assert (limited["error"]["type"], limited["error"]["detail"]) == ("rate_limited", {"retry_after": 6.0})
        assert await bob.call("echo", 4) == 4
        now[0] += 6
        assert await ann.call("echo", 5) == 5


async def test_a_routers_namespace_is_the_default_of_on_and_event() -> None:
    """Handlers of ``RouterSIO(namespace="/chat")`` live in ``/chat`` unless they say otherwise."""
    router = RouterSIO(namespace="/chat")

    @router.on("by on")
    async def by_on(sid: fastsio.SocketID, namespace: fastsio.NamespaceName) -> str:
        return namespace

    @router.event
    async def by_event(sid: fastsio.SocketID, namespace: fastsio.NamespaceName) -> str:
        return namespace

    @router.event(namespace="/other")
    async def elsewhere(sid: fastsio.SocketID, namespace: fastsio.NamespaceName) -> str:
        return namespace

    sio = fastsio.AsyncServer(async_mode="asgi")
    sio.add_routers(router)
    async with serve(fastsio.ASGIApp(sio)) as address, connected(address.http, "/chat", "/other") as peer:
        assert await peer.call("by on", namespace="/chat") == "/chat"
        assert await peer.call("by_event", namespace="/chat") == "/chat"
        assert await peer.call("elsewhere", namespace="/other") == "/other"

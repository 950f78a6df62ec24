"""What the methods of a server give back; not run."""

# ruff: noqa: D103, T201 - samples for type checkers, never run
from __future__ import annotations

from typing import Any, assert_type

from fastsio import (
    ASGIApp,
    AsyncManager,
    AsyncServer,
    BaseMiddleware,
    MiddlewareChain,
    SyncMiddleware,
    auth_middleware,
    logging_middleware,
    rate_limit_middleware,
    register_dependency,
)
from fastsio.exceptions import ConnectionRefusedError, EventError, RateLimited, ValidationFailed


class Noting(BaseMiddleware):
    async def before_event(self, event: str, sid: str, data: Any, **context: Any) -> Any:
        return data


class Plain(SyncMiddleware):
    def after_event(self, event: str, sid: str, response: Any, **context: Any) -> Any:
        return response


def may(sid: str, environ: dict[str, Any]) -> bool:
    return True


async def use(sio: AsyncServer, sid: str) -> None:
    assert_type(await sio.emit("x", 1, to=[sid], skip_sid={sid}), None)
    assert_type(sio.rooms(sid), list[Any])
    assert_type(sio.transport(sid), str)
    assert_type(sio.get_environ(sid), dict[str, Any] | None)
    assert_type(await sio.get_session(sid), dict[str, Any])
    async with sio.session(sid, namespace="/a") as session:
        assert_type(session, dict[str, Any])
    answer = await sio.call("ask", to=sid, timeout=1)
    print(answer)
    await sio.disconnect(sid)
    await sio.shutdown()


sio = AsyncServer(client_manager=AsyncManager(), async_mode="asgi", max_rooms=3, slow_client="drop")
sio.add_middleware(Noting(), events=["x"], namespace="/a")
sio.add_middleware(Plain(), global_middleware=True)
sio.add_middleware(auth_middleware(may))
sio.add_middleware(logging_middleware())
sio.add_middleware(rate_limit_middleware(1, 1.0))
sio.remove_middleware(MiddlewareChain())
assert_type(sio.get_middlewares(), list[Any])
sio.dependency_overrides[may] = lambda: True
register_dependency("may", may)
app = ASGIApp(sio, static_files={"/": "static"})

assert_type(RateLimited(1.0).retry_after, float)
assert_type(EventError("a", "b").msg, str)
assert_type(ValidationFailed([]).detail, list[dict[str, Any]])
assert_type(ConnectionRefusedError("no").error_args, dict[str, Any])

"""What type checkers see in handlers and at the decorators; not run."""

# ruff: noqa: D103, TC003 - samples for type checkers, never run
from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, assert_type

from pydantic import BaseModel

from fastsio import (
    AsyncNamespace,
    AsyncServer,
    Auth,
    Cookie,
    Data,
    Depends,
    Environ,
    Event,
    Header,
    NamespaceName,
    Query,
    Reason,
    RouterSIO,
    Session,
    SocketID,
)

sio = AsyncServer(async_mode="asgi")
router = RouterSIO(namespace="/chat")


class Order(BaseModel):
    amount: int


async def number() -> AsyncIterator[int]:
    yield 1


@sio.event
async def connect(sid: SocketID, environ: Environ, auth: Auth) -> None:
    assert_type(sid, str)
    assert_type(environ, dict[str, Any])


@sio.event
async def disconnect(sid: SocketID, reason: Reason) -> None:
    assert_type(reason, str)


@sio.on("order")
async def order(
    sid: SocketID,
    order: Order,
    session: Session,
    event: Event,
    namespace: NamespaceName,
    data: Data,
    by_default: int = Depends(number),
    annotated: Annotated[int, Depends(number)] = 0,
    agent: str = Header("none"),
    token: str | None = Cookie(None),
    page: int = Query(1, ge=1),
) -> int:
    assert_type(order.amount, int)
    assert_type(session, dict[str, Any])
    assert_type(event, str)
    assert_type(namespace, str)
    assert_type(by_default, int)
    assert_type(annotated, int)
    assert_type(token, str | None)
    return page


@router.event(namespace="/other", response_model=Order)
async def answer(sid: SocketID) -> Order:
    return Order(amount=1)


@router.on("plain")
def plain(sid: str, data: dict[str, Any]) -> str:
    return sid


@sio.exception_handler(LookupError)
async def lost(exc: LookupError) -> str:
    return str(exc)


class Chat(AsyncNamespace):
    async def on_say(self, sid: SocketID, text: str) -> None:
        await self.emit("said", text, skip_sid=sid)


sio.register_namespace(Chat("/class"))
sio.on("direct", plain)

# What is decorated keeps its type.
by_on: Callable[[str, dict[str, Any]], str] = plain
by_event: Callable[[str], Awaitable[Order]] = answer
by_exception: Callable[[LookupError], Awaitable[str]] = lost
assert_type(plain("sid", {}), str)

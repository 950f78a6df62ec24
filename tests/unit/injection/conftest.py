"""A client and a server as injection sees them, and a way to call a handler once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from fastsio.aio.connection_scope import TaskScope
from fastsio.injection import ConnectionScope, Context, HandlerKind, compile_endpoint
from fastsio.sync.connection_scope import ThreadScope
from fastsio.types import Source

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeServer:
    """A server class as handlers annotate it."""

    __fastsio_source__ = Source.SERVER

    def __init__(self) -> None:
        self.dependency_overrides: dict[Any, Any] = {}
        self.eio = self
        self.host_app: Any = None

    def create_event(self) -> threading.Event:
        """Return what threads wait on."""
        return threading.Event()

    def start_background_task(self, target: Callable[..., Any], *args: Any) -> threading.Thread:
        """Start a thread and return it."""
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        return thread


@dataclass
class FakeClient:
    """What the state floor keeps of a client."""

    scope_store: ConnectionScope
    sid: str = "sid-1"
    namespace: str = "/chat"
    environ: dict[str, Any] = field(default_factory=dict)
    auth: Any = None
    session: dict[str, Any] = field(default_factory=dict)


class Harness:
    """Compiles functions and calls them with one client and one server."""

    Server = FakeServer

    def __init__(self) -> None:
        self.server = FakeServer()
        self.client = FakeClient(TaskScope())

    def use_threads(self) -> None:
        """Make the client one of a synchronous server."""
        self.client.scope_store = ThreadScope(self.server)

    def context(self, *args: Any, event: str = "said", **facts: Any) -> Context:
        """Return the context of an event with these payload arguments."""
        return Context(self.server, self.client, event, args, **facts)

    def compile(self, handler: Callable[..., Any], kind: HandlerKind = HandlerKind.EVENT, **options: Any):
        """Compile for an asyncio server."""
        return compile_endpoint(handler, kind=kind, label="chat.handler", **{"asynchronous": True, **options})

    async def call(self, handler: Callable[..., Any], *args: Any, kind: HandlerKind = HandlerKind.EVENT, **facts: Any):
        """Compile and call for one event, then close it."""
        context = self.context(*args, **facts)
        result = await self.compile(handler, kind).call(context)
        await context.aclose()
        return result

    def call_sync(self, handler: Callable[..., Any], *args: Any, **facts: Any):
        """Do the same for a synchronous server."""
        context = self.context(*args, **facts)
        result = self.compile(handler, asynchronous=False).call_sync(context)
        context.close()
        return result


@pytest.fixture
def harness() -> Harness:
    """Return a fresh client and server."""
    return Harness()

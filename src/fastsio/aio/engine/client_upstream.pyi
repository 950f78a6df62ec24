# Only asyncio:
import asyncio

# Only threads:
# | import threading
# Both:
from collections.abc import Callable
from logging import Logger
from typing import Any

connected_clients: list[Any]

class EngineConnectionError(Exception): ...

class AsyncClient:
    class reason:  # noqa: N801 - engineio's name
        CLIENT_DISCONNECT: str
        SERVER_DISCONNECT: str
        TRANSPORT_ERROR: str

    handlers: dict[str, Callable[..., Any]]
    base_url: str
    current_transport: str | None
    sid: str | None
    ping_interval: float
    ping_timeout: float
    http: Any
    ws: Any
    state: str
    # Only asyncio:
    read_loop_task: asyncio.Task[None] | None
    write_loop_task: asyncio.Task[None] | None
    # Only threads:
    # | read_loop_task: Any
    # | write_loop_task: Any
    # Both:
    request_timeout: float
    logger: Logger

    def __init__(self, **options: Any) -> None: ...
    def on(self, event: str, handler: Callable[..., Any] | None = ...) -> Any: ...
    def transport(self) -> str | None: ...
    # Only asyncio:
    def is_asyncio_based(self) -> bool: ...
    def create_event(self) -> asyncio.Event: ...
    # Only threads:
    # | external_http: bool
    # | def create_event(self) -> threading.Event: ...
    # Both:
    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...
    async def connect(self, url: str, headers: Any = ..., transports: Any = ..., engineio_path: str = ...) -> None: ...
    async def disconnect(self, abort: bool = ..., reason: str | None = ...) -> None: ...
    async def wait(self) -> None: ...
    async def sleep(self, seconds: float = ...) -> None: ...
    # Only asyncio:
    async def _connect_websocket(self, url: str, headers: Any, engineio_path: str) -> bool: ...
    # Both:
    async def _send_request(
        self,
        method: str,
        url: str,
        headers: Any = ...,
        body: Any = ...,
        timeout: Any = ...,  # noqa: ASYNC109 - engineio's parameter
    ) -> Any: ...
    async def _send_packet(self, pkt: Any) -> None: ...
    async def _receive_packet(self, pkt: Any) -> None: ...
    async def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any: ...
    async def _reset(self) -> None: ...
    def _get_url_timestamp(self) -> str: ...

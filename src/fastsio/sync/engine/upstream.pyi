from collections.abc import Callable
from logging import Logger
from typing import Any

class WSGIApp: ...

class Payload:
    max_decode_packets: int

class Socket:
    server: Any
    sid: str
    connected: bool
    upgrading: bool
    upgraded: bool
    closing: bool
    closed: bool
    session: dict[str, Any]

class Server:
    class reason:  # noqa: N801 - engineio's name
        SERVER_DISCONNECT: str
        CLIENT_DISCONNECT: str
        PING_TIMEOUT: str
        TRANSPORT_CLOSE: str
        TRANSPORT_ERROR: str

    ping_interval: float
    ping_interval_grace_period: float
    ping_timeout: float
    max_http_buffer_size: int
    allow_upgrades: bool
    http_compression: bool
    compression_threshold: int
    compression_methods: list[str]
    cookie: str | dict[str, Any] | None
    cors_credentials: bool
    async_handlers: bool
    async_mode: str
    sockets: dict[str, Any]
    handlers: dict[str, Callable[..., Any]]
    start_service_task: bool
    logger: Logger
    transports: list[str]
    _async: dict[str, Any]

    def __init__(self, **options: Any) -> None: ...
    def on(self, event: str, handler: Callable[..., Any] | None = ...) -> Any: ...
    def transport(self, sid: str) -> str: ...
    def generate_id(self) -> str: ...
    def session(self, sid: str) -> Any: ...
    def _get_socket(self, sid: str) -> Any: ...
    def send(self, sid: str, data: Any) -> Any: ...
    def send_packet(self, sid: str, pkt: Any) -> Any: ...
    def get_session(self, sid: str) -> dict[str, Any]: ...
    def save_session(self, sid: str, session: dict[str, Any]) -> None: ...
    def disconnect(self, sid: str | None = ...) -> None: ...
    def handle_request(self, environ: dict[str, Any], start_response: Any) -> Any: ...
    def shutdown(self) -> None: ...
    def sleep(self, seconds: float = ...) -> None: ...
    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...
    def create_queue(self, *args: Any, **kwargs: Any) -> Any: ...
    def create_event(self, *args: Any, **kwargs: Any) -> Any: ...

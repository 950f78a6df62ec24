"""Which driver a server uses: ours for ASGI, engineio's for other frameworks, with what is wrong in them put right."""

from __future__ import annotations

from typing import Any

from fastsio.aio.engine import asgi


def driver_for(async_mode: str, upstream: dict[str, Any]) -> dict[str, Any]:
    """
    Choose the driver.

    Args:
        async_mode: The mode engineio settled on.
        upstream: engineio's driver of that mode; never changed, other servers share it.
    """
    if async_mode == "asgi":
        return asgi.DRIVER
    if async_mode == "aiohttp":
        return {**upstream, "translate_request": _with_address(upstream["translate_request"])}
    return upstream


def _with_address(translate: Any) -> Any:
    """Take the peer's address from aiohttp; engineio reports 127.0.0.1 for every client."""

    def translate_request(request: Any) -> dict[str, Any]:
        environ: dict[str, Any] = translate(request)
        peer = None if request.transport is None else request.transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = str(peer[0]), str(peer[1])
        environ["wsgi.url_scheme"] = request.url.scheme
        return environ

    return translate_request

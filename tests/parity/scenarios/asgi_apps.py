"""``ASGIApp``: where it serves, what it passes on, static files and lifespan."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer every HTTP request with its path."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"hello from {scope['path']}".encode()})


def fill(folder: Path) -> None:
    """Write the files that are served."""
    (folder / "index.html").write_text("<p>index</p>")
    (folder / "data.bin").write_text("data")
    (folder / "style.css").write_text("p {}")


@scenario()
async def other_paths_go_to_the_other_application(lab: Lab) -> None:
    """Socket.IO is served at its path, everything else by ``other_asgi_app``."""
    sio = lab.package.AsyncServer(async_mode="asgi")
    lab.serve(lab.package.ASGIApp(sio, hello))

    await lab.get("/")
    await lab.get("/page")
    client = await lab.client("/")
    await client.send('21["x"]')


@scenario()
async def without_another_application_other_paths_are_not_found(lab: Lab) -> None:
    """404 for what nobody serves."""
    sio = lab.package.AsyncServer(async_mode="asgi")
    lab.serve(lab.package.ASGIApp(sio))

    await lab.get("/")
    await lab.get("/page")


@scenario()
async def the_path_may_be_chosen(lab: Lab) -> None:
    """``socketio_path`` with and without slashes."""
    for path in ("ws", "/ws/", "deep/er"):
        sio = lab.package.AsyncServer(async_mode="asgi")
        lab.serve(lab.package.ASGIApp(sio, hello, socketio_path=path))
        await lab.client("/", path=f"/{path.strip('/')}/")
        await lab.get("/socket.io")


@scenario()
async def files_are_served_from_a_table(lab: Lab) -> None:
    """``static_files`` maps URLs to files, folders and files with a content type."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        sio = lab.package.AsyncServer(async_mode="asgi")
        files = {
            "/": f"{folder}/index.html",
            "/typed": {"filename": f"{folder}/data.bin", "content_type": "application/x-custom"},
            "/static": folder,
        }
        lab.serve(lab.package.ASGIApp(sio, static_files=files))

        for path in (
            "/",
            "/typed",
            "/static/style.css",
            "/static/",
            "/static/missing",
            "/static/../../etc/passwd",
            "/other",
        ):
            await lab.get(path)


@scenario()
async def lifespan_hooks_run(lab: Lab) -> None:
    """``on_startup`` and ``on_shutdown`` may be plain or async."""
    sio = lab.package.AsyncServer(async_mode="asgi")

    async def starting() -> None:
        lab.note("starting")

    def stopping() -> None:
        lab.note("stopping")

    await lab.lifespan(lab.package.ASGIApp(sio, on_startup=starting, on_shutdown=stopping))


@scenario()
async def lifespan_without_hooks_is_answered(lab: Lab) -> None:
    """An application without hooks completes startup and shutdown."""
    await lab.lifespan(lab.package.ASGIApp(lab.package.AsyncServer(async_mode="asgi")))


@scenario()
async def lifespan_goes_to_the_other_application(lab: Lab) -> None:
    """Without hooks of its own the app passes lifespan on."""

    async def other(scope: Any, receive: Any, send: Any) -> None:
        lab.note("other application", scope["type"])
        await receive()
        await send({"type": "lifespan.startup.complete"})

    await lab.lifespan(lab.package.ASGIApp(lab.package.AsyncServer(async_mode="asgi"), other))

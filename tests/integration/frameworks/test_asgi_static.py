"""Static files of ASGIApp, by python-socketio's mapping."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI

import fastsio
from tests.integration.clients import http_client, open_websocket
from tests.support.servers import serve
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of files, with a secret beside it."""
    (tmp_path / "secret.txt").write_text("secret")
    public = tmp_path / "public"
    (public / "sub").mkdir(parents=True)
    (public / "index.html").write_text("<h1>index</h1>")
    (public / "sub" / "index.html").write_text("<h1>sub</h1>")
    (public / "app.js").write_text("alert(1)")
    (public / "style.css").write_text("p {}")
    (public / "data.json").write_text("{}")
    (public / "logo.png").write_bytes(b"\x89PNG")
    (public / "unknown.xyzzy").write_bytes(b"\x00\x01")
    (public / "empty.txt").write_bytes(b"")
    (public / "outside").symlink_to(tmp_path / "secret.txt")
    return public


async def test_files_are_served_with_their_types(make_server, site):
    """A directory serves its files, each with the content type of its name."""
    app = fastsio.ASGIApp(make_server(), static_files={"/static": str(site), "/favicon.ico": str(site / "logo.png")})
    expected = {
        "/static/app.js": ("javascript", b"alert(1)"),
        "/static/style.css": ("text/css", b"p {}"),
        "/static/data.json": ("application/json", b"{}"),
        "/static/logo.png": ("image/png", b"\x89PNG"),
        "/static/unknown.xyzzy": ("application/octet-stream", b"\x00\x01"),
        "/static/empty.txt": ("text/plain", b""),
        "/static/sub/index.html": ("text/html", b"<h1>sub</h1>"),
        "/favicon.ico": ("image/png", b"\x89PNG"),
    }
    async with serve(app) as address, http_client() as http, open_websocket(address) as client:
        for url, (content_type, body) in expected.items():
            answer = await http.get(address.http + url)
            assert (answer.status_code, answer.content) == (200, body), url
            assert content_type in answer.headers["content-type"], url
            assert answer.headers["content-length"] == str(len(body))

        await client.join()


async def test_an_index_stands_for_its_directory(make_server, site):
    """A directory answers with index.html, or with what the entry `""` names."""
    plain = fastsio.ASGIApp(make_server(), static_files={"/": str(site)})
    async with serve(plain) as address, http_client() as http:
        assert (await http.get(f"{address.http}/")).text == "<h1>index</h1>"
        assert (await http.get(f"{address.http}/sub/")).text == "<h1>sub</h1>"
    other = {"/static/": str(site), "": {"filename": "data.json", "content_type": "text/x-index"}}
    async with serve(fastsio.ASGIApp(make_server(), static_files=other)) as address, http_client() as http:
        answer = await http.get(f"{address.http}/static/")
        assert (answer.text, answer.headers["content-type"]) == ("{}", "text/x-index")


async def test_a_content_type_may_be_given(make_server, site):
    """An entry may be `{"filename", "content_type"}`."""
    files = {"/script": {"filename": str(site / "app.js"), "content_type": "text/x-script"}}
    async with serve(fastsio.ASGIApp(make_server(), static_files=files)) as address, http_client() as http:
        answer = await http.get(f"{address.http}/script")

        assert (answer.text, answer.headers["content-type"]) == ("alert(1)", "text/x-script")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/..%2fsecret.txt",
        "/static/sub/../../secret.txt",
        "/static//../secret.txt",
        "/static/%2fetc/passwd",
        "/static//etc/passwd",
        "/static/outside",
        "/static/app.js/x",
        "/static/%00",
        "/static/app.js%00.png",
        "/static/" + "x" * 300,
        "/static/nothing.html",
        "/staticfile",
    ],
)
async def test_nothing_outside_is_served(make_server, site, path):
    """`..`, encoded or not, absolute paths, symlinks out and NUL bytes lead to 404."""
    app = fastsio.ASGIApp(make_server(), static_files={"/static": str(site)})
    async with serve(app) as address:
        # A raw request: HTTP clients tidy the path up before they send it.
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), WAIT_S)
        writer.close()

    assert answer.split(b" ", 2)[1] == b"404"
    assert b"secret" not in answer


async def test_head_has_no_body_and_other_methods_are_not_for_files(make_server, site):
    """HEAD answers with the headers of GET."""
    app = fastsio.ASGIApp(make_server(), static_files={"/static": str(site)})
    async with serve(app) as address, http_client() as http:
        answer = await http.head(f"{address.http}/static/app.js")

        assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "8")


async def test_what_is_no_file_goes_to_the_other_application(make_server, site):
    """A path without a file is the other application's; a mount serves files below its prefix."""
    inner = FastAPI()

    @inner.get("/static/api")
    async def api():
        return "api"

    outer = FastAPI()
    outer.mount("/site", fastsio.ASGIApp(make_server(), inner, static_files={"/static": str(site)}))
    async with serve(outer) as address, http_client() as http:
        assert (await http.get(f"{address.http}/site/static/app.js")).text == "alert(1)"
        assert (await http.get(f"{address.http}/site/static/api")).json() == "api"

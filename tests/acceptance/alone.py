"""
Serves snippets 1 and 2 in a process where only fastsio's own requirements can be imported.

Started by test_snippets.py as ``alone.py SOURCE SNIPPETS``; speaks ASGI to the applications by hand.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

#: The requirements of fastsio, theirs, and what only wraps them.
REQUIREMENTS = {
    "fastsio",
    "engineio",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
    "typing_inspection",
    "simple_websocket",
    "wsproto",
    "h11",
}


class OnlyRequirements(MetaPathFinder):
    """Lets nothing be found that a bare installation would not have."""

    def find_spec(self, fullname, path, target=None):
        top = fullname.partition(".")[0]
        if top not in REQUIREMENTS | sys.stdlib_module_names and not top.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)


async def request(app, method: str, query: str, body: bytes = b"") -> str:
    """Make one HTTP request of an ASGI application and return the body of the answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/socket.io/",
        "raw_path": b"/socket.io/",
        "query_string": f"EIO=4&transport=polling{query}".encode(),
        "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    incoming = [{"type": "http.request", "body": body, "more_body": False}]
    forever = asyncio.get_running_loop().create_future()
    answer = b""

    async def receive():
        return incoming.pop() if incoming else await forever

    async def send(message):
        nonlocal answer
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message
        answer += message.get("body", b"")

    await asyncio.wait_for(app(scope, receive, send), 30)
    return answer.decode()


async def talk(app, packet: str, expected: str) -> None:
    """Connect over polling, send a packet, and compare the event that comes back."""
    sid = json.loads((await request(app, "GET", ""))[1:])["sid"]
    await request(app, "POST", f"&sid={sid}", b"40")
    assert (await request(app, "GET", f"&sid={sid}")).startswith("40{")
    await request(app, "POST", f"&sid={sid}", packet.encode())
    answer = await request(app, "GET", f"&sid={sid}")
    assert answer == expected, answer


async def main(snippets: str) -> None:
    """Serve both snippets."""
    first, second, *_ = re.findall(r"```python\n(.*?)```", snippets, re.DOTALL)
    for snippet, packet, expected in (
        (first, '42["message","hi"]', '42["response","Received: hi"]'),
        (second, '42["join_room",{"room":"blue"}]', '42["joined",{"room":"blue"}]'),
    ):
        names: dict = {"__name__": "snippet"}
        exec(snippet, names)  # noqa: S102 - our own text
        await talk(names["app"], packet, expected)
    print("served 2 snippets")  # noqa: T201 - what the test reads


sys.meta_path.insert(0, OnlyRequirements())
sys.path.insert(0, sys.argv[1])
asyncio.run(main(Path(sys.argv[2]).read_text(encoding="utf-8")))

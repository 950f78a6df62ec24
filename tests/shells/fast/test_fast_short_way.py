"""Long-polling that is read before uvicorn's HTTP protocol is answered as by uvicorn's HTTP protocol, byte for byte."""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest

from fastsio.integrations.fast.pre_http import Front
from tests.shells.fast.two_ways import LOGGERS, Way, get, post, target

CASES = 120
OWN, FOREIGN = "Origin: http://x\r\n", "Origin: http://evil.example\r\n"
HEADS = (
    "",
    "User-Agent: Mozilla/5.0\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nCookie: a=1; b=2\r\n",
    "user-agent: python\r\nconnection: keep-alive\r\n",
    f"{OWN}Referer: http://x/\r\n",
    FOREIGN,
    "Origin: null\r\n",
    "Origin: https://x\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 6.6.6.6, 7.7.7.7\r\n",
    "X-Forwarded-For: 6.6.6.6\r\n",
    "Connection: close\r\n",
    "Connection: Keep-Alive\r\n",
    "Connection: Upgrade\r\nUpgrade: h2c\r\n",
    "Expect: 100-continue\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 5\r\n",
    "Content-Type: application/octet-stream\r\n",
    "Access-Control-Request-Headers: x-a\r\n",
    "Host: y\r\n",
    "X-Odd:caf\xc3\xa9 \r\nX_Under: 1\r\nX-Odd: 2\r\n",
    "X-Content-Length: 3\r\n",
    "X-Empty:\r\nX-Tab:\ta\tb\r\n",
    " folded: 1\r\n",
    "X-Bad\x01: 1\r\n",
    f"X-Long: {'y' * 3000}\r\n",
)
QUERIES = (
    "EIO=4&transport=polling&t=abc",
    "transport=polling&EIO=4",
    "transport=polling",
    "EIO=4&transport=polling&token=a%20b&filter[a]=1",
    "EIO=4&transport=polling&token=1&token=2",
    "EIO=4&transport=polling&j=0",
    "EIO=4&transport=polling&b64=1",
    "EIO=3&transport=polling",
    "EIO=4&transport=websocket",
    "EIO=4&EIO=5&transport=polling",
    "EIO=4&transport=polling&transport=nothing",
    "EIO=4&transport=polling&sid=other",
    "EIO=4&transport=polling&sid=",
    "EIO=4&transport=polling&&",
    "EIO=%34&transport=polling",
    "EIO=4&transport=polling&x",
    "EIO=4&transport=polling;a=b",
    "",
)
PATHS = ("/socket.io/", "/socket.io", "/socket.io/more", "/socket%2Eio/", "/other/", "//socket.io/", "/socket.io/../")
METHODS = ("GET", "GET", "GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "get")
BODIES = (
    b"3",
    b'42["echo","tea"]',
    b'421["echo","tea"]',
    b'421["wait","tea"]\x1e422["echo",2]\x1e3',
    b"41",
    b"1",
    b"",
    b"x",
    b'42["a"]\x1e',
    b'42["a"]\x1ex\x1e42["b"]',
    b'd=42["echo",1]',
    b'451-["echo",{"_placeholder":true,"num":0}]\x1ebAQID',
    b"bAQI",
    b"b!",
    b"\xff",
    '42["echo","caf\xe9 \u2615"]'.encode(),
    b'42["echo","' + b"y" * 1500 + b'"]',
    b'42["echo","' + b"y" * 5000 + b'"]',
    b"0",
    b"2",
    b"6",
)


@pytest.fixture(autouse=True)
def logs(caplog):
    """Have the logs written that are compared."""
    for name in LOGGERS:
        caplog.set_level(logging.INFO, name)


def any_request(draw: random.Random, sid: str) -> bytes:
    """Return a request of the session *sid*, as a rule with something unusual about it."""
    unusual = set(
        draw.sample(("method", "query", "path", "sid", "head", "length", "version"), draw.choice((0, 1, 1, 2)))
    )
    method = draw.choice(METHODS) if "method" in unusual else draw.choice(("GET", "POST"))
    query = draw.choice(QUERIES) if "query" in unusual else QUERIES[draw.randrange(5)]
    path = draw.choice(PATHS) if "path" in unusual else PATHS[0]
    named = draw.choice(("", "unknown")) if "sid" in unusual else sid
    head = "".join(draw.sample(HEADS, draw.choice((1, 2)))) if "head" in unusual else draw.choice(HEADS[:6])
    body = b""
    if method in ("POST", "PUT"):
        body = draw.choice(BODIES)
        name, error = "Content-Length: ", 0
        if "length" in unusual:
            name = draw.choice(
                ("content-length: ", "Content-Length:", "CONTENT-LENGTH: ", "Content-Length:  ", "X-A: ")
            )
            error = draw.choice((0, 0, 1, -1))
        length = f"{name}{len(body) + error}\r\n"
        head = draw.choice((head + length, length + head))
    elif "length" in unusual:
        body = draw.choice(BODIES)
    version = draw.choice(("HTTP/1.0", "HTTP/2", "HTTP/1.2", "http/1.1")) if "version" in unusual else "HTTP/1.1"
    url = target(named, query).replace("/socket.io/", path)
    lines = f"{method} {url} {version}\r\nHost: x\r\n{head}\r\n".encode("utf-8" if draw.random() < 0.9 else "latin-1")
    return lines + body


def mutated(draw: random.Random, head: bytes) -> bytes:
    """Change a byte or two of a head."""
    changed = bytearray(head)
    for _ in range(draw.choice((1, 1, 2))):
        at = draw.randrange(len(changed))
        byte = draw.choice((draw.randrange(256), *b"\r\n :;&=?%\t\x00/HGa0"))
        match draw.randrange(4):
            case 0:
                changed[at] = byte
            case 1:
                changed.insert(at, byte)
            case 2:
                del changed[at]
            case _:
                changed[at:at] = changed[at : at + draw.randrange(40)]
    return bytes(changed)


def in_parts(draw: random.Random, data: bytes) -> list[bytes]:
    """Change some data, or cut it, or leave it alone."""
    end = data.find(b"\r\n\r\n") + 4
    match draw.randrange(5):
        case 0:
            return [mutated(draw, data[:end]) + data[end:]]
        case 1:
            # What follows a poll before its answer is not looked at, where uvicorn looks at it at once.
            at = draw.choice((draw.randrange(1, end), end)) if data.startswith(b"P") else draw.randrange(1, end)
            return [part for part in (data[:at], data[at:]) if part]
        case _:
            return [data]


async def converse(way: Way, seed: str) -> list[Any]:
    """Play one conversation, which is the same for the same seed; return all that came of it."""
    draw = random.Random(seed)
    way.state.total_requests = 0
    first, second = way.dial(), way.dial()
    sid = await way.open_session(first, draw.choice(HEADS[:3]))
    match draw.randrange(4):
        case 0:  # a poll waits
            await way.say(second, get(sid))
        case 1:  # packets wait
            await way.say(second, post(sid, b'421["echo","first"]'))
        case 2:  # many do, and are worth compressing
            await way.sio.emit("news", "z" * 2000)
            await way.sio.emit("news", "z" * 2000)
    for _ in range(draw.choice((1, 3, 6))):
        before = len(first.writes)
        await way.say(first, *in_parts(draw, any_request(draw, sid)))
        if len(first.writes) == before:
            break
    if draw.random() < 0.3:
        await way.say(draw.choice((first, second)), get(sid))
    await way.sio.emit("late", "news")
    await way.settle()
    await way.say(first, get(sid))
    await way.say(first, post(sid, b'42["echo","last"]'))
    session = way.sio.eio.sockets.get(sid)
    seen = [
        (first.output, first.closed),
        (second.output, second.closed),
        way.happened.copy(),
        way.records.lines.copy(),
        session and (session.life, session.transport, session.posting, session.pending and len(session.pending)),
        way.state.total_requests,
    ]
    await way.close()
    seen += [len(way.sio.eio.sockets), len(way.state.tasks), len(way.state.connections)]
    way.happened.clear()
    way.records.lines.clear()
    return seen


OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "cookie, compression": {"cookie": "io", "compression_threshold": 10},
    "any origin": {"cors_allowed_origins": "*", "max_http_buffer_size": 1000},
    "a list of origins": {"cors_allowed_origins": ["http://x", "http://evil.example"], "cors_credentials": False},
    "no check of origins": {"cors_allowed_origins": [], "http_compression": False},
    "Engine.IO 3": {"allow_eio3": True},
    "a function of origins": {"cors_allowed_origins": lambda origin: "evil" not in origin},
    "handlers in order": {"async_handlers": False},
    "behind a root path": {"config": {"root_path": "/site"}},
    "no proxies": {"config": {"proxy_headers": False}, "max_decode_packets": 2},
}


@pytest.mark.parametrize("name", OPTIONS)
async def test_both_ways_answer_alike(name):
    """Whatever is asked, whole or in parts, while a poll or packets wait: bytes, handlers, logs and sessions are equal."""
    options = OPTIONS[name]
    short, standard = Way(is_fast=True, **options), Way(is_fast=False, **options)
    for number in range(CASES):
        seed = f"{name} {number}"
        seen = await converse(short, seed), await converse(standard, seed)
        assert seen[0] == seen[1], seed


async def test_most_requests_take_the_short_way(monkeypatch):
    """Otherwise the comparison would say nothing."""
    answers: list[bool] = []
    try_serve = Front.try_serve

    def counted(front: Front, data: bytes) -> bool:
        answers.append(try_serve(front, data))
        return answers[-1]

    monkeypatch.setattr(Front, "try_serve", counted)
    way = Way(is_fast=True)
    for seed in range(20):
        await converse(way, str(seed))

    assert sum(answers) > len(answers) / 2

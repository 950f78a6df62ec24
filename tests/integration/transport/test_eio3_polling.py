"""Engine.IO 3 on the wire of the asyncio server: polls, posts, script tags, limits and errors."""

from __future__ import annotations

import json

import pytest

from tests.integration.eio3_clients import OCTETS, Poller, open_polling
from tests.shells.engine.wire import Application, Response, settle, start_http


@pytest.fixture
def app() -> Application:
    """A server that allows Engine.IO 3."""
    return Application(allow_eio3=True)


async def test_polls_are_answered_with_text_or_bytes(app):
    """ASCII is text; what client versions would read differently, and binary, is bytes."""
    client = await open_polling(app)

    app.post(client.sid, "hi", "ho")
    plain = await client.poll()
    app.post(client.sid, "ü", b"\xff")
    mixed = await client.poll()

    assert (plain.text, plain.headers["content-type"]) == ("3:4hi3:4ho", "text/plain; charset=UTF-8")
    assert mixed.body == b"\x00\x03\xff4\xc3\xbc\x01\x02\xff\x04\xff"
    assert mixed.headers["content-type"] == "application/octet-stream"


async def test_a_client_without_binary_is_answered_with_text_for_good(app):
    """Only its handshake says b64."""
    client = await open_polling(app, "&b64=1")

    app.post(client.sid, "ü😀", b"\xff")

    assert (await client.poll()).text == "4:4ü😀6:b4/w=="


async def test_posts_are_text_or_bytes(app):
    """Both forms carry text and binary, in order."""
    client = await open_polling(app)

    text = await client.send("3:4hi4:4ü😀6:b4/w==".encode())
    octets = await client.send(b"\x00\x03\xff4hi\x01\x02\xff\x04\xfe", OCTETS)

    assert (text.status, text.text, octets.status) == (200, "ok", 200)
    assert [await app.message() for _ in range(5)] == ["hi", "ü😀", b"\xff", "hi", b"\xfe"]


async def test_script_tags_poll_and_post(app):
    """JSONP gets a call with text in it, and posts a form."""
    client = Poller(app, _unwrapped(await start_http(app, "GET", "EIO=3&transport=polling&j=0&b64=1").response()))

    app.post(client.sid, "ü", b"\xff")
    answer = await client.poll("&j=0")
    posted = await client.send(b"d=4%3A4h+i", query="&j=0")

    assert answer.text == '___eio[0]("2:4\\u00fc6:b4/w==");'
    assert answer.headers["content-type"] == "text/javascript; charset=UTF-8"
    assert posted.status == 200
    assert await app.message() == "h i"


async def test_script_tags_post_newlines(app):
    """An escaped newline is one, and an escaped backslash before an n is not."""
    client = await open_polling(app, "&b64=1")

    response = await client.send(rb"d=6%3A4a%5Cnb%5C%5Cn", query="&j=0")

    assert response.status == 200
    assert await app.message() == "a\nb\\n"


def _unwrapped(response: Response) -> Response:
    """Take the payload out of a JSONP answer."""
    assert response.text.startswith("___eio[0](")
    response.body = json.loads(response.text.removeprefix("___eio[0](").removesuffix(");")).encode()
    return response


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"hello", []),
        (b"9:4hi", []),
        (b"0:", []),
        (b"1:9", []),
        (b"1:3", []),
        (b"6:b4/w=!", []),
        (b"\xff", []),
        (b"3:4hi", OCTETS),
        (b"\x00\x09\xff4", OCTETS),
        (b"\x01\x01\xff\x02", OCTETS),
    ],
)
async def test_a_malformed_post_closes_that_session(app, body, headers):
    """The answer is 400, disconnect runs, and another session is not disturbed."""
    client, other = await open_polling(app), await open_polling(app)

    response = await client.send(body, headers)

    assert (response.status, response.code) == (400, 3)
    assert await app.reason() == "transport error"
    assert (await client.poll()).code == 1
    app.post(other.sid, "hi")
    assert (await other.poll()).text == "3:4hi"


@pytest.mark.parametrize("headers", [[], OCTETS])
async def test_a_body_over_the_limit_closes_the_session(headers):
    """The answer is 413, whichever form the body has."""
    app = Application(allow_eio3=True, max_http_buffer_size=10)
    client = await open_polling(app)

    response = await client.send(b"x" * 11, headers)

    assert response.status == 413
    assert await app.reason() == "transport error"


async def test_polls_are_bounded_by_the_payload_size():
    """What is beyond waits for the next poll."""
    app = Application(allow_eio3=True, max_http_buffer_size=10)
    client = await open_polling(app)

    app.post(client.sid, b"x" * 6, b"y" * 6)

    assert (await client.poll()).body == b"\x01\x07\xff\x04" + b"x" * 6
    assert (await client.poll()).body == b"\x01\x07\xff\x04" + b"y" * 6


async def test_both_ends_close_a_polling_session(app):
    """The client posts a close packet; the server's close is in the pending poll."""
    leaving, kicked = await open_polling(app), await open_polling(app)
    pending = [leaving.start_poll(), kicked.start_poll()]
    await settle()

    await leaving.send(b"1:1")
    reasons = [await app.reason()]
    await app.engine.disconnect(kicked.sid)
    reasons.append(await app.reason())

    assert reasons == ["client disconnect", "server disconnect"]
    assert [(await poll.response()).text for poll in pending] == ["1:6", "1:1"]

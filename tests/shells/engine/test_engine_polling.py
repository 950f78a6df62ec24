"""The polling transport over an in-process ASGI wire: polls, posts, and how a session ends."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.shells.engine.wire import Application, Gate, HttpRequest, connect_polling, scope_of, settle, soon, start_http


async def test_a_poll_waits_for_a_message():
    """The poll is answered as soon as there is something, with all there is."""
    app = Application()
    client = await connect_polling(app)
    poll = client.start_poll()
    await settle()

    app.post(client.sid, "a", b"\xff")
    app.post(client.sid, "b")

    response = await poll.response()
    assert response.status == 200
    assert response.packets == ["4a", "b/w==", "4b"]


# Only asyncio:
async def test_what_is_posted_in_one_turn_comes_with_one_poll():
    """A poll that waits is answered in the loop's next turn, with all that was sent meanwhile."""
    app = Application()
    client = await connect_polling(app)
    poll = client.start_poll()
    await settle()

    for number in range(5):
        app.post(client.sid, str(number))

    assert (await poll.response()).packets == ["40", "41", "42", "43", "44"]


# Both:
async def test_a_post_brings_messages_and_is_answered_ok():
    """Text, binary and pongs may share one body."""
    app = Application()
    client = await connect_polling(app)

    response = await client.send("4a\x1ebAQI=\x1e3\x1e4\u00e9")

    assert (response.status, response.text) == (200, "ok")
    assert [await app.message() for _ in range(3)] == ["a", b"\x01\x02", "\u00e9"]


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"", b"abc", b"2", b"9", b"b%%%", "\u0663".encode()],
    ids=["utf-8", "empty", "text", "ping", "unknown", "base64", "digit"],
)
async def test_a_post_that_cannot_be_decoded_ends_the_session(body):
    """Nothing of a bad body is handled; the answer is 400 and the disconnect handler runs."""
    app = Application()
    client = await connect_polling(app)

    response = await client.send(body)

    assert (response.status, response.code) == (400, 3)
    assert await app.reason() == "transport error"
    assert (await client.poll()).code == 1
    assert app.messages.empty()


async def test_what_comes_before_a_packet_that_cannot_be_decoded_is_handled():
    """The session ends where the body is wrong, as in the JavaScript server."""
    app = Application()
    client = await connect_polling(app)

    assert (await client.send("4a\x1e\x1e4b")).status == 400

    assert await app.message() == "a"
    assert await app.reason() == "transport error"
    assert app.messages.empty()


async def test_a_post_may_carry_as_many_packets_as_its_size_allows():
    """A browser that was offline posts all it has kept at once."""
    app = Application()
    client = await connect_polling(app)

    response = await client.send("\x1e".join(f"4{number}" for number in range(1000)))

    assert response.status == 200
    assert [app.messages.get_nowait() for _ in range(1000)] == [str(number) for number in range(1000)]


# Only asyncio:
@pytest.mark.parametrize("options", [{}, {"max_decode_packets": 2}])
async def test_others_have_a_turn_while_a_post_of_many_packets_is_handled(options, monkeypatch):
    """After ``max_decode_packets`` packets, or as many as engineio's ``Payload`` says."""
    app = Application(**options)
    client = await connect_polling(app)
    if not options:
        monkeypatch.setattr("engineio.payload.Payload.max_decode_packets", 2)
    posting = asyncio.create_task(client.send("\x1e".join(["3"] * 100)))
    turns = 0
    while not posting.done():
        await asyncio.sleep(0)
        turns += 1

    assert posting.result().status == 200
    assert turns >= 50


async def test_a_post_that_is_given_up_while_it_is_handled_ends_the_session():
    """What is left of it is lost, so the client begins anew."""
    app = Application()
    client = await connect_polling(app)
    gate = asyncio.Event()

    async def on_message(sid, data):
        await gate.wait()

    app.on_message = on_message
    posting = start_http(app, "POST", client.query, b"4a\x1e4b", headers=[("content-length", "5")])
    await app.message()
    posting.task.cancel()

    assert await app.reason() == "transport error"
    assert app.messages.empty()


@pytest.mark.parametrize(
    ("user_agent", "sizes"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64)", [40, 1]),
        ("node-XMLHttpRequest", [40, 1]),
        ("Python/3.11 aiohttp/3.9.1", [16, 16, 9]),
        (None, [16, 16, 9]),
    ],
)
async def test_a_burst_is_polled_in_payloads_that_the_client_reads(user_agent, sizes):
    """python-engineio's clients lose what holds more than 16 packets; nothing is lost, also when the session ends."""
    app = Application()
    client = await connect_polling(app)
    headers = [] if user_agent is None else [("user-agent", user_agent)]
    poll = start_http(app, "GET", client.query, headers=headers)
    await settle()

    for number in range(40):
        app.post(client.sid, str(number))
    await app.engine.disconnect(client.sid)

    polled = [(await poll.response()).packets]
    while polled[-1][-1] != "1":
        polled.append((await start_http(app, "GET", client.query, headers=headers).response()).packets)
    assert [len(packets) for packets in polled] == sizes
    assert [packet for packets in polled for packet in packets] == [*[f"4{number}" for number in range(40)], "1"]
    assert (await client.poll()).code == 1


# Both:
@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_ends_the_session(declared):
    """With or without Content-Length the answer is 413."""
    app = Application(max_http_buffer_size=10)
    client = await connect_polling(app)
    headers = [("content-length", "11")] if declared else []

    response = await start_http(
        app, "POST", client.query, b"4" + b"a" * 5, b"a" * 5, b"a" * 5, headers=headers
    ).response()

    assert response.status == 413
    assert await app.reason() == "transport error"


async def test_a_chunked_body_within_the_limit_is_taken():
    """A body without Content-Length is read to its end."""
    app = Application(max_http_buffer_size=10)
    client = await connect_polling(app)

    response = await start_http(app, "POST", client.query, b"4abc", b"def", b"ghi").response()

    assert response.status == 200
    assert await app.message() == "abcdefghi"


@pytest.mark.parametrize(
    "headers", [[("content-type", "application/octet-stream")], [("content-length", "abc")]], ids=["type", "length"]
)
async def test_a_post_with_bad_headers_ends_the_session(headers):
    """A binary body is answered, not left hanging (CVE-2026-59725)."""
    app = Application()
    client = await connect_polling(app)

    response = await start_http(app, "POST", client.query, b"4a", headers=headers).response()

    assert response.status == 400
    assert await app.reason() == "transport error"


# Only asyncio:
async def test_a_post_that_is_cut_off_ends_the_session():
    """A client that leaves within its body is gone."""
    app = Application()
    client = await connect_polling(app)
    post = start_http(app, "POST", client.query, headers=[("content-length", "10")])
    post._body[:] = []
    post.abort()

    assert (await post.response()).status == 400
    assert await app.reason() == "transport error"


# Both:
async def test_a_jsonp_client_is_served():
    """Responses are calls of a function with a JSON string, posts are forms."""
    app = Application()
    first = await start_http(app, "GET", "EIO=4&transport=polling&j=3").response()
    assert first.headers["content-type"] == "text/javascript; charset=UTF-8"
    assert first.text.startswith("___eio[3](")
    opened = json.loads(first.text.removeprefix("___eio[3](").removesuffix(");"))
    sid = json.loads(opened[1:])["sid"]

    post = await start_http(app, "POST", f"EIO=4&transport=polling&j=3&sid={sid}", b"d=4a%26b").response()
    app.post(sid, 'say "x"\n</script>\u2028')
    poll = await start_http(app, "GET", f"EIO=4&transport=polling&j=3&sid={sid}").response()

    assert post.status == 200
    assert await app.message() == "a&b"
    assert json.loads(poll.text.removeprefix("___eio[3](").removesuffix(");")) == '4say "x"\n</script>\u2028'
    assert "\u2028" not in poll.text


async def test_the_close_packet_of_the_client_ends_a_pending_poll_with_a_noop():
    """The poll is answered, not failed, and the sid is unknown from then on."""
    app = Application()
    client = await connect_polling(app)
    poll = client.start_poll()
    await settle()

    response = await client.send("1")

    assert response.text == "ok"
    assert (await poll.response()).packets == ["6"]
    assert await app.reason() == "client disconnect"
    assert (await client.poll()).status == 400
    assert (await client.send("4a")).status == 400


async def test_the_server_ends_a_pending_poll_with_a_close_packet():
    """The client learns that the session is over."""
    app = Application()
    client = await connect_polling(app)
    poll = client.start_poll()
    await settle()

    await soon(app.engine.disconnect(client.sid))

    assert (await poll.response()).packets == ["1"]
    assert await app.reason() == "server disconnect"
    assert (await client.poll()).status == 400


async def test_the_last_packets_wait_for_one_more_poll():
    """What was sent right before the end reaches a client that is between two polls."""
    app = Application()
    client = await connect_polling(app)
    app.post(client.sid, "bye")

    await soon(app.engine.disconnect(client.sid))

    assert app.engine.sockets == {}
    assert (await client.send("4a")).status == 400
    assert (await client.poll()).packets == ["4bye", "1"]
    assert (await client.poll()).status == 400


async def test_a_poll_while_the_session_ends_gets_the_close_packet():
    """A client that polls again while the disconnect handler runs is told of the end, not that it is unknown."""
    app = Application()
    client = await connect_polling(app)
    may_end = Gate()
    app.on_disconnect = lambda _sid, _reason: may_end.wait()
    ending = app.start(app.engine.disconnect, client.sid)
    await app.reason()

    poll = client.start_poll()
    await settle()
    may_end.set()

    assert (await poll.response()).packets == ["1"]
    await soon(ending)
    assert (await client.poll()).status == 400


async def test_a_second_poll_ends_the_session():
    """The older poll gets the close packet, the newer one 400."""
    app = Application()
    client = await connect_polling(app)
    first = client.start_poll()
    await settle()

    second = await client.poll()

    assert second.status == 400
    assert (await first.response()).packets == ["1"]
    assert await app.reason() == "transport error"


async def test_a_second_post_ends_the_session():
    """Two posts at once would have no order."""
    app = Application()
    release = Gate()

    async def on_message(sid, data):
        await release.wait()

    app.on_message = on_message
    client = await connect_polling(app)
    first = start_http(app, "POST", client.query, b"4a")
    await app.message()

    second = await client.send("4b")
    release.set()

    assert second.status == 400
    assert await app.reason() == "transport error"
    await first.response()
    assert app.messages.empty()


# Only asyncio:
async def test_a_poll_that_is_given_up_ends_the_session():
    """A client that closes its connection during a poll is gone."""
    app = Application()
    client = await connect_polling(app)
    poll = client.start_poll()
    await settle()

    poll.abort()

    assert await app.reason() == "transport error"
    await poll.response()


async def test_a_body_that_never_ends_is_let_go_with_its_session():
    """What was read of it is not kept, and its request is answered, when the session ends for another reason."""
    app = Application()
    client = await connect_polling(app)
    post = start_http(app, "POST", client.query, headers=[("content-length", "10")])
    post._body[:] = []
    await settle()

    await app.engine.close_client(client.sid, "ping timeout", abort=True)

    assert (await post.response()).status == 400
    assert await app.reason() == "ping timeout"


class Trickle(HttpRequest):
    """A POST whose body comes byte by byte and never ends, or never comes."""

    every_s: float | None = None

    async def _receive(self) -> dict[str, Any]:
        if self.every_s is None:
            return await super()._receive()
        await asyncio.sleep(self.every_s)
        return {"type": "http.request", "body": b"a", "more_body": True}


@pytest.mark.parametrize("every_s", [None, 0.001], ids=["nothing comes", "a byte now and then"])
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.virtual_time
async def test_a_body_that_never_ends_is_read_for_body_timeout(every_s, declared):
    """The client gets 408 on a connection that is closed then, and its session ends."""
    app = Application(body_timeout=0.05)
    client = await connect_polling(app)
    headers = [(b"host", b"testserver"), *([(b"content-length", b"100000")] if declared else [])]
    post = Trickle(app, scope_of("http", client.query, method="POST", headers=headers), [])
    post.every_s = every_s

    response = await post.response()

    assert (response.status, response.text) == (408, '{"code":3,"message":"The body took too long"}')
    assert response.headers["connection"] == "close"
    assert await app.reason() == "transport error"
    assert app.messages.empty()


@pytest.mark.virtual_time
async def test_a_body_that_is_late_under_http_2_does_not_close_its_connection():
    """It has other requests, and no header of that kind (RFC 9113, section 8.2.2)."""
    app = Application(body_timeout=0.01)
    client = await connect_polling(app)
    post = start_http(app, "POST", client.query, headers=[("content-length", "10")], http_version="2")
    post._body[:] = []

    response = await post.response()

    assert response.status == 408
    assert "connection" not in response.headers


# Both:

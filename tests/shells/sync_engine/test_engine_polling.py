# Written by tools/unasync.py from tests/shells/engine/test_engine_polling.py; change that one.
"""The polling transport over an in-process WSGI wire: polls, posts, and how a session ends."""

from __future__ import annotations

import json

import pytest

from tests.shells.sync_engine.wire import (
    Application,
    Gate,
    connect_polling,
    settle,
    soon,
    start_http,
)


def test_a_poll_waits_for_a_message():
    """The poll is answered as soon as there is something, with all there is."""
    app = Application()
    client = connect_polling(app)
    poll = client.start_poll()
    settle()

    app.post(client.sid, "a", b"\xff")
    app.post(client.sid, "b")

    response = poll.response()
    assert response.status == 200
    assert response.packets == ["4a", "b/w==", "4b"]


def test_a_post_brings_messages_and_is_answered_ok():
    """Text, binary and pongs may share one body."""
    app = Application()
    client = connect_polling(app)

    response = client.send("4a\x1ebAQI=\x1e3\x1e4\u00e9")

    assert (response.status, response.text) == (200, "ok")
    assert [app.message() for _ in range(3)] == ["a", b"\x01\x02", "\u00e9"]


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"", b"abc", b"2", b"9", b"b%%%", "\u0663".encode()],
    ids=["utf-8", "empty", "text", "ping", "unknown", "base64", "digit"],
)
def test_a_post_that_cannot_be_decoded_ends_the_session(body):
    """Nothing of a bad body is handled; the answer is 400 and the disconnect handler runs."""
    app = Application()
    client = connect_polling(app)

    response = client.send(body)

    assert (response.status, response.code) == (400, 3)
    assert app.reason() == "transport error"
    assert (client.poll()).code == 1
    assert app.messages.empty()


def test_what_comes_before_a_packet_that_cannot_be_decoded_is_handled():
    """The session ends where the body is wrong, as in the JavaScript server."""
    app = Application()
    client = connect_polling(app)

    assert (client.send("4a\x1e\x1e4b")).status == 400

    assert app.message() == "a"
    assert app.reason() == "transport error"
    assert app.messages.empty()


def test_a_post_may_carry_as_many_packets_as_its_size_allows():
    """A browser that was offline posts all it has kept at once."""
    app = Application()
    client = connect_polling(app)

    response = client.send("\x1e".join(f"4{number}" for number in range(1000)))

    assert response.status == 200
    assert [app.messages.get_nowait() for _ in range(1000)] == [str(number) for number in range(1000)]


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_ends_the_session(declared):
    """With or without Content-Length the answer is 413."""
    app = Application(max_http_buffer_size=10)
    client = connect_polling(app)
    headers = [("content-length", "11")] if declared else []

    response = start_http(app, "POST", client.query, b"4" + b"a" * 5, b"a" * 5, b"a" * 5, headers=headers).response()

    assert response.status == 413
    assert app.reason() == "transport error"


def test_a_chunked_body_within_the_limit_is_taken():
    """A body without Content-Length is read to its end."""
    app = Application(max_http_buffer_size=10)
    client = connect_polling(app)

    response = start_http(app, "POST", client.query, b"4abc", b"def", b"ghi").response()

    assert response.status == 200
    assert app.message() == "abcdefghi"


@pytest.mark.parametrize(
    "headers", [[("content-type", "application/octet-stream")], [("content-length", "abc")]], ids=["type", "length"]
)
def test_a_post_with_bad_headers_ends_the_session(headers):
    """A binary body is answered, not left hanging (CVE-2026-59725)."""
    app = Application()
    client = connect_polling(app)

    response = start_http(app, "POST", client.query, b"4a", headers=headers).response()

    assert response.status == 400
    assert app.reason() == "transport error"


def test_a_jsonp_client_is_served():
    """Responses are calls of a function with a JSON string, posts are forms."""
    app = Application()
    first = start_http(app, "GET", "EIO=4&transport=polling&j=3").response()
    assert first.headers["content-type"] == "text/javascript; charset=UTF-8"
    assert first.text.startswith("___eio[3](")
    opened = json.loads(first.text.removeprefix("___eio[3](").removesuffix(");"))
    sid = json.loads(opened[1:])["sid"]

    post = start_http(app, "POST", f"EIO=4&transport=polling&j=3&sid={sid}", b"d=4a%26b").response()
    app.post(sid, 'say "x"\n</script>\u2028')
    poll = start_http(app, "GET", f"EIO=4&transport=polling&j=3&sid={sid}").response()

    assert post.status == 200
    assert app.message() == "a&b"
    assert json.loads(poll.text.removeprefix("___eio[3](").removesuffix(");")) == '4say "x"\n</script>\u2028'
    assert "\u2028" not in poll.text


def test_the_close_packet_of_the_client_ends_a_pending_poll_with_a_noop():
    """The poll is answered, not failed, and the sid is unknown from then on."""
    app = Application()
    client = connect_polling(app)
    poll = client.start_poll()
    settle()

    response = client.send("1")

    assert response.text == "ok"
    assert (poll.response()).packets == ["6"]
    assert app.reason() == "client disconnect"
    assert (client.poll()).status == 400
    assert (client.send("4a")).status == 400


def test_the_server_ends_a_pending_poll_with_a_close_packet():
    """The client learns that the session is over."""
    app = Application()
    client = connect_polling(app)
    poll = client.start_poll()
    settle()

    soon(app.engine.disconnect(client.sid))

    assert (poll.response()).packets == ["1"]
    assert app.reason() == "server disconnect"
    assert (client.poll()).status == 400


def test_the_last_packets_wait_for_one_more_poll():
    """What was sent right before the end reaches a client that is between two polls."""
    app = Application()
    client = connect_polling(app)
    app.post(client.sid, "bye")

    soon(app.engine.disconnect(client.sid))

    assert app.engine.sockets == {}
    assert (client.send("4a")).status == 400
    assert (client.poll()).packets == ["4bye", "1"]
    assert (client.poll()).status == 400


def test_a_poll_while_the_session_ends_gets_the_close_packet():
    """A client that polls again while the disconnect handler runs is told of the end, not that it is unknown."""
    app = Application()
    client = connect_polling(app)
    may_end = Gate()
    app.on_disconnect = lambda _sid, _reason: may_end.wait()
    ending = app.start(app.engine.disconnect, client.sid)
    app.reason()

    poll = client.start_poll()
    settle()
    may_end.set()

    assert (poll.response()).packets == ["1"]
    soon(ending)
    assert (client.poll()).status == 400


def test_a_second_poll_ends_the_session():
    """The older poll gets the close packet, the newer one 400."""
    app = Application()
    client = connect_polling(app)
    first = client.start_poll()
    settle()

    second = client.poll()

    assert second.status == 400
    assert (first.response()).packets == ["1"]
    assert app.reason() == "transport error"


def test_a_second_post_ends_the_session():
    """Two posts at once would have no order."""
    app = Application()
    release = Gate()

    def on_message(sid, data):
        release.wait()

    app.on_message = on_message
    client = connect_polling(app)
    first = start_http(app, "POST", client.query, b"4a")
    app.message()

    second = client.send("4b")
    release.set()

    assert second.status == 400
    assert app.reason() == "transport error"
    first.response()
    assert app.messages.empty()

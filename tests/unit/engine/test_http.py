"""The HTTP responses of the transport."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from fastsio.engine import http
from fastsio.engine.http import Code
from fastsio.engine.packet import NOOP_PACKET, MessagePacket

METHODS = {"gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("code", Code)
def test_refusals_say_what_was_wrong(code):
    """As the JavaScript server does: a number and a sentence."""
    response = http.refusal(code)

    assert response["status"] == "400 Bad Request"
    assert response["headers"] == [("Content-Type", "application/json")]
    assert json.loads(response["response"]) == {"code": int(code), "message": http.MESSAGES[code]}


def test_a_refusal_may_have_words_and_a_status_of_its_own():
    """For what the table does not tell apart."""
    response = http.refusal(Code.FORBIDDEN, "Not from there", status="403 Forbidden")

    assert response["status"] == "403 Forbidden"
    assert response["response"] == b'{"code":4,"message":"Not from there"}'


def test_an_origin_that_is_not_taken_is_forbidden():
    """The answer names it, in JSON."""
    response = http.origin_refused('http://"x')

    assert response["status"] == "400 Bad Request"
    assert json.loads(response["response"]) == {"code": 4, "message": 'http://"x is not an accepted origin.'}


def test_a_body_over_the_limit_is_too_large():
    """A status of its own: clients and proxies know it."""
    response = http.too_large()

    assert response["status"] == "413 Payload Too Large"
    assert json.loads(response["response"]) == {"code": 3, "message": "Payload too large"}


def test_a_body_that_takes_too_long_is_told_so():
    """With headers that the shell adds, which may end the connection."""
    response = http.too_slow(("Connection", "close"))

    assert response["status"] == "408 Request Timeout"
    assert ("Connection", "close") in response["headers"]
    assert json.loads(response["response"]) == {"code": 3, "message": "The body took too long"}


@pytest.mark.parametrize(
    ("detail", "body"), [("not today", b'"not today"'), ({"code": 1}, b'{"code": 1}'), (None, b'"Unauthorized"')]
)
def test_a_handshake_that_the_application_refuses_is_unauthorized(detail, body):
    """The body is what its handler returned, as JSON."""
    response = http.unauthorized(detail)

    assert (response["status"], response["response"]) == ("401 Unauthorized", body)


def test_a_server_that_shuts_down_is_unavailable_for_a_while():
    """Clients and load balancers know the status, and when to try again; a body stops some Python clients."""
    response = http.unavailable()

    assert response["status"] == "503 Service Unavailable"
    assert ("Retry-After", "5") in response["headers"]
    assert response["response"] == b""


def test_what_was_taken_is_ok():
    """In the words of the protocol, or none for a preflight."""
    assert http.accepted()["response"] == b"ok"
    assert http.accepted(b"")["response"] == b""
    assert http.accepted()["status"] == "200 OK"


def test_a_poll_is_answered_with_packets():
    """As text; as a script for clients that poll by script tag."""
    packets = [MessagePacket("hi"), NOOP_PACKET]

    text = http.payload(packets, headers=[("Set-Cookie", "io=1")])
    script = http.payload(packets, jsonp_index=3)

    assert text["headers"] == [("Set-Cookie", "io=1"), ("Content-Type", "text/plain; charset=UTF-8")]
    assert text["response"] == b"4hi\x1e6"
    assert script["headers"] == [("Content-Type", "text/javascript; charset=UTF-8")]
    assert script["response"] == b'___eio[3]("4hi\\u001e6");'


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate", "gzip"),
        ("br, deflate;q=0.5, gzip", "deflate"),
        ("GZIP", "gzip"),
        ("gzip;q=0, deflate", "deflate"),
        ("gzip; q=0.000", None),
        ("gzip;q=0.001", "gzip"),
        ("br", None),
        ("", None),
    ],
)
def test_the_first_coding_that_the_client_accepts_is_used(accepted, coding):
    """A client that accepts none gets the body as it is."""
    response = http.payload([MessagePacket("x" * 100)])
    body = response["response"]

    http.compress(response, accepted, METHODS, threshold=10)

    assert response["response"] == (METHODS[coding](body) if coding else body)
    assert dict(response["headers"]).get("Content-Encoding") == coding


def test_short_bodies_stay_as_they_are():
    """Below the threshold; at the threshold they are compressed."""
    short, enough = (http.payload([MessagePacket("x" * size)]) for size in (8, 9))

    for response in (short, enough):
        http.compress(response, "gzip", METHODS, threshold=10)

    assert short["response"] == b"4" + b"x" * 8
    assert gzip.decompress(enough["response"]) == b"4" + b"x" * 9


@pytest.mark.parametrize(
    ("option", "cookie"),
    [
        ("io", "io=abc; path=/; HttpOnly; SameSite=Lax"),
        ({}, "io=abc; path=/; HttpOnly; SameSite=Lax"),
        ({"name": "sio", "Secure": True}, "sio=abc; Secure; path=/; HttpOnly; SameSite=Lax"),
        ({"name": "sio", "Path": lambda: "/x", "samesite": "None"}, "sio=abc; Path=/x; samesite=None; HttpOnly"),
        ({"name": "sio", "httpOnly": False, "SameSite": None}, "sio=abc; path=/"),
        ({"name": "sio", "Max-Age": 60}, "sio=abc; Max-Age=60; path=/; HttpOnly; SameSite=Lax"),
    ],
)
def test_scripts_and_other_sites_do_not_get_the_cookie_unless_it_says_so(option, cookie):
    """HttpOnly and SameSite are there unless the option has others."""
    assert http.sid_cookie("abc", option) == cookie

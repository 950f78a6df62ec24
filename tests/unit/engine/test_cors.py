"""Which origins are taken, and what browsers are told."""

from __future__ import annotations

import functools

import pytest

from fastsio.engine.cors import Origins, cors_headers
from fastsio.exceptions import SetupError

ORIGIN = "https://app.example"
ENVIRON = {"HTTP_HOST": "here", "wsgi.url_scheme": "http", "REQUEST_METHOD": "GET"}


def admits(allowed, origin=ORIGIN, environ=None, *, may_await=True):
    """Ask whether an origin is taken."""
    return Origins(allowed, may_await=may_await).accepts(origin, ENVIRON if environ is None else environ)


async def only_ours(origin):
    """Take one origin."""
    return origin == ORIGIN


class Asked:
    """An object that is called."""

    async def __call__(self, origin, environ):
        """Take one origin."""
        return origin == ORIGIN


def generated(origin):
    """Give an object that is true whatever it yields."""
    yield False


async def generated_async(origin):
    """Likewise."""
    yield False


@pytest.mark.parametrize("allowed", ["*", ["*"], ORIGIN, ["https://other.example", ORIGIN], {ORIGIN}, (ORIGIN,)])
def test_an_origin_that_is_named_is_taken(allowed):
    """By itself, in a collection, or by the star."""
    assert admits(allowed) is True


@pytest.mark.parametrize("allowed", [None, "https://other.example", ["https://other.example"], [], ""])
def test_others_are_not(allowed):
    """A prefix or suffix is another origin."""
    assert admits(allowed) is False


def test_no_option_takes_the_servers_own_origin():
    """That of the request, or the one a proxy says that it was asked for."""
    forwarded = {**ENVIRON, "HTTP_X_FORWARDED_PROTO": "https, http", "HTTP_X_FORWARDED_HOST": "app.example, inner"}

    assert admits(None, "http://here") is True
    assert admits(None, "https://here") is False
    assert admits(None, ORIGIN, forwarded) is True
    assert admits(None, ORIGIN, {}) is False
    assert admits(None, ORIGIN, {"HTTP_HOST": "app.example"}) is False


@pytest.mark.parametrize(
    "function",
    [
        lambda origin: origin == ORIGIN,
        lambda origin, environ: origin == ORIGIN and environ is ENVIRON,
        lambda *arguments: arguments == (ORIGIN, ENVIRON),
    ],
)
def test_a_function_gets_what_it_takes(function):
    """The origin, and the environ if it has a second parameter."""
    assert admits(function) is True
    assert admits(function, "https://other.example") is False


def test_an_error_inside_a_function_is_its_own():
    """It is not asked again with fewer arguments."""
    calls = []

    def function(origin, environ=None):
        calls.append(environ)
        raise TypeError("its own")

    with pytest.raises(TypeError, match="its own"):
        admits(function)

    assert calls == [ENVIRON]


@pytest.mark.parametrize("function", [only_ours, Asked(), functools.partial(only_ours)])
def test_a_coroutine_function_is_refused_where_nothing_awaits_it(function):
    """A coroutine is true: it would let every origin in."""
    with pytest.raises(SetupError, match=r"cors_allowed_origins: .* cannot await"):
        Origins(function, may_await=False)

    assert Origins(function, may_await=True).allowed is function


@pytest.mark.parametrize("function", [generated, generated_async])
def test_a_generator_is_refused(function):
    """It is true as well, and nobody looks at what it yields."""
    with pytest.raises(SetupError, match="generator"):
        Origins(function, may_await=True)


@pytest.mark.parametrize("function", [lambda: True, lambda one, two, three: True])
def test_a_function_of_other_arguments_is_refused(function):
    """When the option is given, not with the first request."""
    with pytest.raises(SetupError, match=r"must take \(origin\)"):
        Origins(function, may_await=True)


def test_an_empty_list_turns_everything_off():
    """Nothing else does."""
    assert Origins([], may_await=True).is_off
    assert not any(Origins(allowed, may_await=True).is_off for allowed in (None, "", "*", (), [ORIGIN]))


def test_the_headers_say_that_the_response_depends_on_the_origin():
    """With and without an origin that is taken, so that a cache gives no page the response of another."""
    environ = {**ENVIRON, "HTTP_ORIGIN": ORIGIN}

    assert cors_headers(environ, is_allowed=True, with_credentials=True) == [
        ("Vary", "Origin"),
        ("Access-Control-Allow-Origin", ORIGIN),
        ("Access-Control-Allow-Credentials", "true"),
    ]
    assert cors_headers(environ, is_allowed=False, with_credentials=False) == [("Vary", "Origin")]


def test_a_preflight_is_told_methods_and_headers():
    """The headers it asks for are allowed."""
    environ = {**ENVIRON, "REQUEST_METHOD": "OPTIONS", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "x-token"}

    assert cors_headers(environ, is_allowed=False, with_credentials=False)[1:] == [
        ("Access-Control-Allow-Methods", "OPTIONS, GET, POST"),
        ("Access-Control-Allow-Headers", "x-token"),
    ]

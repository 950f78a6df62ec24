"""The error vocabulary."""

from __future__ import annotations

import pytest
from fastapi import HTTPException, WebSocketException

from fastsio.exceptions import EventError, RateLimited, ValidationFailed
from fastsio.routing.errors import (
    INTERNAL_MESSAGE,
    REFUSED_MESSAGE,
    close_code_of,
    describe,
    find_exception_handler,
    is_expected,
)


def test_a_failure_is_an_object_of_four_fields():
    """The client reads type, event, msg and detail."""
    detail = [{"loc": ["args", 0], "msg": "Field required", "type": "missing"}]

    assert describe(ValidationFailed(detail), "join").as_dict() == {
        "type": "validation_error",
        "event": "join",
        "msg": "The data is not valid.",
        "detail": detail,
    }


@pytest.mark.parametrize(
    ("exc", "type_", "msg", "detail"),
    [
        (EventError("not_found", "No such room.", 5), "not_found", "No such room.", 5),
        (RateLimited(1.5), "rate_limited", "Too many events, slow down.", {"retry_after": 1.5}),
        (PermissionError("Members only."), "forbidden", "Members only.", None),
        (PermissionError(), "forbidden", "Not allowed.", None),
        (PermissionError(13, "Permission denied", "/etc/secret"), "forbidden", "Not allowed.", None),
        (HTTPException(401, "Who are you?"), "unauthorized", "Who are you?", None),
        (HTTPException(404, {"id": 5}), "not_found", "The request was refused.", {"id": 5}),
        (HTTPException(400, "Inactive user"), "bad_request", "Inactive user", None),
        (HTTPException(402), "bad_request", "Payment Required", None),
        (HTTPException(409, "Taken."), "conflict", "Taken.", None),
        (HTTPException(418, "A teapot."), "bad_request", "A teapot.", None),
        (HTTPException(307, "Elsewhere."), "bad_request", "Elsewhere.", None),
        (HTTPException(500, "secret"), "internal", INTERNAL_MESSAGE, None),
        (WebSocketException(1008, "no token"), "forbidden", "no token", None),
        (WebSocketException(1007), "validation_error", REFUSED_MESSAGE, None),
        (WebSocketException(4401, "Who are you?"), "unauthorized", "Who are you?", None),
        (WebSocketException(4418, "A teapot."), "bad_request", "A teapot.", None),
        (WebSocketException(4500, "secret"), "internal", INTERNAL_MESSAGE, None),
        (WebSocketException(1011, "secret"), "internal", INTERNAL_MESSAGE, None),
        (ValueError("secret"), "internal", INTERNAL_MESSAGE, None),
    ],
)
def test_exceptions_become_types_and_nothing_leaks(exc, type_, msg, detail):
    """Only texts meant for the client reach it."""
    failure = describe(exc, "e")

    assert (failure.type, failure.msg, failure.detail) == (type_, msg, detail)
    assert is_expected(exc) is (type_ != "internal")


def test_errors_of_http_clients_are_defects():
    """They have a status too, but their texts tell of another server."""

    class StatusError(Exception):
        status_code = 401

    assert describe(StatusError("the key of the payment service"), "e").type == "internal"


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (WebSocketException(1008, "no token"), 1008),
        (HTTPException(402), 4402),
        (HTTPException(500), None),
        (PermissionError("Members only."), 4403),
        (RateLimited(1), 4429),
        (ValueError("secret"), None),
    ],
)
def test_an_exception_says_how_a_websocket_is_closed(exc, code):
    """The code of a WebSocketException, 4000 and the status of an answer, nothing for a defect."""
    assert close_code_of(exc) == code


def test_the_nearest_class_wins_and_inner_scopes_come_first():
    """MRO within a scope, then the next scope."""

    def of_lookup(): ...
    def of_key(): ...
    def of_any(): ...

    server = {Exception: of_any, KeyError: of_key}

    assert find_exception_handler(KeyError(), [{LookupError: of_lookup}, server]) is of_lookup
    assert find_exception_handler(KeyError(), [{}, server]) is of_key
    assert find_exception_handler(ValueError(), [server]) is of_any
    assert find_exception_handler(ValueError(), [{KeyError: of_key}]) is None

"""The error vocabulary."""

from __future__ import annotations

import pytest
from fastapi import HTTPException

from fastsio.exceptions import EventError, RateLimited, ValidationFailed
from fastsio.routing.failures import INTERNAL_MESSAGE, describe, find_exception_handler, is_expected


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
        (HTTPException(500, "secret"), "internal", INTERNAL_MESSAGE, None),
        (ValueError("secret"), "internal", INTERNAL_MESSAGE, None),
    ],
)
def test_exceptions_become_types_and_nothing_leaks(exc, type_, msg, detail):
    """Only texts meant for the client reach it."""
    failure = describe(exc, "e")

    assert (failure.type, failure.msg, failure.detail) == (type_, msg, detail)
    assert is_expected(exc) is (type_ != "internal")


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

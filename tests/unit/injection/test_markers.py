"""Depends, Header, Cookie, Query and the registry."""

from __future__ import annotations

import pydoc
from typing import Annotated

import pytest

from fastsio.exceptions import SetupError, ValidationFailed
from fastsio.injection import Cookie, Depends, Header, Query, register_dependency
from fastsio.injection.markers import Dependency


def test_depends_makes_a_dependency():
    """Defaults: shared, for one event."""
    assert Depends(print) == Dependency(print, use_cache=True, scope="event")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scope": "request"}, "scope must be 'event', 'function' or 'connection', not 'request'"),
        ({"scope": "connection", "use_cache": False}, "cannot have use_cache=False"),
        ({"dependency": 42}, "expected a callable or a registered name, not 42"),
    ],
)
def test_wrong_arguments_are_refused_where_they_are_written(arguments, message):
    """The mistake is in that line, not in the registration."""
    with pytest.raises(SetupError, match=message):
        Depends(**arguments)


def test_only_callables_can_be_registered():
    """A value is not a dependency."""
    with pytest.raises(SetupError, match="'answer' needs a callable, not 42"):
        register_dependency("answer", 42)


async def test_handshake_values_of_our_own_markers(harness):
    """As defaults or inside Annotated, with aliases, defaults and constraints."""
    harness.client.environ = {
        "HTTP_X_TOKEN": "secret",
        "HTTP_COOKIE": "session=abc",
        "QUERY_STRING": "page=3",
    }

    async def handler(
        x_token: Annotated[str, Header(min_length=3)],
        session: str = Cookie(),
        number: int = Query(alias="page", ge=1),
        exact: str = Header("absent", alias="x_token", convert_underscores=False),
        lang: str | None = Query(None),
    ):
        return x_token, session, number, exact, lang

    assert await harness.call(handler) == ("secret", "abc", 3, "absent", None)


async def test_a_required_header_that_is_missing_is_reported(harness):
    """With the name it has on the wire."""

    async def handler(x_token: str = Header()):
        raise AssertionError

    with pytest.raises(ValidationFailed) as failure:
        await harness.call(handler)
    assert failure.value.detail == [{"loc": ["header", "x-token"], "msg": "Field required", "type": "missing"}]


def test_a_constraint_that_does_not_exist_is_refused():
    """As an argument that the function does not have."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'least'"):
        Query(least=1)


@pytest.mark.parametrize("marker", [Header, Cookie, Query])
def test_help_names_each_constraint(marker):
    """As ``help()`` and editors show the function."""
    shown = pydoc.plain(pydoc.render_doc(marker))

    assert "min_length: 'int | None' = None" in shown
    assert "**" not in shown

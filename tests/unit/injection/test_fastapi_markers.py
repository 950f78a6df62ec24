# ruff: noqa: B008, D103, TC001 - Depends() as a default is what is tested; models and handlers here are examples; annotations are resolved at run time
"""Dependencies written for FastAPI."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import fastapi
import pytest
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from pydantic import BaseModel
from starlette.requests import HTTPConnection, Request

from fastsio.exceptions import SignatureError, ValidationFailed
from fastsio.injection import Depends, fastapi_markers
from fastsio.types import SocketID

oauth2 = OAuth2PasswordBearer(tokenUrl="token")


class Filters(BaseModel):
    page: int = 1
    tag: list[str] = []


async def get_current_user(token: Annotated[str, fastapi.Depends(oauth2)]) -> str:
    return f"user of {token}"


async def test_one_get_current_user_serves_routes_and_events(harness):
    """OAuth2PasswordBearer reads the Authorization header of the handshake."""
    harness.client.environ = {"HTTP_AUTHORIZATION": "Bearer abc"}

    async def handler(sid: SocketID, user: Annotated[str, fastapi.Depends(get_current_user)]):
        return sid, user

    assert await harness.call(handler) == ("sid-1", "user of abc")


async def test_fastapis_own_errors_come_through(harness):
    """The exception layer decides what becomes of them."""

    async def handler(user: str = fastapi.Depends(get_current_user)):
        raise AssertionError

    with pytest.raises(fastapi.HTTPException):
        await harness.call(handler)


async def test_a_fastapi_dependency_may_live_as_long_as_the_connection(harness):
    """What it depends on by FastAPI's Depends lives as long."""
    harness.client.environ = {"HTTP_AUTHORIZATION": "Bearer abc"}

    async def handler(user: str = Depends(get_current_user, scope="connection")):
        return user

    assert await harness.call(handler) == "user of abc"
    harness.client.environ.clear()
    assert await harness.call(handler) == "user of abc"


async def test_handshake_parameters_are_validated_and_aliased_as_in_fastapi(harness):
    """Header, Cookie and Query, as default and inside Annotated."""
    harness.client.environ = {
        "HTTP_USER_AGENT": "browser",
        "HTTP_X_TOKENS": "a",
        "HTTP_COOKIE": 'session="s1"; theme=dark',
        "QUERY_STRING": "q=5&tag=x&tag=y",
    }

    def read(
        user_agent: Annotated[str, fastapi.Header()],
        tokens: list[str] = fastapi.Header(alias="X-Tokens"),
        session: str = fastapi.Cookie(),
        number: int = fastapi.Query(alias="q", ge=1),
        tag: Annotated[list[str], fastapi.Query()] = [],  # noqa: B006 - as FastAPI's documentation has it
        absent: Annotated[int, fastapi.Query(ge=1)] = 9,
        made: list[str] = fastapi.Query(default_factory=list),
        optional: str | None = fastapi.Query(None, validation_alias="opt"),
    ):
        return user_agent, tokens, session, number, tag, absent, made, optional

    result = await harness.call(lambda value=fastapi.Depends(read): value)

    assert result == ("browser", ["a"], "s1", 5, ["x", "y"], 9, [], None)


async def test_constraints_of_fastapi_parameters_are_checked(harness):
    """Loc is FastAPI's."""
    harness.client.environ = {"QUERY_STRING": "q=0"}

    async def handler(number: Annotated[int, fastapi.Query(alias="q", ge=1)]):
        raise AssertionError

    with pytest.raises(ValidationFailed) as failure:
        await harness.call(handler)
    assert failure.value.detail == [
        {"loc": ["query", "q"], "msg": "Input should be greater than or equal to 1", "type": "greater_than_equal"}
    ]


async def test_a_model_in_query_takes_one_value_for_each_field(harness):
    """As FastAPI reads query models."""
    harness.client.environ = {"QUERY_STRING": "page=2&tag=a&tag=b"}

    async def handler(filters: Annotated[Filters, fastapi.Query()]):
        return filters

    assert await harness.call(handler) == Filters(page=2, tag=["a", "b"])


async def test_request_and_httpconnection_are_the_handshake(harness):
    """One object per connection, so what a dependency puts into its state stays."""
    harness.client.environ = {"PATH_INFO": "/socket.io/", "HTTP_X_TOKEN": "t"}

    def remember(request: Request):
        request.state.user = "Ada"

    async def handler(connection: HTTPConnection, request: Request, done=fastapi.Depends(remember)):
        return connection.headers["x-token"], request.url.path, request.state.user

    assert await harness.call(handler) == ("t", "/socket.io/", "Ada")


async def test_security_scopes_are_collected_on_the_way(harness):
    """Each use sees its own, and uses with other scopes do not share a value."""

    def scopes_of(scopes: SecurityScopes):
        return scopes.scopes

    def admin(inner=fastapi.Security(scopes_of, scopes=["write"])):
        return inner

    async def handler(
        top: SecurityScopes,
        reader=fastapi.Security(scopes_of, scopes=["read"]),
        both=fastapi.Security(admin, scopes=["read"]),
        none=fastapi.Depends(scopes_of),
    ):
        return top.scopes, reader, both, none

    assert await harness.call(handler) == ([], ["read"], ["read", "write"], [])


async def test_a_dependency_that_reads_no_scopes_is_shared_under_security(harness):
    """One database session, whatever scopes its users ask for."""

    def user(database: object = fastapi.Depends(object)):
        return database

    async def handler(
        a=fastapi.Security(user, scopes=["read"]), b=fastapi.Security(user, scopes=["write"]), c=fastapi.Depends(object)
    ):
        return a is b is c

    assert await harness.call(handler) is True


@pytest.mark.parametrize(
    ("annotation", "cure"),
    [
        (fastapi.WebSocket, "ask for HTTPConnection"),
        (fastapi.Response, "return a value to acknowledge"),
        (fastapi.BackgroundTasks, "start_background_task"),
    ],
)
def test_http_only_parameters_are_refused_with_a_cure(harness, annotation, cure):
    """An event has no response to write to."""

    def user(what):
        raise AssertionError

    user.__annotations__["what"] = annotation

    with pytest.raises(SignatureError, match=f"parameter 'what' cannot be filled: .*{cure}"):
        harness.compile(lambda value=fastapi.Depends(user): value)


@pytest.mark.parametrize("marker", [fastapi.Body(), fastapi.Form(), fastapi.File(), fastapi.Path()])
def test_body_form_file_and_path_are_refused(harness, marker):
    """There is no HTTP body, and no path template."""
    with pytest.raises(SignatureError, match="parameter 'value' cannot be filled: an event has no HTTP body or path"):
        harness.compile(lambda value=marker: value)


def test_without_fastapi_nothing_is_recognised(monkeypatch):
    """An application that has not imported it cannot have used it."""
    marker = fastapi.Depends(print)
    for name in ("fastapi.params", "fastapi.security", "starlette.requests"):
        monkeypatch.delitem(sys.modules, name)

    assert fastapi_markers.translate(marker) is None
    assert not fastapi_markers.is_unsupported(marker)
    assert not fastapi_markers.is_connection(Request)
    assert not fastapi_markers.is_security_scopes(SecurityScopes)


def test_injection_does_not_import_fastapi():
    """FastAPI stays optional."""
    code = "import sys, fastsio.injection; assert not {'fastapi', 'starlette', 'msgspec'} & set(sys.modules)"

    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert result.returncode == 0, result.stderr

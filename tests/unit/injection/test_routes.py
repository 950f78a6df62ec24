# ruff: noqa: D103 - the routes here are mistakes, or examples
"""Markers of fastsio in a FastAPI route."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import fastapi
import pytest
from pydantic import BaseModel

import fastsio
from fastsio.exceptions import SignatureError


class Lobby(fastsio.Room):
    pass


def current_user() -> str:
    raise PermissionError


ALIASES = {
    "SocketID": fastsio.SocketID,
    "Environ": fastsio.Environ,
    "Auth": fastsio.Auth,
    "Reason": fastsio.Reason,
    "Data": fastsio.Data,
    "Event": fastsio.Event,
    "NamespaceName": fastsio.NamespaceName,
    "Session": fastsio.Session,
}
MARKERS = {
    "Depends": fastsio.Depends(current_user),
    "Header": fastsio.Header(),
    "Query": fastsio.Query(),
    "Cookie": fastsio.Cookie(),
    "Joined": fastsio.Joined(Lobby),
}


def route(annotation: Any, default: Any = ...) -> Any:
    """Return a function with one parameter."""
    if default is ...:

        def function(user):
            return f"hello {user}"
    else:

        def function(user=default):
            return f"hello {user}"

    function.__annotations__["user"] = annotation
    return function


@pytest.fixture
def api() -> fastapi.FastAPI:
    return fastapi.FastAPI()


@pytest.mark.parametrize("name", MARKERS)
def test_a_marker_as_the_default_of_a_route_is_refused_when_the_route_is_made(api, name):
    """FastAPI would serve the marker itself, and anybody's query parameter in its place."""
    with pytest.raises(SignatureError, match=f"{name}.*of fastsio"):
        api.get("/me")(route(str, MARKERS[name]))


@pytest.mark.parametrize("name", MARKERS)
def test_a_marker_in_the_annotation_of_a_route_is_refused_when_the_route_is_made(api, name):
    """FastAPI would take the parameter from the query."""
    with pytest.raises(SignatureError, match=f"{name}.*of fastsio"):
        api.get("/me")(route(Annotated[str, MARKERS[name]]))


@pytest.mark.parametrize("name", ALIASES)
def test_an_annotation_of_fastsio_in_a_route_is_refused_when_the_route_is_made(api, name):
    """FastAPI would take the parameter from the query or the body."""
    with pytest.raises(SignatureError, match=f"{name} of fastsio"):
        api.post("/me")(route(ALIASES[name]))


@pytest.mark.parametrize("annotation", [fastsio.SocketID, Annotated[str, fastsio.Depends(current_user)]])
@pytest.mark.parametrize("wrap", [lambda one: one | None, lambda one: list[one]])
def test_a_marker_deeper_in_the_annotation_of_a_route_is_refused_too(api, annotation, wrap):
    """Handlers may write ``SocketID | None``, so routes are written like that by mistake."""
    with pytest.raises(SignatureError, match="of fastsio"):
        api.get("/me")(route(wrap(annotation), None))


def test_a_marker_in_a_dependency_of_a_route_is_refused(api):
    """FastAPI reads dependencies as it reads routes."""

    def shared(token: str = fastsio.Header()) -> str:
        return token

    with pytest.raises(SignatureError, match="from fastapi import Header"):
        api.get("/me")(route(str, fastapi.Depends(shared)))


def test_a_marker_in_the_dependencies_of_a_route_is_refused(api):
    """So are those of the decorator, of a websocket route and of a router."""
    with pytest.raises(SignatureError, match="from fastapi import Depends"):
        api.get("/me", dependencies=[fastsio.Depends(current_user)])(route(str))
    with pytest.raises(SignatureError, match="from fastapi import Depends"):
        api.websocket("/ws")(route(str, fastsio.Depends(current_user)))


@pytest.mark.parametrize(
    ("annotation", "default", "cure"),
    [
        (str, fastsio.Depends(current_user), "from fastapi import Depends"),
        (str, fastsio.Cookie(), "from fastapi import Cookie"),
        (fastsio.Environ, ..., "from fastapi import Request"),
        (fastsio.Auth, ..., "from fastapi import Depends, Security"),
        (fastsio.Data, ..., "from fastapi import Body"),
        (fastsio.SocketID, ..., "sid: str"),
    ],
)
def test_the_refusal_says_what_to_import_instead(api, annotation, default, cure):
    """The mistake is a wrong import, most often."""
    with pytest.raises(SignatureError, match=cure):
        api.post("/me")(route(annotation, default))


def test_models_and_answers_of_routes_may_be_annotated_with_a_socket_id(api):
    """Only parameters are filled from the request."""

    class Member(BaseModel):
        sid: fastsio.SocketID

    @dataclass
    class Seat:
        sid: fastsio.SocketID

    Member.model_rebuild(_types_namespace={"fastsio": fastsio})

    def function(member, seat):
        return [member.sid, seat.sid]

    function.__annotations__ = {"member": Member, "seat": Seat, "return": list[fastsio.SocketID]}
    api.post("/members")(function)

    assert api.openapi()["components"]["schemas"]["Member"]["properties"]["sid"]["type"] == "string"


def test_markers_are_of_their_class_for_everybody_else():
    """Only FastAPI is answered differently."""
    for marker in (*MARKERS.values(), fastsio.types.Source.SID):
        assert marker.__class__ is type(marker)
        assert isinstance(marker, fastsio.types.HandlerMarker)


def test_fastapi_is_not_imported_to_refuse_its_routes():
    """It is not a dependency of the base install."""
    code = "import sys, fastsio; fastsio.Depends(print).__class__; sys.exit('fastapi' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

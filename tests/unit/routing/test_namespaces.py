"""The names of namespaces in calls: what no client can ever be in is refused with what to write."""

from __future__ import annotations

from enum import Enum

import pytest

from fastsio.exceptions import SetupError
from fastsio.routing import single_namespace


class Place(str, Enum):  # noqa: UP042 - what programs for older Pythons have
    """Namespaces as a program may keep them."""

    CHAT = "/chat"


@pytest.mark.parametrize(
    ("given", "meant"),
    [(None, "/"), ("", "/"), ("/", "/"), ("/chat", "/chat"), ("/a/b", "/a/b"), (Place.CHAT, "/chat")],
)
def test_a_name_with_its_slash_is_taken_as_it_is(given, meant):
    """None, and the empty text, are the root namespace."""
    assert single_namespace(given) == meant


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("chat", "namespace 'chat' has no slash; write '/chat'"),
        ("*", r"namespace '\*' is every namespace, for handlers to be registered in; name one of them here"),
        (5, "namespace 5 is not valid; write '/name'"),
        (["/chat"], r"namespace \['/chat'\] is not valid; write '/name'"),
    ],
)
def test_what_no_client_is_in_is_refused_with_the_cure(given, message):
    """It would reach nobody, and nobody would hear of it."""
    with pytest.raises(SetupError, match=f"^{message}"):
        single_namespace(given)

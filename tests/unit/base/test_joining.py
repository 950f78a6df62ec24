"""Which namespaces a client joins, and what it makes of the answers."""

from __future__ import annotations

import re

import pytest

from fastsio.base.joining import check_url, failure_argument, failure_text, namespaces_to_join, refusal_arguments
from fastsio.exceptions import ConnectionError, SetupError


@pytest.mark.parametrize(
    ("named", "handled", "joined"),
    [
        (None, [], ["/"]),
        (None, ["*"], ["/"]),
        (None, ["/b", "*", "/a", "/b"], ["/a", "/b"]),
        ("/a", ["/b"], ["/a"]),
        (("/b", "/a"), [], ["/b", "/a"]),
        ([], ["/a"], []),
    ],
)
def test_namespaces_are_named_or_have_handlers(named, handled, joined):
    """Without either it is the root; the catch-all is no namespace."""
    assert namespaces_to_join(named, handled) == joined


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("chat", "namespace 'chat' has no slash; write '/chat'"),
        (["/a", "b"], "namespace 'b' has no slash; write '/b'"),
        (["*"], "a client cannot join every namespace"),
        ([7], "namespace 7 is not valid"),
    ],
)
def test_what_cannot_be_joined_is_refused_before_anything_is_sent(named, told):
    """The server would read it as something else."""
    with pytest.raises(SetupError, match=re.escape(told)):
        namespaces_to_join(named, [])


@pytest.mark.parametrize(
    ("said", "arguments"), [(None, ()), ({"message": "no"}, ({"message": "no"},)), ([1, 2], (1, 2)), ("no", ("no",))]
)
def test_a_refusal_becomes_arguments(said, arguments):
    """A list spreads."""
    assert refusal_arguments(said) == arguments


def test_a_failure_is_told_by_what_the_server_said():
    """Else by the text of the error."""
    assert failure_argument(OSError("refused", {"code": 1})) == {"code": 1}
    assert failure_argument(OSError()) == ""


def test_the_error_names_the_namespaces_that_failed():
    """Without one nobody knows more."""
    assert failure_text(["/a", "/b"]) == "One or more namespaces failed to connect: /a, /b"
    assert failure_text([]) == "Unexpected connection error"


@pytest.mark.parametrize("url", ["http://a", "https://a:1/b?c=d", "ws://a", "wss://user:secret@a", "//a:5000"])
def test_a_url_of_a_server_is_taken(url):
    """Without a scheme but with slashes it is http, as python-socketio has it."""
    check_url(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:5000", "the URL has no scheme; write it like 'http://localhost:5000'"),
        ("example.com", "the URL has no scheme; write it like 'http://example.com'"),
        ("user:secret@host", "the URL has no scheme; write it like 'http://localhost:5000'"),
        ("", "the URL has no scheme; write it like 'http://localhost:5000'"),
        ("http:/localhost", "the URL has no host; write it like 'http://localhost:5000'"),
        ("redis://user:secret@host", "the URL's scheme 'redis' is unknown; it is one of http, https, ws, wss"),
    ],
)
def test_a_url_that_leads_nowhere_is_told_what_it_lacks(url, told):
    """Without what may be a password in it."""
    with pytest.raises(ConnectionError, match=re.escape(told)) as raised:
        check_url(url)

    assert "secret" not in str(raised.value)

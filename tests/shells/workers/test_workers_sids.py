"""Which worker a request names."""

from __future__ import annotations

import pytest

from fastsio.integrations.workers.sids import foreign_process, suffix_of, worker_of_query, worker_of_request

GET = b"GET /socket.io/?EIO=4&transport=polling&%s HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("query", "number"),
    [
        (b"sid=abc.3", 3),
        (b"sid=abc.3&t=1", 3),
        (b"sid=a.1&sid=abc.12", 12),
        (b"sid=abc%2E3", 3),
        (b"sid=abc.d.3", 3),
        (b"sid=abc", None),
        (b"sid=123", None),
        (b"sid=abc.", None),
        (b"sid=abc.x3", None),
        (b"sid=abc.-3", None),
        (b"sid=abc." + b"9" * 10, None),
        (b"sid=abc.\xb2", None),
        (b"xsid=abc.3", None),
        (b"", None),
    ],
)
def test_the_number_ends_the_sid(query, number):
    """After a dot; the last sid counts, as it does for the server."""
    assert worker_of_request(GET % query) == number
    assert worker_of_request((GET % query).replace(b"\r\n", b"\n")) == number
    assert worker_of_query(b"EIO=4&" + query) == number


def test_the_suffix_is_what_is_read():
    """Numbers of any length that workers have."""
    for number in (1, 42, 10**8):
        assert worker_of_query(b"sid=abc" + suffix_of(number).encode()) == number


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /socket.io/?sid=abc.3",
        b"POST / HTTP/1.1\r\nhost: x\r\n\r\n?sid=abc.3",
        b"GET / HTTP/1.1\r\nreferer: /?sid=abc.3\r\n\r\n",
        b"",
        b"x" * 70_000 + b"?sid=abc.3\r\n",
    ],
    ids=["half a line", "body", "header", "nothing", "too long"],
)
def test_only_the_first_line_is_read(request_bytes):
    """It must be complete, and no longer than a server takes."""
    assert worker_of_request(request_bytes) is None


@pytest.mark.parametrize(
    ("sid", "worker", "process"),
    [
        (b"abc" + suffix_of(3, "m1").encode(), 3, None),
        (b"abc.m2.3", None, "m2.3"),
        (b"abc%2Em2%2E3", None, "m2.3"),
        (b"abc.3", None, None),
        (b"abc", None, None),
        (b"abc.M2.3", None, None),
        (b"abc.m2.x", None, None),
        (b"abc.m2.3.", None, None),
        (b"abc.m%0A.3", None, None),
        (b"abc." + b"m" * 33 + b".3", None, None),
    ],
)
def test_where_requests_are_forwarded_a_sid_names_the_machine_too(sid, worker, process):
    """A worker counts if the machine is this one, and any other name is of a process elsewhere."""
    assert worker_of_query(b"sid=" + sid, "m1") == worker
    assert worker_of_request(b"GET /?sid=%b HTTP/1.1\r\n" % sid, "m1") == worker
    assert foreign_process(b"sid=" + sid, "m1") == process


def test_a_request_without_a_sid_names_no_process():
    """It asks for a new session."""
    assert foreign_process(b"EIO=4", "m1") is None

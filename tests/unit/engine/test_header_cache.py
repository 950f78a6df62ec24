"""What is remembered of headers, and how much."""

from __future__ import annotations

import pytest

from fastsio.engine.header_cache import MAX_SHARED, MAX_SHARED_BYTES, SharedHeaders


@pytest.mark.parametrize(
    ("name", "size", "is_kept"),
    [
        (b"user-agent", MAX_SHARED_BYTES, True),
        (b"user-agent", MAX_SHARED_BYTES + 1, False),
        (b"cookie", 1, False),
        (b"authorization", 1, False),
        (b"sec-websocket-key", 1, False),
    ],
)
def test_only_short_headers_that_are_nobodys_own_are_kept(name, size, is_kept):
    """Secrets and what is long are read anew each time."""
    headers: SharedHeaders[str, str] = SharedHeaders()
    headers.remember("key", "read", name, size)

    assert headers == ({"key": "read"} if is_kept else {})


def test_a_client_cannot_fill_the_memory():
    """A bounded number is kept; those that are sent again come back."""
    headers: SharedHeaders[int, int] = SharedHeaders()
    for number in range(2 * MAX_SHARED + 1):
        headers.remember(number, number, b"host", 1)
        assert len(headers) <= MAX_SHARED

    assert headers == {2 * MAX_SHARED: 2 * MAX_SHARED}

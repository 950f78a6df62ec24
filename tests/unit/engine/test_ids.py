"""Ids of sessions."""

from __future__ import annotations

import re

from fastsio.engine.ids import new_id


def test_ids_are_long_fresh_and_fit_into_urls():
    """As long as python-engineio's, and of the same characters."""
    ids = {new_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{20}", each) for each in ids)

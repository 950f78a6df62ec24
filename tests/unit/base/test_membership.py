"""A client's place in a namespace."""

from __future__ import annotations

from fastsio.base.membership import Membership
from fastsio.injection import ConnectionScope


def test_a_membership_knows_its_sid_once_the_server_has_told_it():
    """The table of sids is the client's, read when asked."""
    sids: dict[str, str] = {"/": "root"}
    store = ConnectionScope()

    membership = Membership("/chat", sids, store)

    assert (membership.namespace, membership.scope_store, membership.sid) == ("/chat", store, "")
    sids["/chat"] = "abc"
    assert membership.sid == "abc"

"""Which channels a node wants to be subscribed to, and which it is."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fastsio.brokers.subscriptions import SubscriptionSet

A, B = b"a", b"b"


@pytest.fixture
def subscriptions():
    """Those of a node that wants A, and has asked for it."""
    made = SubscriptionSet()
    made.set_wanted(A, is_wanted=True)
    assert made.next_request(A) is True
    return made


def test_a_subscription_is_in_force_when_it_is_confirmed(subscriptions):
    """Not when it is asked for."""
    assert not subscriptions.is_subscribed_to(A)

    subscriptions.confirm(A, is_subscribed=True)

    assert subscriptions.is_subscribed_to(A)
    assert subscriptions.next_request(A) is None


def test_what_is_not_wanted_is_not_asked_for(subscriptions):
    """Nor given up a second time."""
    assert subscriptions.next_request(B) is None


def test_there_is_one_request_at_a_time(subscriptions):
    """The next is made when the first is answered."""
    subscriptions.set_wanted(A, is_wanted=False)
    assert subscriptions.next_request(A) is None

    subscriptions.confirm(A, is_subscribed=True)

    assert subscriptions.needs_request(A)
    assert subscriptions.next_request(A) is False
    assert not subscriptions.is_subscribed_to(A)


def test_a_subscription_that_is_wanted_again_before_it_ends_is_made_anew(subscriptions):
    """It is not in force meanwhile."""
    subscriptions.confirm(A, is_subscribed=True)
    subscriptions.set_wanted(A, is_wanted=False)
    subscriptions.next_request(A)
    subscriptions.set_wanted(A, is_wanted=True)
    assert not subscriptions.is_subscribed_to(A)

    subscriptions.confirm(A, is_subscribed=False)

    assert subscriptions.next_request(A) is True


def test_what_the_server_ends_by_itself_is_asked_for_again(subscriptions):
    """As when a slot moves away."""
    subscriptions.confirm(A, is_subscribed=True)

    subscriptions.confirm(A, is_subscribed=False)

    assert subscriptions.next_request(A) is True


def test_what_is_refused_can_be_asked_for_again(subscriptions):
    """Elsewhere."""
    subscriptions.refuse(A)

    assert subscriptions.next_request(A) is True


def test_what_was_lost_is_still_wanted(subscriptions):
    """With the connections all requests are gone."""
    subscriptions.confirm(A, is_subscribed=True)
    subscriptions.set_wanted(B, is_wanted=True)
    subscriptions.next_request(B)

    subscriptions.clear()

    assert subscriptions.wanted == {A, B}
    assert [subscriptions.next_request(channel) for channel in (A, B)] == [True, True]


class Server(RuleBasedStateMachine):
    """A server that answers requests in their order, and a node that follows what is wanted."""

    def __init__(self):
        super().__init__()
        self.node = SubscriptionSet()
        self.has: set[bytes] = set()
        self.waiting: list[tuple[bytes, bool]] = []

    def follow(self, channel):
        """Ask as a session does."""
        request = self.node.next_request(channel)
        if request is not None:
            self.waiting.append((channel, request))

    @rule(channel=st.sampled_from([A, B]), is_wanted=st.booleans())
    def want(self, channel, is_wanted):
        """Somebody enters or leaves."""
        self.node.set_wanted(channel, is_wanted=is_wanted)
        self.follow(channel)

    @rule()
    def answer(self):
        """The server gets to the next request."""
        if self.waiting:
            channel, subscribe = self.waiting.pop(0)
            (self.has.add if subscribe else self.has.discard)(channel)
            self.node.confirm(channel, is_subscribed=subscribe)
            self.follow(channel)

    @invariant()
    def nothing_in_force_is_missing(self):
        """What counts as in force is what the server has and is not about to end."""
        for channel in (A, B):
            if self.node.is_subscribed_to(channel):
                assert channel in self.has
                assert all(each != channel for each, _ in self.waiting)

    @invariant()
    def all_is_as_wanted_once_nothing_waits(self):
        """Whatever came in between."""
        if not self.waiting:
            assert self.has == self.node.wanted


TestServer = Server.TestCase

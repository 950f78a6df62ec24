"""Settings, credentials, counts and descriptions of the admin interface."""

from __future__ import annotations

import pytest

from fastsio.base.admin import (
    AdminSettings,
    EventCounts,
    FailedLogins,
    check,
    handshake,
    hide_session,
    is_yes,
    matches,
    opens_with_websocket,
    read_auth,
    room_name,
    short_id,
)

ADA = {"username": "ada", "password": "secret"}
BEN = {"username": "ben", "password": "hidden"}


def settings(**changes):
    """Read settings that are valid but for the changes."""
    arguments = {
        "auth": ADA,
        "mode": "development",
        "read_only": False,
        "server_id": None,
        "namespace": "/admin",
        "server_stats_interval": 2,
        "max_reports": 10,
        "max_failed_logins": 5,
        "max_failed_logins_per_minute": 100,
        "max_failed_logins_overall": 1000,
    }
    return AdminSettings(**{**arguments, **changes})


async def asks(_auth):
    """Stand for a check that waits."""
    return True


@pytest.mark.parametrize("auth", [None, True, 1, "secret", {}, [], [{}], ["secret"], [ADA, None]])
def test_auth_that_names_nobody_is_refused(auth):
    """An interface without credentials is opened with False, never by mistake."""
    with pytest.raises(ValueError, match="auth=False lets everybody in"):
        read_auth(auth, may_await=True)


def test_auth_comes_in_four_kinds():
    """False, a dictionary, several, or a callable."""
    assert read_auth(False, may_await=True) is False
    assert read_auth(ADA, may_await=True) == [ADA]
    assert read_auth((ADA, BEN), may_await=True) == [ADA, BEN]
    assert read_auth(asks, may_await=True) is asks


def test_coroutine_function_needs_a_server_that_awaits():
    """A sync server would take the coroutine for a yes."""
    with pytest.raises(ValueError, match="coroutine function"):
        read_auth(asks, may_await=False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(ADA, True), (dict(reversed(ADA.items())), True), (BEN, True), ({**ADA, "password": "x"}, False),
     ({"username": "ada"}, False), ({**ADA, "more": 1}, False), (None, False), ({}, False), ([ADA], False)],
)  # fmt: skip
def test_credentials_must_agree_wholly(given, expected):
    """Neither a part of the credentials nor more than them is enough."""
    assert matches([ADA, BEN], given) is expected


def test_credentials_are_checked_by_the_kind_of_auth():
    """A callable gets an empty dictionary where none were given."""
    assert check(False, None) is True
    assert check([ADA], ADA) is True
    assert check([ADA], BEN) is False
    assert check(len, None) == 0


def test_coroutine_is_not_a_yes():
    """What nobody awaited has not let anybody in."""
    verdict = asks(None)

    assert (is_yes(verdict), is_yes(True), is_yes(None), is_yes(0)) == (False, True, False, False)
    verdict.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"mode": "test"}, "mode='test'"), ({"server_stats_interval": 0}, "server_stats_interval=0"),
     ({"max_reports": 0}, "max_reports=0"), ({"max_failed_logins": 0}, "max_failed_logins=0"),
     ({"max_failed_logins_per_minute": 0}, "max_failed_logins_per_minute=0"),
     ({"max_failed_logins_overall": 99}, "max_failed_logins_overall=99 is less than max_failed_logins_per_minute=100")],
)  # fmt: skip
def test_settings_are_checked(changes, message):
    """What cannot work is refused where it is written."""
    with pytest.raises(ValueError, match=message):
        settings(**changes)


def test_features_follow_mode_and_rights():
    """The UI hides what the server does not offer."""
    commands = ["EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT"]

    assert settings().features == ["AGGREGATED_EVENTS", *commands, "ALL_EVENTS"]
    assert settings(read_only=True).features == ["AGGREGATED_EVENTS", "ALL_EVENTS"]
    assert settings(mode="production", read_only=True).features == ["AGGREGATED_EVENTS"]


def test_counts_are_summed_by_second():
    """Counts of one kind in one second are one entry, taken once."""
    now = iter([1.2, 1.9, 2.0, 2.0])
    counts = EventCounts(lambda: next(now))

    counts.push("packetsIn")
    counts.push("packetsIn", 2)
    counts.push("packetsIn")
    counts.push("bytesIn", 7)

    assert counts.get_and_clear() == [
        {"timestamp": 1000, "type": "packetsIn", "count": 3},
        {"timestamp": 2000, "type": "packetsIn", "count": 1},
        {"timestamp": 2000, "type": "bytesIn", "count": 7},
    ]
    assert counts.get_and_clear() == []


def test_counts_that_nobody_takes_are_bounded():
    """The oldest go first."""
    now = iter(range(100))
    counts = EventCounts(lambda: next(now), max_entries=3)

    for _ in range(100):
        counts.push("packetsIn")

    assert [entry["timestamp"] for entry in counts.get_and_clear()] == [97_000, 98_000, 99_000]


def test_handshake_is_described_as_the_ui_reads_it():
    """Headers have their names of HTTP, times are those of JavaScript."""
    environ = {
        "HTTP_USER_AGENT": "curl",
        "REMOTE_ADDR": "10.0.0.1",
        "QUERY_STRING": "EIO=4&transport=polling&x=",
        "PATH_INFO": "/socket.io/",
        "wsgi.url_scheme": "https",
    }

    assert handshake(environ, 1.5) == {
        "address": "10.0.0.1",
        "headers": {"user-agent": "curl"},
        "query": {"EIO": "4", "transport": "polling", "x": ""},
        "secure": True,
        "url": "/socket.io/",
        "issued": 1500.0,
        "time": "1970-01-01T00:00:01.500000+00:00",
    }


def test_transport_of_a_handshake():
    """A connection that begins with a WebSocket never polls."""
    assert opens_with_websocket({"QUERY_STRING": "EIO=4&transport=websocket"})
    assert not opens_with_websocket({"QUERY_STRING": "EIO=4&transport=polling"})
    assert not opens_with_websocket({})


def test_names_are_safe_to_send():
    """Rooms are what JSON can hold, and a connection is told apart without its secret."""
    assert [room_name(room) for room in ("a", 1, ("a", 1))] == ["a", 1, "('a', 1)"]
    assert short_id("0123456789abcdef") == "0123456789ab"


def test_credentials_that_json_does_not_have_agree_with_none():
    """MessagePack has keys of any type; they are compared like others, and nothing raises."""
    assert not matches([ADA], {1: "a", "b": 2})
    assert not matches([ADA], "\ud800")
    assert matches([{1: "a", "b": 2}], {1: "a", "b": 2})


def test_what_lets_one_act_as_a_client_is_hidden():
    """Cookies, tokens and what is called like them, in headers and in the query."""
    environ = {
        "HTTP_COOKIE": "session=1",
        "HTTP_AUTHORIZATION": "Bearer x",
        "HTTP_X_API_KEY": "k",
        "HTTP_X_FORWARDED_FOR": "10.0.0.2",
        "QUERY_STRING": "EIO=4&access_token=t&sid=s&page=1",
    }

    described = handshake(environ, 0.0)

    assert described["headers"] == {
        "cookie": "(hidden)",
        "authorization": "(hidden)",
        "x-api-key": "(hidden)",
        "x-forwarded-for": "10.0.0.2",
    }
    assert described["query"] == {"EIO": "4", "access_token": "(hidden)", "sid": "(hidden)", "page": "1"}


def test_a_sid_made_of_a_session_is_shortened():
    """Those of Engine.IO 3 are; others are not, nor are names of rooms."""
    sessions = {"0123456789abcdefghij"}

    assert hide_session("0123456789abcdefghij", sessions) == "0123456789ab"
    assert hide_session("/chat#0123456789abcdefghij", sessions) == "/chat#0123456789ab"
    assert hide_session("another", sessions) == "another"
    assert hide_session("room#1", sessions) == "room#1"


def failed_logins(per_connection: int = 1000, per_address: int = 1000, overall: int = 1000, **limits) -> FailedLogins:
    """Return a count whose limits are far away but for those given."""
    return FailedLogins(per_connection, per_address, overall, **limits)


def test_guessing_is_bounded_for_a_connection():
    """For as long as it lasts; right credentials do not count."""
    failed = failed_logins(per_connection=2)

    assert failed.begin("a", "", 0.0)
    failed.succeed("a", "")
    assert [failed.begin("a", "", 1.0) for _ in range(3)] == [True, True, False]
    assert not failed.begin("a", "", 1000.0)
    assert failed.begin("b", "", 1.0)
    failed.forget("a")
    assert failed.begin("a", "", 1.0)


def test_guessing_is_bounded_for_an_address():
    """Whichever connections it comes by, within a minute; then a new one begins. Right credentials do not count."""
    failed = failed_logins(per_address=3)

    assert failed.begin("z", "192.0.2.1", 5.0)
    failed.succeed("z", "192.0.2.1")
    assert [failed.begin(eio_sid, "192.0.2.1", 5.0) for eio_sid in "abcd"] == [True, True, True, False]
    assert not failed.begin("e", "192.0.2.1", 64.9)
    assert failed.begin("e", "192.0.2.1", 65.0)


def test_right_credentials_leave_other_attempts_of_an_address_counted():
    """Two attempts are under way at an address; one of them is right."""
    failed = failed_logins(per_address=2)
    assert [failed.begin(eio_sid, "192.0.2.1", 5.0) for eio_sid in "abc"] == [True, True, False]

    failed.succeed("a", "192.0.2.1")

    assert [failed.begin(eio_sid, "192.0.2.1", 5.0) for eio_sid in "de"] == [True, False]


def test_who_guesses_locks_nobody_out_at_another_address():
    """One address may fail as often as it likes: administrators elsewhere get in."""
    failed = failed_logins(per_address=3)

    for number in range(50):
        failed.begin(f"guesser-{number}", "192.0.2.1", 5.0)

    assert failed.begin("ada", "198.51.100.7", 6.0)


def test_many_addresses_have_one_attempt_each():
    """Beyond the bound for all, an address that has failed in the minute is refused; others may still log in."""
    failed = failed_logins(per_address=10, overall=20)

    begun = [failed.begin(f"{turn}-{host}", f"192.0.2.{host}", 5.0) for turn in range(4) for host in range(8)]

    assert begun == [True] * 20 + [False] * 12
    assert failed.begin("ada", "198.51.100.7", 6.0)
    assert not failed.begin("eve", "198.51.100.7", 6.0)
    assert failed.begin("eve", "192.0.2.1", 65.0)


def test_right_credentials_do_not_count_for_all():
    """Administrators who come and go use nothing up."""
    failed = failed_logins(per_address=1, overall=1)

    for number in range(5):
        assert failed.begin(f"ada-{number}", "198.51.100.7", 5.0)
        failed.succeed(f"ada-{number}", "198.51.100.7")

    assert failed.begin("eve", "192.0.2.1", 5.0)
    failed.succeed("unknown", "203.0.113.9")


def test_addresses_that_failed_are_kept_within_a_bound():
    """The oldest is forgotten first, and may guess again."""
    failed = failed_logins(per_address=1, max_addresses=2)

    assert failed.begin("a", "192.0.2.1", 5.0)
    assert failed.begin("b", "192.0.2.2", 5.0)
    assert failed.begin("c", "192.0.2.3", 5.0)

    assert not failed.begin("d", "192.0.2.3", 5.0)
    assert not failed.begin("e", "192.0.2.2", 5.0)
    assert failed.begin("f", "192.0.2.1", 5.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), ("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::2%eth1"),
     ("x" * 64 + "a", "x" * 64 + "b")],
    ids=["IPv6 network", "IPv4 in IPv6", "zones", "long"],
)  # fmt: skip
def test_addresses_of_one_network_count_as_one(one, other):
    """A client of IPv6 has all addresses of a network of 64 bits."""
    failed = failed_logins(per_address=1)

    assert failed.begin("a", one, 5.0)
    assert not failed.begin("b", other, 5.0)
    assert failed.begin("c", "2001:db8:1:3::1", 5.0)

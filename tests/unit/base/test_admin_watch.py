"""What the admin interface makes of what its server tells."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.base.admin import AdminSettings, EventCounts, iso_time
from fastsio.base.admin_watch import ADMINISTRATORS, CLIENTS, AdminWatch
from fastsio.protocol import Decoder, NamespaceState
from fastsio.state import Client, Connection

NOW = iso_time(1000.0)
SID, EIO_SID = "s1", "e" * 20


class Server:
    """A server with one client, as the watch sees it."""

    def __init__(self) -> None:
        self.connection = Connection(EIO_SID, {}, Decoder(), list)
        self.client = Client(SID, "/", self.connection)
        self.connection.clients["/"] = self.client
        self.client.state = NamespaceState.CONNECTED
        self.environ: dict[str, Any] = {EIO_SID: {}}
        self.namespaces = None
        self.transports = {EIO_SID: "polling"}
        self.administrators: list[str] = []
        registry = SimpleNamespace(namespaces=lambda _served: {"/", "/chat"})
        self.__fastsio__ = SimpleNamespace(connections={EIO_SID: self.connection}, registry=registry)
        self.eio = SimpleNamespace(transport=self.transports.__getitem__)
        self.manager = self

    def get_rooms(self, _sid, _namespace):
        """Return the rooms of every client."""
        return [SID, ("a", 1)]

    def get_participants(self, namespace, room):
        """Yield the client."""
        if namespace in ("/", "/admin") and room in (None, "lobby"):
            yield SID, EIO_SID
        if (namespace, room) == ("/admin", ADMINISTRATORS):
            yield from [(sid, EIO_SID) for sid in self.administrators]

    def get_namespaces(self):
        """Return the namespaces that have clients, that of the administrators included."""
        return ["/", "/admin"]

    def is_connected(self, _sid, _namespace):
        """Say that clients are connected."""
        return True

    def eio_sid_from_sid(self, _sid, _namespace):
        """Return the connection of the client."""
        return EIO_SID


class World:
    """A watch, its server, and what it has called."""

    def __init__(self, **options: Any) -> None:
        settings = {
            "auth": False,
            "mode": "development",
            "read_only": False,
            "server_id": None,
            "namespace": "/admin",
            "server_stats_interval": 2,
            "max_reports": 10,
            "max_failed_logins": 1,
            "max_failed_logins_per_minute": 100,
            "max_failed_logins_overall": 1000,
            **options,
        }
        self.server = Server()
        self.client = self.server.client
        self.calls: list[str] = []
        self.watch = AdminWatch(
            self.server,
            AdminSettings(**settings),
            EventCounts(lambda: 1000.0),
            nullcontext(),
            lambda: 1000.0,
            on_connection=lambda: self.calls.append("connection"),
            on_begin=lambda: self.calls.append("begin"),
            on_end=lambda: self.calls.append("end"),
        )
        self.watch.on_report = lambda: self.calls.append("report")

    def reports(self) -> list[Any]:
        """Return the reports that wait."""
        return list(iter(self.watch.take_report, None))


def test_the_life_of_a_connection_is_counted():
    """The first one lets reports be sent."""
    world = World()

    world.watch.connection_opened(EIO_SID, {"QUERY_STRING": "transport=polling"})
    world.watch.connection_opened("e2", {"QUERY_STRING": "transport=websocket"})
    described = world.watch.describe_server()
    world.watch.connection_closed(EIO_SID)
    world.watch.stop()

    assert world.calls == ["connection", "connection", "end"]
    assert (described["clientsCount"], described["pollingClientsCount"]) == (2, 1)
    assert described["aggregatedEvents"] == [{"timestamp": 1_000_000, "type": "rawConnection", "count": 2}]
    assert described["namespaces"] == [
        {"name": "/", "socketsCount": 1},
        {"name": "/admin", "socketsCount": 1},
        {"name": "/chat", "socketsCount": 0},
    ]
    assert world.watch.describe_server()["clientsCount"] == 1


def test_the_clients_are_reported_to_administrators_of_other_servers():
    """Only what administrators of the same namespace see, who are in development mode."""
    world, counting = World(), World(mode="production")
    for each in (world, counting):
        each.watch.clients_asked_for("/other", "admin")
        each.watch.clients_asked_for("/admin", "admin")

    ((event, (clients,), to),) = world.reports()
    assert (event, [client["id"] for client in clients], to) == (CLIENTS, [SID], "admin")
    assert counting.reports() == []


def test_all_clients_are_reported_anew_when_another_server_has_ended():
    """To each administrator of this server."""
    world, counting = World(), World(mode="production")
    for each in (world, counting):
        each.server.administrators = ["a1", "a2"]
        each.watch.node_ended()

    assert [(event, to) for event, _, to in world.reports()] == [("all_sockets", "a1"), ("all_sockets", "a2")]
    assert counting.reports() == []


def test_frames_are_counted_with_their_sizes():
    """Those that go to several clients count for each."""
    world = World()

    world.watch.frame_received("four")
    world.watch.frames_sent([SimpleNamespace(size=3), SimpleNamespace(size=2)], 2)

    counted = {each["type"]: each["count"] for each in world.watch.describe_server()["aggregatedEvents"]}
    assert counted == {"packetsIn": 1, "bytesIn": 4, "packetsOut": 4, "bytesOut": 10}


def test_the_life_of_a_client_is_reported():
    """Its rooms come before it, and are left after it."""
    world = World()

    world.watch.client_connected(world.client)
    world.watch.room_entered("/", "lobby", SID)
    world.watch.event_received(world.client, ["news", 1])
    world.watch.event_sent([(SID, EIO_SID)], "/", ["answer"])
    world.watch.room_left("/", "lobby", SID)
    world.watch.client_disconnected(world.client, "left")

    first, second, (event, (described, _), _), *others = world.reports()
    assert first == ("room_joined", ("/", SID, SID, NOW), "administrators")
    assert second == ("room_joined", ("/", "('a', 1)", SID, NOW), "administrators")
    assert (event, described["id"], described["clientId"]) == ("socket_connected", SID, EIO_SID[:12])
    assert [report[:2] for report in others] == [
        ("room_joined", ("/", "lobby", SID, NOW)),
        ("event_received", ("/", SID, ["news", 1], NOW)),
        ("event_sent", ("/", SID, ["answer"], NOW)),
        ("room_left", ("/", "lobby", SID, NOW)),
        ("socket_disconnected", ("/", SID, "left", NOW)),
        ("room_left", ("/", SID, SID, NOW)),
        ("room_left", ("/", "('a', 1)", SID, NOW)),
    ]
    assert world.calls == ["report"] * 10


@pytest.mark.parametrize(("mode", "namespace"), [("production", "/"), ("development", "/admin")])
def test_what_is_not_shown_is_not_reported(mode, namespace):
    """In production nothing is, and never what administrators themselves do."""
    world = World(mode=mode)
    client = Client(SID, namespace, world.server.connection)

    world.watch.client_connected(client)
    world.watch.room_entered(namespace, "lobby", SID)
    world.watch.event_received(client, ["news"])
    world.watch.event_sent([(SID, EIO_SID)], namespace, ["answer"])
    world.watch.room_left(namespace, "lobby", SID)
    world.watch.client_disconnected(client, "left")

    assert world.reports() == []


@pytest.mark.parametrize(("mode", "events"), [("production", ["config"]), ("development", ["config", "all_sockets"])])
def test_an_administrator_is_greeted(mode, events):
    """With the features, and with all clients where clients are shown."""
    world = World(mode=mode)

    world.watch.greet("admin-1")

    reports = world.reports()
    assert [report[0] for report in reports] == events
    assert {report[2] for report in reports} == {"admin-1"}


def test_too_many_reports_are_made_up_for():
    """All clients are reported anew, once."""
    world = World(max_reports=1)
    assert not world.watch.make_up_for_dropped()

    world.watch.room_entered("/", "first", SID)
    world.watch.room_entered("/", "second", SID)
    assert len(world.reports()) == 1

    assert world.watch.make_up_for_dropped()
    (report,) = world.reports()
    assert report[0] == "all_sockets"
    assert [described["id"] for described in report[1][0]] == [SID]
    assert not world.watch.make_up_for_dropped()


def test_nothing_is_kept_while_no_task_sends_it():
    """It would wait for ever."""
    world = World()
    world.watch.on_report = None

    world.watch.room_entered("/", "lobby", SID)

    assert world.reports() == []


def test_upgrades_are_reported_once():
    """One look finds those since the last."""
    world = World()
    world.watch.connection_opened(EIO_SID, {})
    world.watch.connection_opened("e2", {})
    world.server.transports["e2"] = "websocket"
    world.watch.report_upgrades()
    assert world.reports() == []  # one polls, and the other has no clients

    world.server.transports[EIO_SID] = "websocket"
    world.watch.report_upgrades()
    world.watch.report_upgrades()

    (report,) = world.reports()
    assert report[:2] == ("socket_updated", ({"id": SID, "nsp": "/", "transport": "websocket"},))


def test_upgrades_are_not_reported_in_production():
    """Only counts are."""
    world = World(mode="production")
    world.watch.connection_opened(EIO_SID, {})
    world.server.transports[EIO_SID] = "websocket"

    world.watch.report_upgrades()

    assert world.reports() == []


@pytest.mark.parametrize(
    ("query", "transport"), [("transport=polling", "polling"), ("transport=websocket", "websocket")]
)
def test_a_connection_that_is_over_is_described_as_it_was(query, transport):
    """The engine does not know it any more."""
    world = World()
    world.watch.connection_opened(EIO_SID, {"QUERY_STRING": query})
    world.server.transports.clear()

    assert world.watch.describe_client(SID, "/")["transport"] == transport


def test_who_only_looks_does_not_get_sids_of_sessions():
    """Sids of Engine.IO 3 are made of them; numbers are shown as they are."""
    world = World(read_only=True)
    world.watch.connection_opened(EIO_SID, {})

    world.watch.room_entered("/", f"/#{EIO_SID}", SID)
    world.watch.room_entered("/", 7, SID)

    assert [report[1][1] for report in world.reports()] == [f"/#{EIO_SID[:12]}", 7]


@pytest.mark.parametrize(
    ("room_filter", "targets"),
    [
        (None, [(SID, EIO_SID)]),
        ("lobby", [(SID, EIO_SID)]),
        ("elsewhere", [("elsewhere", None)]),
        (["elsewhere"], []),
        ("", [(SID, EIO_SID)]),
    ],
)
def test_commands_are_for_clients_here_or_for_one_elsewhere(room_filter, targets):
    """A name that no client here has may be the sid of another server's client."""
    assert World().watch.targets("/", room_filter) == targets


def test_a_room_without_clients_is_no_target():
    """Without a filter nobody is meant."""
    assert World().watch.targets("/empty", None) == []


def test_logins_are_bounded_until_one_is_right():
    """The credentials of further attempts are not looked at."""
    world = World()

    succeed = world.watch.begin_login("admin-1", "10.0.0.1", 0.0)
    assert world.watch.begin_login("admin-1", "10.0.0.1", 0.0) is None
    assert succeed is not None
    succeed()

    assert world.watch.begin_login("admin-1", "10.0.0.1", 0.0) is not None


def test_the_end_and_the_return_of_the_server_are_told():
    """The interface stops and goes on with it."""
    world = World()

    world.watch.stop()
    world.watch.start()

    assert world.calls == ["end", "begin"]

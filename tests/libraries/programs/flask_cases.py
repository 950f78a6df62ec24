"""
What applications with Flask-SocketIO do, seen by the library's own test client.

Not collected with the suite: ``test_flask_socketio.py`` runs pytest on this file in a process where ``socketio`` is
the package under test.
"""

from __future__ import annotations

import flask
import pytest
import socketio
from flask_socketio import SocketIO

from tests.libraries.programs.flask_app import Legacy, app, heard, sio
from tests.parity.packages import OURS


@pytest.fixture(autouse=True)
def fresh():
    """Forget what earlier tests were told."""
    heard.clear()


def names(received) -> list:
    """Return the names and arguments of what a client received."""
    return [(one["name"], one["args"]) for one in received]


@pytest.fixture
def client():
    """A client of the root namespace that has been welcomed."""
    client = sio.test_client(app)
    client.get_received()
    yield client
    if client.is_connected():
        client.disconnect()


@pytest.fixture
def other():
    """Another client."""
    other = sio.test_client(app)
    other.get_received()
    yield other
    other.disconnect()


def test_the_package_under_test_serves():
    """The library's ``import socketio`` gives it."""
    assert type(sio.server).__module__.partition(".")[0] == OURS
    assert SocketIO.reason is socketio.Server.reason


# Connecting


def test_connect_handler_gets_auth_query_and_headers():
    """``auth`` is the argument, the rest of the handshake is in the request."""
    client = sio.test_client(app, query_string="?token=t", headers={"X-Key": "k"}, auth={"who": "ada"})

    assert client.is_connected()
    assert heard == [("connect", {"who": "ada"}, "t", "k")]
    (welcome,) = client.get_received()
    assert welcome["name"] == "welcome"
    assert list(welcome["args"][0]) == ["sid"]
    assert welcome["namespace"] == "/"
    client.disconnect()


def test_connect_handler_may_do_without_auth():
    """The library finds out by itself what the handler takes."""
    client = sio.test_client(app, namespace="/plain")

    assert client.is_connected("/plain")
    assert not client.is_connected()
    assert heard == ["plain connect"]
    client.disconnect("/plain")


@pytest.mark.parametrize("who", ["nobody", "stranger"])
def test_connect_handler_may_refuse(who):
    """By False and by an exception."""
    client = sio.test_client(app, auth={"who": who})

    assert not client.is_connected()
    with pytest.raises(RuntimeError, match="not connected"):
        client.emit("add", 1)


def test_unknown_namespace_is_refused():
    """Nobody listens there."""
    assert not sio.test_client(app, namespace="/unknown").is_connected("/unknown")


def test_one_client_joins_several_namespaces(client):
    """One connection carries several clients."""
    client.connect("/plain")
    client.connect("/class")

    assert client.is_connected("/plain")
    assert client.is_connected("/class")
    assert client.emit("x", 1, namespace="/plain", callback=True) == ["x", 1]
    client.disconnect("/class")
    client.disconnect("/plain")


def test_disconnect_handler_gets_the_reason(client):
    """The rooms are still there to be read."""
    client.emit("join", "red")
    client.disconnect()

    assert heard[-1] == ("disconnect", SocketIO.reason.CLIENT_DISCONNECT, 2)
    assert not client.is_connected()


def test_disconnect_handler_may_do_without_the_reason():
    """Handlers written before there was a reason run, once."""
    plain_app = flask.Flask("plain")
    plain = SocketIO(plain_app, async_mode="threading")
    plain.on_event("disconnect", lambda: heard.append("disconnect"))
    plain.on_namespace(Legacy("/legacy"))

    for namespace in ("/", "/legacy"):
        plain.test_client(plain_app, namespace=namespace).disconnect(namespace)

    assert heard == ["disconnect", "legacy disconnect"]


def test_server_disconnects(client):
    """``disconnect()`` inside a handler ends its own client."""
    client.emit("leave_me")

    assert not client.is_connected()
    assert heard[-1] == ("disconnect", SocketIO.reason.SERVER_DISCONNECT, 1)


# Events


def test_message_and_json(client):
    """The two events that ``send`` knows."""
    assert client.send("hi", callback=True) == "sent"
    client.send({"a": [1]}, json=True)

    assert names(client.get_received()) == [("message", "you said hi"), ("json", {"was": {"a": [1]}})]


def test_acknowledgements(client):
    """None, one value, several values."""
    assert client.emit("add", 2, 3, callback=True) == 5
    assert client.emit("add", 2, callback=True) == 3
    assert client.emit("several", 1, "b", callback=True) == [1, "b"]
    assert client.emit("nothing", callback=True) == []
    assert client.emit("later", "x", callback=True) == "later x"
    assert client.emit("add", 2, 3) is None


def test_binary(client):
    """Bytes in arguments, nested and acknowledged."""
    assert client.emit("binary", b"\x00\x01", callback=True) == b"\x00\x01"

    assert names(client.get_received()) == [("binary back", [b"\x00\x01", {"part": b"\x00"}])]


def test_handlers_see_the_request(client):
    """sid, namespace and event are in Flask's request."""
    seen = client.emit("context", callback=True)

    assert seen == {
        "sid": sio.server.manager.sid_from_eio_sid(client.eio_sid, "/"),
        "namespace": "/",
        "event": "context",
        "user": None,
    }


def test_catch_all_gets_the_event():
    """A handler for ``*`` gets the event first."""
    client = sio.test_client(app, namespace="/plain")

    assert client.emit("whatever", 1, {"b": 2}, namespace="/plain", callback=True) == ["whatever", 1, {"b": 2}]
    client.disconnect("/plain")


# Rooms


def test_rooms(client, other):
    """Join, emit, leave, close; several rooms reach a client once."""
    assert client.emit("join", "red", callback=True) == 2
    client.emit("tell", "red", "to red")
    other.emit("join", "red")
    other.emit("join", "blue")
    client.emit("tell", "red", "to both")
    client.emit("tell_two", ["red", "blue"], "once")
    other.emit("leave", "red")
    client.emit("tell", "red", "to one")
    client.emit("close", "red")
    client.emit("tell", "red", "to nobody")

    assert names(client.get_received()) == [
        ("told", ["to red"]),
        ("told", ["to both"]),
        ("told", ["once"]),
        ("told", ["to one"]),
    ]
    assert names(other.get_received()) == [("told", ["to both"]), ("told", ["once"])]


def test_broadcast_without_the_sender(client, other):
    """``include_self=False``."""
    client.emit("tell_others", "hello")

    assert client.get_received() == []
    assert names(other.get_received()) == [("told", ["hello"])]


def test_emitting_outside_of_handlers(client, other):
    """The library's object emits from anywhere."""
    sio.emit("all", {"n": 1})
    sio.send("text")
    sio.emit("one", 2, to=sio.server.manager.sid_from_eio_sid(other.eio_sid, "/"))
    sio.emit("elsewhere", 3, namespace="/plain")
    sio.emit("args", (1, "b"))

    assert names(client.get_received()) == [("all", [{"n": 1}]), ("message", "text"), ("args", [1, "b"])]
    assert names(other.get_received()) == [("all", [{"n": 1}]), ("message", "text"), ("one", [2]), ("args", [1, "b"])]


# Classes


def test_class_based_namespace(client):
    """Methods, their acknowledgements, ``emit`` and ``send`` of the class."""
    second = sio.test_client(app, namespace="/class")
    client.connect("/class")
    heard.clear()

    assert client.emit("say", "x", namespace="/class", callback=True) == "ok"
    client.emit("enter", "red", namespace="/class")
    client.emit("empty", "red", namespace="/class")
    client.emit("unknown", namespace="/class")

    assert names(client.get_received("/class")) == [("message", "sent x"), ("entered", ["red"])]
    assert names(second.get_received("/class")) == [("said", ["x"]), ("message", "sent x")]
    client.disconnect("/class")
    second.disconnect("/class")
    assert heard == [("class disconnect", "client disconnect")] * 2


def test_emitting_to_another_namespace():
    """A handler may emit elsewhere."""
    plain, classy = sio.test_client(app, namespace="/plain"), sio.test_client(app, namespace="/class")

    plain.emit("across", namespace="/plain")

    assert names(classy.get_received("/class")) == [("news", ["from plain"])]
    plain.disconnect("/plain")
    classy.disconnect("/class")


# Errors


def test_error_handlers(client):
    """The one of the namespace comes before the default."""
    assert client.emit("fail", "oh", callback=True) == "an error"
    client.connect("/plain")
    assert client.emit("fail_here", namespace="/plain", callback=True) == "a plain error"
    client.connect("/class")
    assert client.emit("fail", namespace="/class", callback=True) == "an error"
    client.connect("/legacy")
    assert client.emit("number", "x", namespace="/legacy", callback=True) == "an error"

    errors = [entry for entry in heard if entry[0] in ("default", "plain")]
    assert errors[:3] == [("default", "oh"), ("plain", "KeyError('plain')"), ("default", "in a class")]
    for namespace in ("/plain", "/class", "/legacy"):
        client.disconnect(namespace)


def test_an_unhandled_error_leaves_the_client_connected():
    """It reaches the test, and the client can go on."""
    lone_app = flask.Flask("lone")
    lone = SocketIO(lone_app, async_mode="threading")

    @lone.event
    def fail():
        raise ValueError("nobody catches this")

    lone.on_event("fine", lambda: "fine")
    client = lone.test_client(lone_app)

    with pytest.raises(ValueError, match="nobody catches this"):
        client.emit("fail", callback=True)
    assert client.emit("fine", callback=True) == "fine"


# Sessions


def test_flask_session_reaches_the_handlers():
    """They work on a copy of what the browser has."""
    http = app.test_client()
    http.get("/login/ada")
    client = sio.test_client(app, flask_test_client=http)

    assert client.emit("context", callback=True)["user"] == "ada"
    client.emit("remember", "grace")
    assert client.emit("context", callback=True)["user"] == "grace"
    assert http.get("/user").text == "ada"
    client.disconnect()


def test_session_may_be_flasks_own():
    """``manage_session=False``."""
    own_app = flask.Flask("own")
    own_app.config["SECRET_KEY"] = "for tests"
    own = SocketIO(own_app, manage_session=False, async_mode="threading")
    own.on_event("user", lambda: flask.session.get("user"))
    own_app.add_url_rule("/login", view_func=lambda: flask.session.update(user="ada") or "")
    http = own_app.test_client()
    http.get("/login")

    client = own.test_client(own_app, flask_test_client=http)

    assert client.emit("user", callback=True) == "ada"


# Options


def test_init_app_after_registration():
    """The application factory pattern, with options of the server."""
    late = SocketIO(cors_allowed_origins="*")
    late.on_event("x", lambda: "late")
    late.on_namespace(Legacy("/legacy"))
    late_app = flask.Flask("late")
    late.init_app(late_app, async_mode="threading", path="/own/path", ping_interval=7)
    client = late.test_client(late_app, namespace="/")

    assert late_app.extensions["socketio"] is late
    assert late.async_mode == "threading"
    assert client.emit("x", callback=True) == "late"
    assert late.server.eio.ping_interval == 7


def test_json_module_of_flask():
    """``json=flask.json``, which needs an application context."""
    json_app = flask.Flask("json")
    served = SocketIO(json_app, json=flask.json, async_mode="threading")
    served.on_event("x", lambda value: {"value": value})
    client = served.test_client(json_app)

    assert client.emit("x", [1, "b"], callback=True) == {"value": [1, "b"]}


def test_background_tasks():
    """They can be joined."""
    done = []
    task = sio.start_background_task(lambda *args, **options: done.append((args, options)), 1, two=2)
    task.join()
    sio.sleep(0)

    assert done == [((1,), {"two": 2})]


def test_queue_is_refused_by_the_test_client():
    """``isinstance`` with ``PubSubManager`` holds for applications' own managers."""
    import socketio.pubsub_manager

    class Queue(socketio.pubsub_manager.PubSubManager):
        def _publish(self, data):
            pass

        def _listen(self):
            yield from ()

    queued_app = flask.Flask("queued")
    queued = SocketIO(queued_app, client_manager=Queue(), async_mode="threading")

    with pytest.raises(RuntimeError, match="cannot be used with a message queue"):
        queued.test_client(queued_app)

"""
An application with Flask-SocketIO: functions, classes, rooms, sessions, error handlers.

``flask_cases.py`` plays it with the library's test client; started as a program it serves real ones.
"""

from __future__ import annotations

import sys

import flask
import flask_socketio
import socketio
from flask_socketio import SocketIO, close_room, emit, join_room, leave_room, rooms, send

heard: list = []
app = flask.Flask(__name__)
app.config["SECRET_KEY"] = "for tests"
async_mode = sys.argv[2] if __name__ == "__main__" else "threading"
# A polling client of python-socketio that leaves waits until its last poll is answered, at the latest by a ping.
sio = SocketIO(app, async_mode=async_mode, ping_interval=1)


@app.get("/package")
def package():
    return socketio.Server.__module__.partition(".")[0]


@app.get("/heard")
def what_was_heard():
    return heard


@app.get("/announce/<text>")
def announce(text):
    sio.emit("announcement", {"text": text})
    return ""


@app.get("/login/<name>")
def login(name):
    """Write into the Flask session."""
    flask.session["user"] = name
    return ""


@app.get("/user")
def user():
    """Read the Flask session."""
    return flask.session.get("user", "")


# The root namespace: functions


@sio.on("connect")
def on_connect(auth):
    heard.append(("connect", auth, flask.request.args.get("token"), flask.request.headers.get("X-Key")))
    if auth == {"who": "nobody"}:
        return False
    if auth == {"who": "stranger"}:
        raise flask_socketio.ConnectionRefusedError("not you", {"code": 7})
    emit("welcome", {"sid": flask.request.sid})
    return None


@sio.on("disconnect")
def on_disconnect(reason):
    heard.append(("disconnect", reason, len(rooms())))


@sio.on("message")
def on_message(text):
    send(f"you said {text}")
    return "sent"


@sio.on("json")
def on_json(value):
    send({"was": value}, json=True)


@sio.event
def add(a, b=1):
    return a + b


@sio.event
def several(*args):
    return args


@sio.event
def nothing():
    pass


@sio.event
def context():
    return {
        "sid": flask.request.sid,
        "namespace": flask.request.namespace,
        "event": flask.request.event["message"],
        "user": flask.session.get("user"),
    }


@sio.event
def remember(user):
    flask.session["user"] = user


@sio.event
def join(room):
    join_room(room)
    return len(rooms())


@sio.event
def leave(room):
    leave_room(room)


@sio.event
def close(room):
    close_room(room)


@sio.event
def tell(room, text):
    emit("told", text, to=room)


@sio.event
def tell_others(text):
    emit("told", text, broadcast=True, include_self=False)


@sio.event
def tell_two(rooms, text):
    emit("told", text, to=rooms)


@sio.event
def binary(value):
    emit("binary back", (value, {"part": value[:1]}))
    return value


@sio.event
def leave_me():
    flask_socketio.disconnect()


@sio.event
def ask_back(question):
    answer = flask_socketio.call("question", question, to=flask.request.sid)
    emit("with callback", question, callback=lambda *args: heard.append(["called back", *args]))
    return answer


@sio.event
def fail(text):
    raise ValueError(text)


@sio.on_error_default
def on_any_error(exc):
    heard.append(("default", str(exc)))
    return "an error"


def on_later(text):
    return f"later {text}"


sio.on_event("later", on_later)


# Other namespaces


@sio.on("connect", namespace="/plain")
def on_plain_connect():
    heard.append("plain connect")


@sio.on("*", namespace="/plain")
def on_anything(event, *args):
    return [event, *args]


@sio.event(namespace="/plain")
def fail_here():
    raise KeyError("plain")


@sio.on_error("/plain")
def on_plain_error(exc):
    heard.append(("plain", repr(exc)))
    return "a plain error"


@sio.event(namespace="/plain")
def across():
    emit("news", "from plain", namespace="/class", broadcast=True)


class Classy(flask_socketio.Namespace):
    """A namespace as a class."""

    def on_connect(self):
        heard.append("class connect")

    def on_disconnect(self, reason):
        heard.append(("class disconnect", reason))

    def on_say(self, text):
        self.emit("said", text, include_self=False)
        self.send(f"sent {text}")
        return "ok"

    def on_enter(self, room):
        join_room(room)
        self.emit("entered", room, room=room)

    def on_empty(self, room):
        self.close_room(room)

    def on_fail(self):
        raise ValueError("in a class")


class Legacy(flask_socketio.Namespace):
    """A namespace whose disconnect takes no reason."""

    def on_disconnect(self):
        heard.append("legacy disconnect")

    def error(self, exc):
        return f"caught {exc}"

    def on_number(self, value):
        return int(value)


sio.on_namespace(Classy("/class"))
sio.on_namespace(Legacy("/legacy"))


if __name__ == "__main__":
    options = {"allow_unsafe_werkzeug": True} if async_mode == "threading" else {"log_output": False}
    sio.run(app, port=int(sys.argv[1]), **options)

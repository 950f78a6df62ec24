"""The modules of python-socketio are attributes of the package for type checkers too; not run."""

from __future__ import annotations

from typing import assert_type

import fastsio as socketio

client = socketio.client.Client()
assert_type(client, socketio.Client)
server = socketio.async_server.AsyncServer(async_mode="asgi")
assert_type(server, socketio.AsyncServer)
try:
    client.connect("http://localhost:5000")
except socketio.exceptions.ConnectionError as error:
    assert_type(error, socketio.exceptions.ConnectionError)
server.on(5, lambda _sid: None)

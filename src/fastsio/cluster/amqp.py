"""How nodes use RabbitMQ: what both client managers on it, and python-socketio's, must agree on."""

from __future__ import annotations

from typing import Final

#: The content type and encoding of each format of the bus. JSON is text, not application/json: kombu's JSON decoder
#: would turn payloads with ``__type__`` keys into other objects.
CONTENT: Final = {
    "json": {"content_type": "text/plain", "content_encoding": "utf-8"},
    "msgpack": {"content_type": "application/msgpack", "content_encoding": "binary"},
}

#: Messages on their way to a node that it has not taken yet.
PREFETCH: Final = 100

#: Messages that wait for a node in the broker. Beyond it the oldest are dropped: a node that hangs must not fill the
#: broker's memory, for then nobody could publish.
MAX_QUEUED: Final = 100_000

"""The base class of all consumers of the application."""

from __future__ import annotations

import os

from fastsio.consumers import AsyncJsonWebsocketConsumer


class BaseConsumer(AsyncJsonWebsocketConsumer):
    """Tests set SEND_COMPLETION, to get a message when a message has been handled."""

    send_completion = bool(os.environ.get("SEND_COMPLETION"))
    log_ignored_actions = ("ping", "pong")

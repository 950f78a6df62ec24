"""
The admin interface as applications get it, with the order of arguments that python-socketio has.

By hand in both halves: that order is another one in each.
"""

from __future__ import annotations

from typing import Any

from fastsio.base.admin import read_settings
from fastsio.sync.admin import AdminPanel, EventBuffer

__all__ = ["EventBuffer", "InstrumentedServer"]


class InstrumentedServer(AdminPanel):
    """
    The admin interface of an :class:`Server`; ``instrument()`` of the server makes one.

    Args:
        sio: The server.
        auth: As for ``instrument()``, and so are the others.
        mode: ``"development"`` or ``"production"``.
        read_only: Whether administrators can only look.
        server_id: The name of the server.
        namespace: The namespace of the interface.
        server_stats_interval: Seconds between two reports of the counts.
        max_reports: How many reports may wait to be sent.
        max_failed_logins: How often one connection may give wrong credentials.
        max_failed_logins_per_minute: How often one address may, in a minute.
        max_failed_logins_overall: How often all addresses together may, until each may once in a minute.

    Raises:
        ValueError: An argument is not valid.
    """

    def __init__(
        self,
        sio: Any,
        auth: Any = None,
        mode: str = "development",
        read_only: bool = False,
        server_id: str | None = None,
        namespace: str = "/admin",
        server_stats_interval: float = 2,
        *,
        max_reports: int = 10_000,
        max_failed_logins: int = 5,
        max_failed_logins_per_minute: int = 100,
        max_failed_logins_overall: int = 1000,
    ) -> None:
        super().__init__(
            sio,
            read_settings(
                auth,
                mode,
                read_only,
                server_id,
                namespace,
                server_stats_interval,
                max_reports,
                max_failed_logins,
                max_failed_logins_per_minute,
                max_failed_logins_overall,
                may_await=False,
            ),
        )

"""
``fastsio run app:app``: uvicorn, with fastsio's own WebSocket protocol.

Options are uvicorn's, and uvicorn reads them. What is added is other defaults for WebSockets, and a look at the
application before it is served by several processes.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.aio.manager import AsyncManager
from fastsio.cli.command import Command
from fastsio.exceptions import SetupError
from fastsio.integrations.fast.app_lookup import OpenSize, find_all

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

PROTOCOL: Final = "fastsio.integrations.uvicorn:WebSocketProtocol"
#: Compression lets a frame of 16 KB become a message of 16 MB, and costs more than it saves on short ones.
DEFAULTS: Final = {"ws": PROTOCOL, "ws_per_message_deflate": False}
EXTRA: Final = "fast"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Leave everything to uvicorn."""
    parser.add_argument("options", nargs="*")


def run(options: argparse.Namespace) -> int:
    """
    Serve an application until it is stopped.

    Raises:
        MissingExtraError: uvicorn is not installed.
        SetupError: The application cannot be served by several workers, or not be found.
    """
    return serve(options.options)


def serve(arguments: Sequence[str]) -> int:
    """Read uvicorn's options, check them and serve; return the exit status."""
    uvicorn = require("uvicorn.main", EXTRA).main
    click = require("click", EXTRA)
    try:
        with uvicorn.make_context("fastsio run", list(arguments), default_map=DEFAULTS) as context:
            check_workers(context.params)
            if context.get_parameter_source("ws_max_size") is click.core.ParameterSource.DEFAULT:
                context.params["ws_max_size"] = OpenSize(context.params["ws_max_size"])
            uvicorn.invoke(context)
    except click.ClickException as error:
        error.show()
        return int(error.exit_code)
    except click.exceptions.Exit as done:
        return int(done.exit_code)
    return 0


def check_workers(params: Mapping[str, Any]) -> None:
    """
    Refuse several workers where clients are known to one process only.

    Args:
        params: uvicorn's options.

    Raises:
        SetupError: They are, or it cannot be told.
    """
    workers = params["workers"] or int(os.environ.get("WEB_CONCURRENCY", "1"))
    if workers == 1 or params["reload"]:
        return
    name = params["app"]
    managers = [getattr(app.engineio_server, "manager", None) for app in find_all(load(params))]
    if not managers:
        raise SetupError(f"{name} has no ASGIApp of fastsio; use uvicorn itself to serve it with {workers} workers")
    if any(manager is None or type(manager) is AsyncManager for manager in managers):
        raise SetupError(
            f"{name} cannot be served by {workers} workers: each is a process of its own, and a server without a "
            "client manager reaches the clients of its own process only; give AsyncServer a client_manager, "
            "such as AsyncRedisManager, or leave --workers out"
        )


def load(params: Mapping[str, Any]) -> Any:
    """
    Import the application as uvicorn does.

    Raises:
        SetupError: No application has that name.
    """
    importer = require("uvicorn.importer", EXTRA)
    if params["app_dir"] is not None:
        sys.path.insert(0, params["app_dir"])
    try:
        app = importer.import_from_string(params["app"])
    except importer.ImportFromStringError as error:
        raise SetupError(str(error)) from None
    return app() if params["factory"] else app


#: No character begins an option here: uvicorn reads them, the help included.
RUN: Final = Command(
    "run",
    "Serve an ASGI application with uvicorn, WebSockets the fast way.",
    add_arguments,
    run,
    {"add_help": False, "prefix_chars": "\0"},
)

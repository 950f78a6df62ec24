"""The commands of the command line."""

from __future__ import annotations

import json
import keyword
import math
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.aio.backends.local import AsyncLocalManager
from fastsio.aio.manager import AsyncManager
from fastsio.brokers.forward_bus import bus_class
from fastsio.brokers.worker_group import WORKERS
from fastsio.cli.supervisor import supervised
from fastsio.exceptions import SetupError
from fastsio.integrations.fast.app_lookup import OpenSize, find_all
from fastsio.integrations.signals import DRAIN
from fastsio.state.room_names import key_of_class, snake_case

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, one line for the help, its arguments, what runs it, and options of its parser."""

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    parsing: Mapping[str, Any] = field(default_factory=dict)


#: The environment variable in which ``--forward`` leaves its settings; :mod:`fastsio.integrations.workers.forwarding`,
#: which reads it, needs uvicorn.
FORWARD: Final = "FASTSIO_FORWARD"
CHANNEL: Final = re.compile(r"[A-Za-z0-9_\-]{1,100}")
PROTOCOL: Final = "fastsio.integrations.uvicorn:WebSocketProtocol"
#: For the HTTP protocols of uvicorn, those that pass on requests for sessions of other workers.
PASSING: Final = {
    "auto": "fastsio.integrations.uvicorn:HTTPProtocol",
    "httptools": "fastsio.integrations.uvicorn:HTTPProtocol",
    "h11": "fastsio.integrations.uvicorn:H11PassingProtocol",
}
#: The options of uvicorn that differ from its defaults. With compression a frame of 16 KB could become a message of
#: 16 MB, and short messages cost more than it saves.
DEFAULTS: Final = {"ws": PROTOCOL, "ws_per_message_deflate": False}
EXTRA: Final = "fast"
#: A day: no web server is drained for longer.
MAX_DRAIN_S: Final = 86_400
#: The bytes of the longest path of a group's directory: those of a Unix socket, without the names below it.
MAX_DIRECTORY: Final = 60
TEMPORARY: Final = "let TMPDIR name a directory that this user may write, with a short path, such as /dev/shm"
#: Where the directory of a group is made if that is not possible in the directory for temporary files: its path may be
#: too long, as on macOS, and in a container nothing else may be writable.
OTHER_PLACES: Final = ("/tmp", "/dev/shm")  # noqa: S108 - mkdtemp() makes a directory of a new name in it
#: As in :mod:`fastsio.integrations.workers.passing`, which needs uvicorn.
MAX_PASSING: Final = "FASTSIO_MAX_PASSING"
PASSING_HELP: Final = (
    "Bytes of connections that wait for one worker to take them from another, beyond which requests get 503. A "
    "connection counts 4096 at least."
)
DRAIN_HELP: Final = (
    "Seconds over which the connections of Socket.IO end after SIGTERM, before the server stops. A second signal ends "
    "them at once. Not with --reload."
)
FORWARD_HELP: Final = (
    "The URL of a Redis or NATS server over which requests of long-polling for sessions of other machines are "
    "forwarded to them, where no load balancer is sticky."
)
CHANNEL_HELP: Final = "What the broker's channels for --forward begin with; the same on all machines of an application."
MAX_FORWARDING_HELP: Final = (
    "Bytes of requests that a process has forwarded and that are not answered yet, and as many of those forwarded to "
    "it; further ones get 503. A request counts 4096 at least, and a client that polls has one under way."
)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Accept any arguments: they are parsed with uvicorn's options."""
    parser.add_argument("options", nargs="*")


def run(options: argparse.Namespace) -> int:
    """Serve an application until it is stopped; raise MissingExtraError or SetupError if that is not possible."""
    return serve(options.options)


def serve(arguments: Sequence[str]) -> int:
    """Read uvicorn's options, check them and serve; return the exit status."""
    click = require("click", EXTRA)
    module = require("uvicorn.main", EXTRA)
    uvicorn = copy(module.main)
    uvicorn.params = [
        *uvicorn.params,
        click.Option(["--drain"], type=click.FloatRange(min=0, max=MAX_DRAIN_S), default=0, help=DRAIN_HELP),
        click.Option(
            ["--max-passing"], type=click.IntRange(min=4096), default=16_777_216, show_default=True, help=PASSING_HELP
        ),
        click.Option(["--forward"], metavar="URL", help=FORWARD_HELP),
        click.Option(["--forward-channel"], default="fastsio-forward", show_default=True, help=CHANNEL_HELP),
        click.Option(
            ["--max-forwarding"],
            type=click.IntRange(min=4096),
            default=67_108_864,
            show_default=True,
            help=MAX_FORWARDING_HELP,
        ),
    ]
    try:
        with uvicorn.make_context("fastsio run", list(arguments), default_map=DEFAULTS) as context:
            drain_s = context.params.pop("drain")
            os.environ[MAX_PASSING] = str(context.params.pop("max_passing"))
            if math.isnan(drain_s):
                raise click.BadParameter("nan is not a number of seconds", param_hint="--drain")
            # Workers are processes of their own, which read it when they start.
            os.environ.pop(DRAIN, None)
            if drain_s and not context.params["reload"]:
                os.environ[DRAIN] = str(drain_s)
            if context.get_parameter_source("ws_max_size") is click.core.ParameterSource.DEFAULT:
                context.params["ws_max_size"] = OpenSize(context.params["ws_max_size"])
            forwards = set_forwarding(context.params)
            with worker_group(context.params, is_needed=forwards):
                if forwards:
                    check_forwarding(context.params)
                if check_workers(context.params):
                    info = click.style("INFO", fg="green")
                    click.echo(f"{info}:     The workers share their clients, without a broker", err=True)
                with supervised(module):
                    uvicorn.invoke(context)
    except click.ClickException as error:
        error.show()
        return int(error.exit_code)
    except click.exceptions.Exit as done:
        return int(done.exit_code)
    return 0


def set_forwarding(params: dict[str, Any]) -> bool:
    """
    Leave the settings of ``--forward`` for the workers, and remove them from uvicorn's options; return if it is on.

    Raise SetupError if the URL is not of a Redis or NATS server, or the HTTP protocol cannot do it; MissingExtraError
    if the package for the URL is not installed.
    """
    url, channel, max_bytes = (params.pop(name) for name in ("forward", "forward_channel", "max_forwarding"))
    os.environ.pop(FORWARD, None)
    if url is None:
        return False
    bus_class(url)
    if not CHANNEL.fullmatch(channel):
        raise SetupError(f"--forward-channel is a name of letters, digits, - and _; got {channel!r}")
    if params["http"] not in PASSING:
        raise SetupError(f"--forward needs one of the HTTP protocols {', '.join(PASSING)}; got --http {params['http']}")
    settings = {"url": url, "channel": channel, "machine": secrets.token_hex(5), "max_bytes": max_bytes}
    os.environ[FORWARD] = json.dumps(settings)
    return True


def check_forwarding(params: Mapping[str, Any]) -> None:
    """Refuse with SetupError to forward requests for servers that know only the clients of their own machine."""
    managers = [getattr(app.engineio_server, "manager", None) for app in find_all(load(params))]
    if not managers or any(type(manager) in {AsyncManager, AsyncLocalManager} for manager in managers):
        raise SetupError(
            f"{params['app']} is served by several machines with --forward, and its events would reach the clients of "
            "one machine only; give AsyncServer a client_manager with a broker, such as AsyncRedisManager"
        )


def check_workers(params: Mapping[str, Any]) -> bool:
    """
    Refuse with SetupError several workers for an application whose servers know only the clients of their own process.

    Return whether servers share their clients over the directory of the workers, because they name no manager.
    """
    workers = count_workers(params)
    if workers == 1:
        return False
    name = params["app"]
    managers = [getattr(app.engineio_server, "manager", None) for app in find_all(load(params))]
    if not managers:
        raise SetupError(f"{name} has no ASGIApp of fastsio; use uvicorn itself to serve it with {workers} workers")
    if any(manager is None or type(manager) is AsyncManager for manager in managers):
        raise SetupError(
            f"{name} cannot be served by {workers} workers: each is a process of its own, and with AsyncManager a "
            "server reaches the clients of its own process only; leave client_manager out, so that the workers share "
            "their clients, or give AsyncServer one with a broker, such as AsyncRedisManager"
        )
    return any(type(manager) is AsyncLocalManager for manager in managers)


def count_workers(params: Mapping[str, Any]) -> int:
    """Return how many workers uvicorn starts."""
    return 1 if params["reload"] else params["workers"] or int(os.environ.get("WEB_CONCURRENCY", "1"))


@contextmanager
def worker_group(params: dict[str, Any], *, is_needed: bool = False) -> Iterator[None]:
    """
    Let several workers pass on requests for each other's sessions, and share clients, for the length of the block.

    The HTTP protocol in *params* is replaced if it is one of uvicorn's own. With *is_needed* a single worker gets a
    number too. Raise SetupError if a group is needed, and the system has none, or no directory for it can be made.
    """
    # Not one that this process was started with: its group is another one.
    os.environ.pop(WORKERS, None)
    if is_needed and sys.platform == "win32":
        raise SetupError("--forward is not for Windows, where workers have no numbers")
    if (count_workers(params) == 1 and not is_needed) or sys.platform == "win32":
        yield
        return
    params["http"] = PASSING.get(params["http"], params["http"])
    directory = make_directory()
    os.environ[WORKERS] = directory
    try:
        with removed_at_signals(directory):
            yield
    finally:
        del os.environ[WORKERS]
        shutil.rmtree(directory, ignore_errors=True)


def make_directory() -> str:
    """
    Make the directory of a group, whose path is short enough for Unix sockets, and return its path.

    Raises:
        SetupError: No such directory can be made.
    """
    failures: list[str] = []
    for place in (None, *OTHER_PLACES):
        try:
            directory = tempfile.mkdtemp(prefix="fastsio-", dir=place)
        except OSError as error:
            failures.append(str(error))
            continue
        if len(os.fsencode(directory)) <= MAX_DIRECTORY:
            return directory
        os.rmdir(directory)  # noqa: PTH106 - it is a text
        failures.append(f"the path {directory} is too long for Unix sockets")
    raise SetupError(
        f"no directory can be made for the sockets of the workers; {TEMPORARY}: {'; '.join(dict.fromkeys(failures))}"
    )


@contextmanager
def removed_at_signals(directory: str) -> Iterator[None]:
    """Remove a directory before a signal ends the process, where nothing else handles the signal."""

    def end(number: int, _frame: object) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    handled = [signal.SIGTERM, signal.SIGHUP] if threading.current_thread() is threading.main_thread() else []
    handled = [number for number in handled if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in handled:
            if signal.getsignal(number) is end:
                signal.signal(number, signal.SIG_DFL)


def load(params: Mapping[str, Any]) -> Any:
    """Import the application as uvicorn does, and return it; raise SetupError if none has that name."""
    importer = require("uvicorn.importer", EXTRA)
    if params["app_dir"] is not None:
        sys.path.insert(0, params["app_dir"])
    try:
        app = importer.import_from_string(params["app"])
    except importer.ImportFromStringError as error:
        raise SetupError(str(error)) from None
    return app() if params["factory"] else app


#: No character begins an option in argparse, because uvicorn parses the options, ``--help`` too.
RUN: Final = Command(
    "run",
    "Serve an ASGI application with uvicorn, WebSockets the fast way.",
    add_run_arguments,
    run,
    {"add_help": False, "prefix_chars": "\0"},
)


DIRECTORY: Final = "app/socketio"

ROOM: Final = Template('''"""Who may join a ${key}."""

from __future__ import annotations

from typing import Any

from fastsio import Room


class ${name}(Room):
    """Clients join it with the event ``join_${key}`` and ``{"${key}_id": ...}``."""

    @classmethod
    async def extract_room_identifier(cls, session: dict[str, Any], data: dict[str, Any]) -> str:
        """Return which ${key} is meant; the text of a ValueError is what the client reads."""
        if not data.get("${key}_id"):
            raise ValueError("${key}_id is required")
        return str(data["${key}_id"])

    @classmethod
    async def can_join(cls, session: dict[str, Any], data: dict[str, Any]) -> bool:
        """Return whether the client may join: here, whether it has signed in."""
        return session.get("user") is not None
''')

EVENT: Final = Template('''"""The event ``${key}``."""

from __future__ import annotations

from fastsio import BroadcastEvent


class ${name}(BroadcastEvent):
    """Its fields are the payload: ``await broadcast(${name}(room=..., text=...))``."""

    room: str
    text: str

    def broadcast_on(self) -> str:
        """Return whom the event is for: a room, its name, or a list of them."""
        return self.room
''')

NAMESPACE: Final = Template('''"""The namespace ``${path}``."""

from __future__ import annotations

from typing import Any

from fastsio import AsyncNamespace


class ${name}(AsyncNamespace):
    """The handlers of ``${path}``: ``sio.register_namespace(${name}())``."""

    def __init__(self) -> None:
        super().__init__("${path}")

    async def on_connect(self, sid: str, environ: dict[str, Any], auth: Any) -> None:
        """Let a client in; a ConnectionRefusedError of ``fastsio.exceptions`` keeps it out."""
        await self.save_session(sid, {"user": auth})

    async def on_disconnect(self, sid: str, reason: str) -> None:
        """Handle the end of a client's connection to this namespace."""
''')

#: Text of the templates -> the text for a program without an event loop.
WITHOUT_LOOP: Final = {"async def ": "def ", "await self.": "self.", "AsyncNamespace": "Namespace"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that ``fastsio make`` writes; *key* returns the name of an event for the name of the class."""

    folder: str
    template: Template
    key: Callable[[str], str]
    example: str


KINDS: Final = {
    "room": Kind("rooms", ROOM, key_of_class, "ChatRoom"),
    "broadcast-event": Kind("events", EVENT, snake_case, "MessagePosted"),
    "namespace": Kind("namespaces", NAMESPACE, snake_case, "ChatNamespace"),
}


def add_make_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``make``: kind, name and directory."""
    parser.add_argument("kind", choices=KINDS, help="what to make")
    parser.add_argument("name", help="the name of the class, such as ChatRoom, MessagePosted, ChatNamespace")
    parser.add_argument("--directory", default=DIRECTORY, help=f"where rooms/ and its like are; {DIRECTORY}")
    parser.add_argument("--sync", action="store_true", help="for a server without asyncio")


def make(options: argparse.Namespace) -> int:
    """
    Write a file and print its path.

    Raises:
        SetupError: The name is not one of a class, or the file, or a module in the place of a folder, exists already.
    """
    kind = KINDS[options.kind]
    if not options.name.isidentifier() or keyword.iskeyword(options.name) or not options.name[0].isupper():
        raise SetupError(f"{options.name!r} is not the name of a class; write it as {kind.example}")
    path = Path(options.directory) / kind.folder / f"{snake_case(options.name)}.py"
    _make_packages(path.parent)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_text(kind, options.name, sync=options.sync))
    except FileExistsError:
        raise SetupError(f"{path} exists already; it was not changed") from None
    sys.stdout.write(f"{path}\n")
    return 0


def _text(kind: Kind, name: str, *, sync: bool) -> str:
    path = "/" + snake_case(name.removesuffix("Namespace") or name)
    text = kind.template.substitute(name=name, key=kind.key(name), path=path)
    for awaited, called in WITHOUT_LOOP.items() if sync else ():
        text = text.replace(awaited, called)
    return text


def _make_packages(folder: Path) -> None:
    """Make a folder and its parents, as packages; those that exist are not changed."""
    for each in (*reversed(folder.parents), folder):
        if each.is_dir():
            continue
        module = each.with_suffix(".py")
        if module.exists() or each.exists():
            taken = module if module.exists() else each
            raise SetupError(f"{taken} is in the way of the package {each}; choose another --directory")
        each.mkdir()
        (each / "__init__.py").touch()


MAKE: Final = Command(
    "make", "Write the beginning of a room, a broadcast event or a namespace.", add_make_arguments, make
)

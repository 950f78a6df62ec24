"""The commands of the command line."""

from __future__ import annotations

import keyword
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.aio.manager import AsyncManager
from fastsio.exceptions import SetupError
from fastsio.integrations.fast.app_lookup import OpenSize, find_all
from fastsio.state.room_names import key_of_class, snake_case

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Command:
    """
    One command.

    Args:
        name: What is typed.
        summary: One line for the help.
        add_arguments: Declares what may follow the name.
        run: Does it, and returns the exit status. What it raises of fastsio's errors is shown as one line.
        parsing: Options of its ``argparse.ArgumentParser``.
    """

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    parsing: Mapping[str, Any] = field(default_factory=dict)


PROTOCOL: Final = "fastsio.integrations.uvicorn:WebSocketProtocol"
#: The options of uvicorn that differ from its defaults. With compression a frame of 16 KB could become a message of
#: 16 MB, and short messages cost more than it saves.
DEFAULTS: Final = {"ws": PROTOCOL, "ws_per_message_deflate": False}
EXTRA: Final = "fast"


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Accept any arguments: uvicorn parses them."""
    parser.add_argument("options", nargs="*")


def run(options: argparse.Namespace) -> int:
    """
    Serve an application until it is stopped.

    Raises:
        MissingExtraError: uvicorn is not installed.
        SetupError: The application was not found, or cannot be served by several workers.
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
    Refuse several workers for an application whose servers know only the clients of their own process.

    Args:
        params: uvicorn's options.

    Raises:
        SetupError: A server has no manager for several processes, or the application has no ``ASGIApp``.
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
    Import the application as uvicorn does, and return it.

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
    """
    A kind of file that ``fastsio make`` writes.

    Args:
        folder: The folder of its files.
        template: The content of a file.
        key: Returns the name of an event, or the end of one, for the name of the class.
        example: An example of a class's name.
    """

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

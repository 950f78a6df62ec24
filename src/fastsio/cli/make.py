"""
``fastsio make room ChatRoom``: the beginnings of rooms, broadcast events and namespaces, each in a file of its own.

``app/socketio/rooms/``, ``events/`` and ``namespaces/`` stand side by side. Nothing is ever overwritten.
"""

from __future__ import annotations

import keyword
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from fastsio.cli.command import Command
from fastsio.exceptions import SetupError
from fastsio.state.room_names import key_of_class, snake_case

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

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

#: What differs in a program without an event loop.
WITHOUT_LOOP: Final = {"async def ": "def ", "await self.": "self.", "AsyncNamespace": "Namespace"}


@dataclass(frozen=True, slots=True)
class Kind:
    """
    Something that can be made.

    Args:
        folder: Where its files stand.
        template: What is in them.
        key: Makes the name of an event, or the end of one, of that of the class.
        example: A name.
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is made, its name, and where."""
    parser.add_argument("kind", choices=KINDS, help="what to make")
    parser.add_argument("name", help="the name of the class, such as ChatRoom, MessagePosted, ChatNamespace")
    parser.add_argument("--directory", default=DIRECTORY, help=f"where rooms/ and its like are; {DIRECTORY}")
    parser.add_argument("--sync", action="store_true", help="for a server without asyncio")


def run(options: argparse.Namespace) -> int:
    """
    Write a file and say which.

    Raises:
        SetupError: The name is not that of a class, or the file, or something in its way, is there already.
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
    """Make a folder and those above it, as packages; what is there already is left as it is."""
    for each in (*reversed(folder.parents), folder):
        if each.is_dir():
            continue
        module = each.with_suffix(".py")
        if module.exists() or each.exists():
            taken = module if module.exists() else each
            raise SetupError(f"{taken} is in the way of the package {each}; choose another --directory")
        each.mkdir()
        (each / "__init__.py").touch()


MAKE: Final = Command("make", "Write the beginning of a room, a broadcast event or a namespace.", add_arguments, run)

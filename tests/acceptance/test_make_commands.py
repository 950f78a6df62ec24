"""The command that writes the beginnings of rooms, events and namespaces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.waiting import PROGRAM_S

ROOT = Path(__file__).parents[2]
#: Imports what was made and uses it.
PROGRAM = """
import asyncio, fastsio
from app.socketio.rooms.chat_room import ChatRoom
from app.socketio.rooms.team_room import TeamRoom
from app.socketio.events.message_posted import MessagePosted
from app.socketio.namespaces.chat_namespace import ChatNamespace
from app.socketio.namespaces.plain import Plain

assert issubclass(ChatRoom, fastsio.Room)
assert asyncio.run(ChatRoom.extract_room_identifier({}, {"chat_id": 5})) == "5"
assert asyncio.run(ChatRoom.can_join({"user": "ada"}, {"chat_id": 5})) is True
assert asyncio.run(ChatRoom.can_join({}, {"chat_id": 5})) is False
assert MessagePosted(room="r", text="hi").broadcast_on() == "r"
fastsio.register_room(ChatRoom)(ChatNamespace)
sio = fastsio.AsyncServer(async_mode="asgi")
sio.register_namespace(ChatNamespace())
assert ChatRoom(5).where() == (sio, "/chat")
sync = fastsio.Server(async_mode="threading")
sync.register_namespace(Plain())
sync.register_room(TeamRoom)
"""


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``fastsio make`` in a folder."""
    command = [sys.executable, "-m", "fastsio", "make", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=PROGRAM_S)


def test_what_is_made_imports_runs_and_type_checks(tmp_path: Path) -> None:
    """The folders rooms/, events/ and namespaces/ stand side by side, with both hooks in the room."""
    commands = (
        ("room", "ChatRoom"),
        ("room", "TeamRoom", "--sync"),
        ("broadcast-event", "MessagePosted"),
        ("namespace", "ChatNamespace"),
        ("namespace", "Plain", "--sync"),
    )
    written = [make(tmp_path, *command) for command in commands]

    assert [one.stderr for one in written] == [""] * len(commands)
    assert written[0].stdout == "app/socketio/rooms/chat_room.py\n"
    room = (tmp_path / "app/socketio/rooms/chat_room.py").read_text(encoding="utf-8")
    assert "class ChatRoom(Room):" in room
    assert "async def extract_room_identifier(cls, session" in room
    assert "async def can_join(cls, session" in room
    assert sorted(path.name for path in (tmp_path / "app/socketio").iterdir() if path.is_dir()) == [
        "events",
        "namespaces",
        "rooms",
    ]
    subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], cwd=tmp_path, check=True, timeout=PROGRAM_S)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ROOT / ".mypy_cache", "app"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert checked.returncode == 0, checked.stdout


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file that is there stays as it is, and the command says so."""
    make(tmp_path, "room", "ChatRoom")
    path = tmp_path / "app/socketio/rooms/chat_room.py"
    path.write_text("mine", encoding="utf-8")

    again = make(tmp_path, "room", "ChatRoom")

    assert again.returncode == 1
    assert again.stderr == "fastsio make: app/socketio/rooms/chat_room.py exists already; it was not changed\n"
    assert path.read_text(encoding="utf-8") == "mine"

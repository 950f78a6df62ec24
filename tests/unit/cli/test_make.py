"""``fastsio make``: where files go, and what it refuses."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from fastsio.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("room", "ChatRoom", "app/socketio/rooms/chat_room.py"),
        ("broadcast-event", "MessagePosted", "app/socketio/events/message_posted.py"),
        ("namespace", "ChatNamespace", "app/socketio/namespaces/chat_namespace.py"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--sync"]])
def test_a_class_gets_a_file_of_its_name(capsys, kind, name, path, options):
    """In a package of its kind; for threads without a coroutine function."""
    assert main(["make", kind, name, *options]) == 0

    assert capsys.readouterr().out == f"{path}\n"
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    assert [node.name for node in tree.body if isinstance(node, ast.ClassDef)] == [name]
    coroutines = [node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]
    assert bool(coroutines) is (not options and kind != "broadcast-event")
    assert all((each / "__init__.py").exists() for each in Path(path).parents if each.name)


def test_packages_that_are_there_are_left_as_they_are():
    """What is in them is the application's."""
    Path("server/rooms").mkdir(parents=True)
    Path("server/__init__.py").write_text("mine", encoding="utf-8")

    assert main(["make", "room", "ChatRoom", "--directory", "server"]) == 0

    assert Path("server/__init__.py").read_text(encoding="utf-8") == "mine"
    assert not Path("server/rooms/__init__.py").exists()
    assert Path("server/rooms/chat_room.py").exists()


def test_a_module_in_the_way_is_not_shadowed(capsys):
    """``uvicorn app:app`` must still find it."""
    Path("app.py").touch()

    assert main(["make", "room", "ChatRoom"]) == 1

    assert capsys.readouterr().err == (
        "fastsio make: app.py is in the way of the package app; choose another --directory\n"
    )
    assert not Path("app").exists()


def test_nothing_is_overwritten(capsys):
    """What is there is the application's."""
    main(["make", "room", "ChatRoom"])
    path = Path("app/socketio/rooms/chat_room.py")
    path.write_text("mine", encoding="utf-8")

    assert main(["make", "room", "ChatRoom"]) == 1

    assert f"{path} exists already; it was not changed" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["chat", "Chat-Room", "../ChatRoom", "None", "Chat Room", ""])
def test_only_names_of_classes_are_taken(capsys, folder, name):
    """Nothing is written for another."""
    assert main(["make", "room", name]) == 1

    assert f"{name!r} is not the name of a class; write it as ChatRoom" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_a_namespace_is_called_after_its_class():
    """Without the word ``Namespace``."""
    for name, path in (("AdminPanelNamespace", "/admin_panel"), ("Namespace", "/namespace"), ("Live", "/live")):
        main(["make", "namespace", name])
        file = next(Path("app/socketio/namespaces").glob(f"{path[1:]}*.py"))
        assert f'super().__init__("{path}")' in file.read_text(encoding="utf-8")

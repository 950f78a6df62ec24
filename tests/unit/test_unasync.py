"""The tool that writes the sync half."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools.unasync import HEADER, Translator, sources

ROOT = Path(__file__).parents[2]


def test_the_sync_half_is_what_the_tool_writes():
    """No generated module was edited or is out of date, and no rule of the tool is one that no module needs."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "unasync.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}: run tools/unasync.py"


def test_every_module_that_says_it_was_written_is_one_that_the_tool_writes():
    """A module that is taken off the list does not stay behind under its header."""
    begins = HEADER.partition("{")[0]
    folders = (ROOT / "src" / "fastsio" / "sync", ROOT / "tests" / "shells" / "sync_engine")

    written = {
        path
        for folder in folders
        for path in [*folder.rglob("*.py"), *folder.rglob("*.pyi")]
        if path.read_text(encoding="utf-8").startswith(begins)
    }

    assert written == set(sources().values())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("async with self.lock:\n    await go()\n", "with self.lock:\n    go()\n"),
        ("class AsyncServer:\n    pass\n", "class Server:\n    pass\n"),
        ('"""As :class:`AsyncServer`."""\n', '"""As :class:`Server`."""\n'),
        ('"""As :class:`fastsio.AsyncServer`."""\n', '"""As :class:`fastsio.AsyncServer`."""\n'),
        ('"""An object: an asynchronous generator."""\n', '"""An object: a generator."""\n'),
        ('"""Use it on an asyncio server."""\n', '"""Use it on a sync server."""\n'),
    ],
)
def test_code_and_prose_are_translated(source, expected):
    """Names that stand after ``fastsio.`` in a text mean the same in both halves."""
    assert Translator().translate(source) == expected


def test_what_one_half_has_alone_is_in_no_other():
    """A block for asyncio is left out, the lines of one for threads become code, and what follows is both's."""
    source = (
        "class AsyncServer:\n"
        "    # Only asyncio:\n"
        "    async def attach(self): ...\n"
        "    # Only threads:\n"
        "    # | def serve(self):\n"
        "    # |     self.eio.serve()\n"
        "    # Both:\n"
        "    async def stop(self): ...\n"
    )

    assert Translator().translate(source) == (
        "class Server:\n    def serve(self):\n        self.eio.serve()\n    def stop(self): ...\n"
    )


def test_a_rule_that_no_module_needs_is_reported():
    """Its name or pattern is in none of the texts that were translated."""
    phrases = [(re.compile("one"), "two"), (re.compile("three"), "four")]
    translator = Translator({"AsyncUsed": "Used", "AsyncUnused": "Unused"}, phrases)

    translator.translate("one = AsyncUsed()\n")

    assert translator.unused_rules() == ["AsyncUnused", "three"]

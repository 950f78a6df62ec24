"""The snippets of the guide to frontends: those in JavaScript run together, the others are read by a parser of their language."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import tree_sitter
import tree_sitter_c_sharp
import tree_sitter_dart
import tree_sitter_kotlin
import tree_sitter_swift

from tests.docs.snippets import Snippet, marked, snippets
from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import node_program
from tests.support.servers import serve

GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "frontends.md"
PROGRAM = Path(__file__).parent / "frontends.mjs"
#: Where the snippets connect to: the server, as the emulator of Android sees it and as all others do.
ADDRESSES = ("http://10.0.2.2:8000", "http://localhost:8000")
PACKAGES = ("esbuild", "playwright-core", "react", "react-dom", "socket.io-client", "svelte", "vue", "ws")
PARSERS = {
    "csharp": tree_sitter_c_sharp,
    "dart": tree_sitter_dart,
    "kotlin": tree_sitter_kotlin,
    "swift": tree_sitter_swift,
}


def write_files(folder: Path, url: str) -> None:
    """Write the files that the guide shows, with another server."""
    for snippet in marked(GUIDE, "file"):
        code = snippet.code
        for address in ADDRESSES:
            code = code.replace(address, url)
        path = folder / snippet.reason
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")


async def test_pages_in_react_vue_and_svelte_and_react_native_talk_to_each_other(tmp_path, monkeypatch):
    """
    Each shows what the others say, once, also after its component was mounted anew.

    BROWSER_SCREENSHOTS=folder keeps pictures.
    """
    module = ModuleType("documentation")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(snippets(GUIDE, "python")[0].code, vars(module))  # noqa: S102 - our own documentation
    options = {
        "executable": require_chromium(),
        "flags": FLAGS,
        "profile": str(tmp_path / "profile"),
        "screenshots": os.environ.get("BROWSER_SCREENSHOTS"),
    }

    async with serve(vars(module)["app"]) as address:
        write_files(tmp_path / "pages", address.http)
        arguments = (str(tmp_path / "pages"), json.dumps(options))
        async with node_program(PROGRAM, *arguments, packages=PACKAGES) as program:
            result = await program.result()

    bye = {name: f"good bye from {name}" for name in ("react", "vue", "svelte")}
    assert result == {
        "react": ["hello from vue", "hello from svelte", bye["vue"], bye["svelte"], "the end"],
        "vue": ["hello from svelte", bye["react"], bye["svelte"], "the end"],
        "svelte": [bye["react"], bye["vue"], "the end"],
        "native": [*(f"hello from {name}" for name in bye), *bye.values()],
        "transport": "websocket",
        "acknowledged": True,
        "faults": [],
    }


@pytest.mark.parametrize("language", PARSERS)
def test_the_snippets_of_other_languages_can_be_parsed_and_name_the_events_of_the_server(language):
    """Their compilers and libraries are not at hand; a parser finds what is not of the language."""
    parser = tree_sitter.Parser(tree_sitter.Language(PARSERS[language].language()))
    shown = snippets(GUIDE, language)

    assert shown
    assert [snippet.line for snippet in shown if parser.parse(snippet.code.encode()).root_node.has_error] == []
    assert [snippet.line for snippet in shown if events_of(snippet) != {"say", "said"}] == []


def events_of(snippet: Snippet) -> set[str]:
    """Return the event that is sent, and the one that is listened to."""
    return set(re.findall(r"""\b(?:emit|on)\w*\(["'](\w+)["']""", snippet.code, re.IGNORECASE))

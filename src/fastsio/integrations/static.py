"""
Static files for :class:`~fastsio.integrations.asgi.ASGIApp`, by python-socketio's mapping.

Finds and reads files, and only those that the mapping names or that are below a directory that it names.
"""

from __future__ import annotations

import asyncio
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


#: A file's name, and its content type; None to guess the type from the name.
Entry: TypeAlias = "tuple[str, str | None]"
#: How long a URL path may be; a longer one has no file.
MAX_URL: Final = 4096


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file and its content type."""

    path: Path
    content_type: str


class StaticFiles:
    """
    A mapping from URLs to files.

    Args:
        mapping: URL -> file name, directory, or ``{"filename": ..., "content_type": ...}``. The entry ``""`` names
            the file that is served for a directory; without the entry it is ``index.html``.
    """

    def __init__(self, mapping: dict[str, Any]) -> None:
        self._mapping = {url: _entry(value) for url, value in mapping.items()}
        self._index = self._mapping.pop("", ("index.html", None))
        self._directories = _directories(self._mapping)

    def find(self, url: str) -> StaticFile | None:
        """Return the file for a URL path, or None when the path has no file."""
        if len(url) > MAX_URL:
            return None
        entry = self._mapping.get(url)
        rest = ""
        if entry is None:
            for prefix, directory in self._directories:
                if url.startswith(prefix):
                    entry, rest = directory, url[len(prefix) :].rstrip("/")
                    break
            else:
                return None
        try:
            return self._locate(entry, rest)
        except (OSError, ValueError):  # a name no file can have: too long, or with a NUL in it
            return None

    def _locate(self, entry: Entry, rest: str) -> StaticFile | None:
        filename, content_type = entry
        base = Path(filename)
        path = base / rest if rest else base
        if rest and not path.resolve().is_relative_to(base.resolve()):
            return None
        if path.is_dir():
            index, index_type = self._index
            path, content_type = path / index, index_type or content_type
        if not path.is_file():
            return None
        return StaticFile(path, content_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream")


async def serve_file(
    found: StaticFile, send: Callable[[dict[str, Any]], Awaitable[None]], *, with_body: bool = True
) -> None:
    """Answer with a file; a HEAD request gets no body."""
    body = await asyncio.to_thread(found.path.read_bytes)
    headers = [
        (b"content-type", found.content_type.encode("latin-1")),
        (b"content-length", str(len(body)).encode("ascii")),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body if with_body else b""})


def _directories(mapping: dict[str, Entry]) -> list[tuple[str, Entry]]:
    """Return the beginnings of paths below each entry, with the entry, the longest first."""
    found = {f"{url}/": entry for url, entry in mapping.items()}
    for url, entry in mapping.items():
        if url.endswith("/"):
            found.setdefault(url, entry)
    return sorted(found.items(), key=lambda item: len(item[0]), reverse=True)


def _entry(value: Any) -> Entry:
    if isinstance(value, dict):
        return str(value["filename"]), value.get("content_type")
    return str(value), None

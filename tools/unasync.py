#!/usr/bin/env python
"""
Write the modules of ``fastsio.sync`` from those of ``fastsio.aio``.

``tools/unasync.py`` writes them, ``tools/unasync.py --check`` only says whether they are what it would write. Modules
that are not listed are written by hand in both halves. Either way a rule that no module needs is an error: it may once
have repaired a sentence that now reads wrong.

What only one half has stands in the module of ``aio`` between comments: after ``# Only asyncio:`` what the sync module
does not get, after ``# Only threads:`` the lines of the sync module, each behind ``# | ``, and ``# Both:`` ends either.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY: Final = Path(__file__).resolve().parent.parent
ROOT: Final = REPOSITORY / "src" / "fastsio"

#: The modules that are translated, without ``.py``, and declarations.
MODULES: Final = (
    "admin",
    "backends/kafka",
    "backends/redis",
    "backends/redis_streams",
    "backends/stream_questions",
    "backends/stream_reader",
    "backends/stream_sessions",
    "bus",
    "client/client",
    "client/delivery",
    "client/dispatcher",
    "client/namespace",
    "client/reconnect",
    "connect_replies",
    "connection_scope",
    "dispatcher",
    "engine/__init__",
    "engine/client",
    "engine/client_upstream",
    "engine/client_upstream.pyi",
    "engine/eio3_session",
    "engine/polling",
    "engine/server",
    "engine/host",
    "engine/upgrade",
    "lifecycle",
    "manager",
    "namespace",
    "pubsub",
    "recovery",
    "room_hooks",
    "rooms",
    "server",
    "simple_client",
    "stored_sessions",
    "turns",
)

#: The tests that are translated, without ``.py``: what both halves promise.
TESTS: Final = (
    "test_engine_polling",
    "test_engine_requests",
    "test_engine_sessions",
    "test_engine_shutdown",
    "test_engine_upgrade",
)

#: Names that have another name in the sync half. After ``fastsio.`` in a text they stay: both halves are meant there.
NAMES: Final = {
    "AsyncClient": "Client",
    "AsyncClientNamespace": "ClientNamespace",
    "AsyncSimpleClient": "SimpleClient",
    "AsyncManager": "Manager",
    "AsyncNamespace": "Namespace",
    "AsyncPubSubManager": "PubSubManager",
    "AsyncServer": "Server",
    "AsyncServerKeywords": "SyncServerKeywords",
    "InstrumentedAsyncServer": "InstrumentedServer",
    "async_client": "client",
    "asyncpubsub": "pubsub",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "asynccontextmanager": "contextmanager",
    "afail": "fail",
    "TaskScope": "ThreadScope",
    "AsyncOpener": "Opener",
    "AsyncKafkaManager": "KafkaManager",
    "AsyncRedisManager": "RedisManager",
    "AsyncRedisStreamsManager": "RedisStreamsManager",
    "RoomFollowingManager": "PubSubManager",
    "KafkaTopic": "BlockingKafkaTopic",
    "RedisPublisher": "BlockingRedisPublisher",
    "PerLoop": "PerProcess",
    "close_redis": "close_blocking_redis",
    "_listen_to_one": "_listen",
    "asynckafka": "kafka",
    "aioredis": "redis",
    "AsyncGenerator": "Generator",
    "unwind_async": "unwind",
    "AsyncIterator": "Iterator",
    "AnyLink": "SocketLink",
    "AbstractAsyncContextManager": "AbstractContextManager",
}

#: What is not a matter of one name, on the whole text.
PHRASES: Final = (
    # A result that a coroutine function would have to be awaited for; of a plain function it is refused.
    (
        re.compile(r"if (\w+)\.is_coroutine or (type\((\w+)\) is CoroutineType):\n( +)\3 = await \3\n"),
        r"if \2:\n\4concurrency.refuse_coroutine(\3, \1.endpoint.label)\n",
    ),
    (re.compile(r"^ *if \w+\.is_coroutine:\n +(\w+) = await \1\n", re.MULTILINE), ""),
    (re.compile(r"\bendpoint\.call\("), "endpoint.call_sync("),
    (re.compile(r"\bfastsio\.aio\.engine\.links\b"), "fastsio.aio.engine.socketlink"),
    (re.compile(r"\bfastsio\.aio\b"), "fastsio.sync"),
    (re.compile(r"\btests\.shells\.engine\b"), "tests.shells.sync_engine"),
    (re.compile(r"\bASGI wire\b"), "WSGI wire"),
    (re.compile(r"  # noqa: ASYNC109 - [^\n]*"), ""),
    (re.compile(r"\ban asynchronous (?=context manager|generator)"), "a "),
    (re.compile(r"\ban asyncio(?= server| client)"), "a sync"),
    (re.compile(r"\bthe asyncio(?= server| half)"), "the sync"),
    (re.compile(r"\bseveral asyncio(?= servers)"), "several sync"),
    (re.compile(r"\b(A Socket.IO client for) asyncio"), r"\1 threads, gevent and eventlet"),
    (re.compile(r"\b[Cc]lass-based namespaces for asyncio"), "Class-based namespaces for threads"),
    (re.compile(r"``async def "), "``def "),
    (re.compile(r"\bone asyncio process\b"), "one process"),
    # The body of a response of aiohttp, and of requests.
    (re.compile(r"await answer\.read\(\)"), "answer.content"),
    # What only one half's class has, in the docstring that both have.
    (re.compile(r"^( +)\w+: With asyncio only\. [^\n]*\n(?:\1 +[^\n]*\n)*", re.MULTILINE), ""),
    (re.compile(r"\baiokafka is not\b"), "kafka-python is not"),
    (re.compile(r"AsyncGenerator\[(\w+), None\]"), r"Generator[\1, None, None]"),
    (re.compile(r"Awaitable\[None\] \| None"), "Any"),
    (re.compile(r"Awaitable\[([^\[\]]+)\]"), r"\1"),
    (re.compile(r"Coroutine\[Any, Any, ([^\[\]]+)\]"), r"\1"),
)

#: Begins, or ends, what only one half has.
ONLY_ASYNCIO: Final = "# Only asyncio:"
ONLY_THREADS: Final = "# Only threads:"
BOTH: Final = "# Both:"
#: Stands before a line that only the sync half has.
THREADS_LINE: Final = re.compile(r"^( *)# \| ?")

HEADER: Final = "# Written by tools/unasync.py from {source}; change that one.\n"


class Translator:
    """
    Makes the texts of sync modules, and remembers which rules it needed.

    Args:
        names: Names that have another name in the sync half.
        phrases: What is replaced in the whole text.
    """

    def __init__(
        self,
        names: Mapping[str, str] = MappingProxyType(NAMES),
        phrases: Sequence[tuple[re.Pattern[str], str]] = PHRASES,
    ) -> None:
        self._names = names
        self._phrases = phrases
        self._used: set[str] = set()

    def translate(self, source: str) -> str:
        """Return the text of a sync module for the text of an asyncio module."""
        source = without_asyncio_lines(source)
        for pattern, replacement in self._phrases:
            source, count = pattern.subn(replacement, source)
            if count:
                self._used.add(pattern.pattern)
        return self._without_words(source)

    def unused_rules(self) -> list[str]:
        """Return the names and patterns that were in none of the texts."""
        rules = [*self._names, *(pattern.pattern for pattern, _ in self._phrases)]
        return [rule for rule in rules if rule not in self._used]

    def _without_words(self, source: str) -> str:
        """Take ``async`` and ``await`` out and give names their other form, in code and in docstrings."""
        lines = source.splitlines(keepends=True)
        edits: list[tuple[int, int, int, str]] = []
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            (row, start), (end_row, end) = token.start, token.end
            if token.type == tokenize.NAME and token.string in ("async", "await"):
                # The space after the word goes too.
                edits.append((row, start, end + 1, ""))
            elif token.type == tokenize.NAME and token.string in self._names:
                edits.append((row, start, end, self._renamed(token.string)))
            elif token.type in (tokenize.STRING, tokenize.COMMENT):
                edits += self._names_in_text(lines, row, start, end_row, end)
        for row, start, end, replacement in sorted(edits, reverse=True):
            line = lines[row - 1]
            lines[row - 1] = line[:start] + replacement + line[end:]
        return "".join(lines)

    def _names_in_text(
        self, lines: list[str], first_row: int, start: int, last_row: int, end: int
    ) -> list[tuple[int, int, int, str]]:
        edits = []
        for row in range(first_row, last_row + 1):
            text = lines[row - 1]
            low = start if row == first_row else 0
            high = end if row == last_row else len(text)
            edits += [
                (row, match.start(), match.end(), self._renamed(match.group()))
                for match in re.finditer(r"(?<!\bfastsio\.)\b\w+\b", text)
                if match.group() in self._names and low <= match.start() and match.end() <= high
            ]
        return edits

    def _renamed(self, name: str) -> str:
        self._used.add(name)
        return self._names[name]


def without_asyncio_lines(source: str) -> str:
    """Take out of a module's text what only asyncio has, and make code of what only threads have."""
    lines = []
    half = BOTH
    for line in source.splitlines(keepends=True):
        if line.strip() in (ONLY_ASYNCIO, ONLY_THREADS, BOTH):
            half = line.strip()
        elif half == ONLY_THREADS:
            lines.append(THREADS_LINE.sub(r"\1", line).rstrip() + "\n")
        elif half == BOTH:
            lines.append(line)
    return "".join(lines)


def _formatted(text: str, path: Path) -> str:
    """Sort imports, drop those that are not used any more, and format."""
    fix = ["check", "--fix", "--quiet", "--exit-zero", "--select", "I,F401,TC005"]
    for arguments in (fix, ["format", "--quiet"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(path), "-"]
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return text


def sources() -> dict[Path, Path]:
    """Return what is translated, and what each becomes."""
    shells = REPOSITORY / "tests" / "shells"
    names = [name if name.endswith(".pyi") else f"{name}.py" for name in MODULES]
    modules = {ROOT / "aio" / name: ROOT / "sync" / name for name in names}
    return modules | {shells / "engine" / f"{name}.py": shells / "sync_engine" / f"{name}.py" for name in TESTS}


def generate(source: Path, target: Path, translator: Translator) -> str:
    """Return the text of a sync module."""
    text = translator.translate(source.read_text())
    shown = source.relative_to(ROOT if source.is_relative_to(ROOT) else REPOSITORY)
    return _formatted(HEADER.format(source=shown.as_posix()) + text, target)


def main() -> int:
    """Write the modules, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something would change")
    check = parser.parse_args().check
    stale = []
    translator = Translator()
    for source, path in sources().items():
        text = generate(source, path, translator)
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path.relative_to(REPOSITORY))
        if not check:
            path.write_text(text)
    for path in stale:
        print(f"{'differs' if check else 'written'}: {path}")
    unused = translator.unused_rules()
    for rule in unused:
        print(f"rule that no module needs, delete it: {rule}")
    return 1 if unused or (check and stale) else 0


if __name__ == "__main__":
    sys.exit(main())

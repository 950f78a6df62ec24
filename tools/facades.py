#!/usr/bin/env python
"""
Write the modules at the root of the package that have the names of python-socketio's modules.

``tools/facades.py`` writes them, and their list in the compatibility page; ``tools/facades.py --check`` only says
whether both are what it would write. Each module imports names from where fastsio has them, and defines nothing.
``exceptions`` is the one module of python-socketio that is written by hand: the errors of fastsio stand there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent

#: Module name: the modules of fastsio, without ``fastsio.``, and what is imported from each.
FACADES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "admin": {"sync.admin": ("EventBuffer", "InstrumentedServer")},
        "asgi": {"integrations.asgi": ("ASGIApp",)},
        "async_admin": {"aio.admin": ("InstrumentedAsyncServer",)},
        "async_aiopika_manager": {"aio.backends.aiopika": ("AsyncAioPikaManager",)},
        "async_client": {"aio.client.client": ("AsyncClient",)},
        "async_manager": {"aio.manager": ("AsyncManager",)},
        "async_namespace": {"aio.client.namespace": ("AsyncClientNamespace",), "aio.namespace": ("AsyncNamespace",)},
        "async_pubsub_manager": {"aio.pubsub": ("AsyncPubSubManager",)},
        "async_redis_manager": {
            "aio.backends.redis": ("AsyncRedisManager",),
            "cluster.broker_urls": ("parse_redis_sentinel_url",),
        },
        "async_server": {"aio.server": ("AsyncServer",)},
        "async_simple_client": {"aio.simple_client": ("AsyncSimpleClient",)},
        "base_client": {"base.client": ("BaseClient", "reconnecting_clients", "signal_handler")},
        "base_manager": {"base.manager": ("BaseManager",)},
        "base_namespace": {"base.namespace": ("BaseClientNamespace", "BaseNamespace", "BaseServerNamespace")},
        "base_server": {"base.server": ("BaseServer",)},
        "client": {"base.client": ("reconnecting_clients", "signal_handler"), "sync.client.client": ("Client",)},
        "kafka_manager": {"sync.backends.kafka": ("KafkaManager",)},
        "kombu_manager": {"sync.backends.kombu": ("KombuManager",)},
        "manager": {"sync.manager": ("Manager",)},
        "middleware": {"integrations.wsgi": ("Middleware", "WSGIApp")},
        "msgpack_packet": {"protocol.msgpack": ("MsgPackPacket",)},
        "namespace": {"sync.client.namespace": ("ClientNamespace",), "sync.namespace": ("Namespace",)},
        "packet": {
            "protocol.packet": (
                *("ACK", "BINARY_ACK", "BINARY_EVENT", "CONNECT", "CONNECT_ERROR", "DISCONNECT", "EVENT"),
                *("Packet", "packet_names"),
            )
        },
        "pubsub_manager": {"sync.pubsub": ("PubSubManager",)},
        "redis_manager": {
            "cluster.broker_urls": ("parse_redis_sentinel_url",),
            "sync.backends.redis": ("RedisManager",),
        },
        "server": {"sync.server": ("Server",)},
        "simple_client": {"sync.simple_client": ("SimpleClient",)},
        "tornado": {"integrations.tornado": ("get_tornado_handler",)},
        "zmq_manager": {"sync.backends.zmq": ("ZmqManager",)},
    }
)

#: Sentences that the docstring of a module has besides.
NOTES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "middleware": (
            "It wraps WSGI applications. Middlewares that run around the handlers of events are in\n"
            ":mod:`fastsio.middlewares`, with an s."
        ),
        "msgpack_packet": "Needs the extra ``msgpack``.",
    }
)

#: How each module says where it comes from.
WRITTEN: Final = "written by tools/facades.py from its table."
PAGE: Final = Path("docs", "reference", "compatibility.md")
BEGIN: Final = "<!-- the table below is written by tools/facades.py -->\n"
END: Final = "<!-- the table above is written by tools/facades.py -->\n"

_MAX_WIDTH: Final = 120


def module_text(name: str) -> str:
    """Return the text of one module."""
    sources = FACADES[name]
    note = NOTES.get(name)
    first = f"python-socketio's ``{name}`` module; {WRITTEN}"
    docstring = f'"""\n{first}\n\n{note}\n"""\n' if note else f'"""{first}"""\n'
    imports = "".join(_import(source, sources[source]) for source in sorted(sources))
    return f"{docstring}\n{imports}\n{_all(names_of(name))}"


def names_of(module: str) -> list[str]:
    """Return what one module exports: constants first, then classes, then functions."""
    names = [name for found in FACADES[module].values() for name in found]
    return sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))


def table() -> str:
    """Return the list of the modules in Markdown."""
    rows = "".join(f"| `{name}` | {', '.join(f'`{one}`' for one in names_of(name))} |\n" for name in sorted(FACADES))
    return f"| module | what is in it |\n|---|---|\n{rows}"


def page_text(page: str) -> str:
    """Return the text of the compatibility page with the list of the modules in it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} has lost the lines between which the table stands: {BEGIN.strip()}")
    return f"{before}{begin}\n{table()}\n{end}{after}"


def texts(root: Path) -> dict[Path, str]:
    """Return every file that is written, with its text."""
    package = root / "src" / "fastsio"
    modules = {package / f"{name}.py": module_text(name) for name in FACADES}
    return modules | {root / PAGE: page_text((root / PAGE).read_text(encoding="utf-8"))}


def stale(root: Path) -> list[Path]:
    """Return the files that are missing or have another text than they should."""
    return [path for path, text in texts(root).items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def surplus(root: Path) -> list[Path]:
    """Return the modules that this tool has written once, and whose names have left the table."""
    written = (path for path in (root / "src" / "fastsio").glob("*.py") if WRITTEN in path.read_text(encoding="utf-8"))
    return sorted(path for path in written if path.stem not in FACADES)


def _import(source: str, names: tuple[str, ...]) -> str:
    return _listed(f"from fastsio.{source} import ", names, ("", ""), "()")


def _all(names: list[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return _listed("__all__ = ", quoted, "[]", "[]")


def _listed(begin: str, items: Sequence[str], short: Sequence[str], long: Sequence[str]) -> str:
    """Return a statement that ends with a list: on one line if it fits, else with an item a line."""
    line = f"{begin}{short[0]}{', '.join(items)}{short[1]}"
    if len(line) <= _MAX_WIDTH:
        return f"{line}\n"
    lines = "".join(f"    {item},\n" for item in items)
    return f"{begin}{long[0]}\n{lines}{long[1]}\n"


def main() -> int:
    """Write the modules and the list, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something would change")
    check = parser.parse_args().check
    old, left_over = stale(ROOT), surplus(ROOT)
    if not check:
        expected = texts(ROOT)
        for path in old:
            path.write_text(expected[path], encoding="utf-8")
        for path in left_over:
            path.unlink()
    for path in old:
        print(f"{'differs' if check else 'written'}: {path.relative_to(ROOT)}")
    for path in left_over:
        print(f"{'not in the table' if check else 'deleted'}: {path.relative_to(ROOT)}")
    return 1 if check and (old or left_over) else 0


if __name__ == "__main__":
    sys.exit(main())

"""
Everything public in python-socketio exists here: modules, classes, methods, parameters, defaults, attributes.

More keyword-only options and more attributes are allowed. Names that an application can reach but that describe how
python-socketio works inside, such as the dictionaries of its manager, are listed with the reason.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import signal
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.parity.packages import OURS

#: How python-socketio works inside; nothing known reads them.
MISSING: frozenset[Any] = frozenset(
    {
        ("ZmqManager", "zmq_listen"),  # how it reads its socket
        ("ZmqManager", "zmq_listen"),  # behind _listen()
        # Its two managers make coroutines of one of these and not of the other; nobody uses the base alone.
        ("BaseManager", "connect"), ("BaseManager", "pre_connect"),
        # In the classes that are used: their base has no engine and waits for nothing.
        ("BaseServer", "transport"), ("BaseServerNamespace", "rooms"),
        # A manager of one process writes no JSON.
        ("Manager", "json"), ("AsyncManager", "json"),
        # The dictionaries behind rooms, callbacks and states.
        *((f"{kind}Manager", name) for kind in ("", "Async", "PubSub", "AsyncPubSub")
          for name in ("callbacks", "eio_to_sid", "pending_connect", "pending_disconnect")),
    }
)  # fmt: skip
#: Classes that can be made without a network, and how.
INSTANCES: dict[str, dict[str, Any]] = {
    "async_client.AsyncClient": {},
    "async_manager.AsyncManager": {},
    "async_namespace.AsyncClientNamespace": {},
    "async_namespace.AsyncNamespace": {},
    "async_pubsub_manager.AsyncPubSubManager": {"write_only": True},
    "async_redis_manager.AsyncRedisManager": {"write_only": True},
    "async_server.AsyncServer": {"async_mode": "asgi"},
    "async_simple_client.AsyncSimpleClient": {},
    "client.Client": {"handle_sigint": False},
    "exceptions.ConnectionRefusedError": {},
    "manager.Manager": {},
    "namespace.ClientNamespace": {},
    "namespace.Namespace": {},
    "packet.Packet": {},
    "pubsub_manager.PubSubManager": {"write_only": True},
    "redis_manager.RedisManager": {"write_only": True},
    "server.Server": {"async_mode": "threading"},
    "simple_client.SimpleClient": {},
}
#: The page of the names that fastsio adds.
API = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
#: The modules of the classes that applications derive from, or whose objects they give attributes.
EXTENDED = tuple(
    {path.partition(".")[0] + "." for path in INSTANCES if not path.startswith(("exceptions", "packet"))}
    | {f"{name}_manager." for name in ("kombu", "kafka", "zmq", "async_aiopika")}
)
#: Each name is looked for among the options: "*" stands for those that are unknown.
BY_KEYWORD = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
SPECIAL = ("__init__", "__call__", "__enter__", "__exit__", "__aenter__", "__aexit__")
COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def public_names() -> dict[str, Any]:
    """Map ``module.name`` to each public class and function of python-socketio."""
    found = {}
    for module in pkgutil.iter_modules(socketio.__path__):
        members = vars(importlib.import_module(f"socketio.{module.name}"))
        for name, member in members.items():
            is_own = getattr(member, "__module__", None) == f"socketio.{module.name}"
            if is_own and not name.startswith("_") and (inspect.isclass(member) or inspect.isfunction(member)):
                found[f"{module.name}.{name}"] = member
    return found


THEIRS = public_names()
PRESENT = [path for path in THEIRS if path.rpartition(".")[2] not in MISSING]
CLASSES = [path for path in PRESENT if inspect.isclass(THEIRS[path])]


def ours(path: str) -> Any:
    """Give fastsio's ``module.name``."""
    module, _, name = path.partition(".")
    return getattr(importlib.import_module(f"{OURS}.{module}"), name)


def public_methods() -> list[tuple[str, str]]:
    """List the constructor and the public methods of python-socketio's classes."""
    return [
        (path, name)
        for path in CLASSES
        for name, member in inspect.getmembers(THEIRS[path])
        if (name in SPECIAL or not name.startswith("_")) and inspect.isroutine(member)
        if not is_slot(member) and (path.rpartition(".")[2], name) not in MISSING
    ]


def is_slot(member: Any) -> bool:
    """Whether Python itself brings the method, as the constructor of an exception."""
    return inspect.ismethoddescriptor(member) or inspect.isbuiltin(member)


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    """Give name, kind and default of each parameter; ``*args`` and ``**kwargs`` have no name that counts."""
    signature = inspect.signature(function)  # noqa: TID251 - signatures are what is tested here
    return [
        ("*" if parameter.kind in COLLECTING else name, parameter.kind, parameter.default)
        for name, parameter in signature.parameters.items()
    ]


def without_additions(
    mine: list[tuple[str, Any, Any]], theirs: list[tuple[str, Any, Any]]
) -> list[tuple[str, Any, Any]]:
    """Leave out what fastsio adds: options by keyword, and defaults where python-socketio demands an argument."""
    demanded = {name for name, _, default in theirs if default is inspect.Parameter.empty}
    known = {name for name, _, _ in theirs}
    return [
        (name, kind, inspect.Parameter.empty if name in demanded else default)
        for name, kind, default in mine
        if kind not in BY_KEYWORD or name in known
    ]


def test_what_is_missing_is_known_there():
    """The lists of exceptions name nothing that python-socketio has not got."""
    names = {path.rpartition(".")[2]: member for path, member in THEIRS.items()}
    instances = {path.rpartition(".")[2]: THEIRS[path](**options) for path, options in INSTANCES.items()}

    for entry in MISSING:
        owner, attribute = (entry, "__doc__") if isinstance(entry, str) else entry
        assert hasattr(instances.get(owner, names[owner]), attribute), entry


@pytest.mark.parametrize("name", socketio.__all__)
def test_package_has_the_name(name: str):
    """``from socketio import ...`` and ``import *`` give the classes that the modules have."""
    package = importlib.import_module(OURS)
    (path,) = (path for path in THEIRS if path.endswith(f".{name}"))

    assert name in package.__all__
    assert getattr(package, name) is ours(path)


@pytest.mark.parametrize("path", [path for path in PRESENT if not is_slot(THEIRS[path].__init__)])
def test_name_is_callable_alike(path: str):
    """Classes and functions take what they take there."""
    theirs = parameters(THEIRS[path])
    mine = parameters(ours(path))

    assert without_additions(mine, theirs) == theirs


@pytest.mark.parametrize(("path", "method"), public_methods())
def test_method_takes_the_same_parameters(path: str, method: str):
    """Names, order, kinds and defaults of the parameters are python-socketio's, and so is whether it is awaited."""
    there = getattr(THEIRS[path], method)
    here = getattr(ours(path), method)

    theirs = parameters(there)
    assert without_additions(parameters(here), theirs) == theirs
    assert inspect.iscoroutinefunction(here) == inspect.iscoroutinefunction(there)


@pytest.mark.parametrize("path", CLASSES)
def test_public_attributes_exist_on_the_class(path: str):
    """``MagicMock(spec=AsyncServer)`` knows every public name."""
    theirs = {name for name in dir(THEIRS[path]) if not name.startswith("_")}
    allowed = {
        name for owner, name in (entry for entry in MISSING if isinstance(entry, tuple)) if path.endswith(f".{owner}")
    }

    assert theirs - set(dir(ours(path))) <= allowed


@pytest.mark.parametrize("path", [path for path in INSTANCES if path in CLASSES])
def test_public_attributes_exist_on_instances(path: str):
    """What a constructor sets is there to be read."""
    theirs = {name for name in dir(THEIRS[path](**INSTANCES[path])) if not name.startswith("_")}
    allowed = {
        name for owner, name in (entry for entry in MISSING if isinstance(entry, tuple)) if path.endswith(f".{owner}")
    }

    assert theirs - set(dir(ours(path)(**INSTANCES[path]))) <= allowed


@pytest.mark.parametrize("path", [path for path in CLASSES if path != "middleware.Middleware"])
def test_classes_descend_alike(path: str):
    """``isinstance`` and ``except`` with a class of python-socketio mean the same here."""
    bases = {base.__name__ for base in THEIRS[path].__mro__ if base.__module__.startswith("socketio.")}

    assert bases <= {base.__name__ for base in ours(path).__mro__}


def test_packet_types_have_the_same_numbers():
    """The constants of ``socketio.packet`` are part of the interface."""
    theirs = vars(importlib.import_module("socketio.packet"))
    mine = vars(importlib.import_module(f"{OURS}.packet"))
    constants = [name for name in theirs if name.isupper()]

    assert len(constants) == 7
    assert [mine[name] for name in constants] == [theirs[name] for name in constants]
    assert list(mine["packet_names"]) == list(theirs["packet_names"])


@pytest.mark.parametrize("path", [path for path in CLASSES if hasattr(THEIRS[path], "reason")])
def test_disconnect_reasons_are_the_same(path: str):
    """``AsyncServer.reason`` and ``Client.reason`` have the same constants."""
    theirs = THEIRS[path].reason
    names = [name for name in dir(theirs) if name.isupper()]

    assert names
    assert [getattr(ours(path).reason, name) for name in names] == [getattr(theirs, name) for name in names]


@pytest.mark.parametrize("path", CLASSES)
def test_classes_descend_from_those_of_engineio(path: str):
    """``isinstance(app, engineio.ASGIApp)`` holds for the applications of both packages."""
    bases = {base for base in THEIRS[path].__mro__ if base.__module__.startswith("engineio.")}

    assert bases <= set(ours(path).__mro__)


@pytest.mark.parametrize("package", ["socketio", OURS])
def test_the_signal_handler_ends_the_attempts_to_reconnect(package: str, monkeypatch: pytest.MonkeyPatch):
    """Then it does what is done about the signal otherwise."""
    module = importlib.import_module(f"{package}.base_client")
    client = importlib.import_module(package).Client(handle_sigint=False)
    client._reconnect_abort = client.eio.create_event()
    # Where the package keeps what it calls last; None is what Python does.
    monkeypatch.setattr(importlib.import_module(module.signal_handler.__module__), "original_signal_handler", None)
    module.reconnecting_clients.append(client)
    try:
        with pytest.raises(KeyboardInterrupt):
            module.signal_handler(signal.SIGINT, None)
    finally:
        module.reconnecting_clients.remove(client)

    assert client._reconnect_abort.is_set()


def names_of(made: Any) -> set[str]:
    """Return the public names of a class or object."""
    return {name for name in dir(made) if not name.startswith("_")}


@pytest.mark.parametrize("path", [path for path in CLASSES if path.startswith(EXTENDED)])
def test_names_of_fastsio_alone_are_documented(path: str):
    """An application's subclass has attributes of its own, and can see which names it has to leave alone."""
    theirs, mine = names_of(THEIRS[path]), names_of(ours(path))
    if path in INSTANCES:
        theirs |= names_of(THEIRS[path](**INSTANCES[path]))
        mine |= names_of(ours(path)(**INSTANCES[path]))
    # Attributes of python-socketio's managers that it sets only once there is a server.
    known = names_of(socketio.AsyncManager()) | {"logger"} if path.endswith("Manager") else set()

    assert [name for name in sorted(mine - theirs - known) if f"`{name}`" not in API] == []

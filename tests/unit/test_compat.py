"""``fastsio.compat`` in processes of their own: this one has python-socketio imported for other tests."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import socketio

from tests.support.waiting import PROGRAM_S

ROOT = Path(__file__).parents[2]
INSTALL = "import fastsio.compat, json, sys; fastsio.compat.install()\n"
#: Packages that fastsio can do without until they are used.
OPTIONAL = {
    "aio_pika", "aiohttp", "aiokafka", "eventlet", "fastapi", "gevent", "kafka", "kombu", "msgpack", "nats", "orjson",
    "redis", "requests", "sanic", "starlette", "tornado", "valkey", "websocket", "zmq",
}  # fmt: skip
PROGRAM = "import socketio, sys; print(socketio.AsyncServer.__module__, __name__, sys.argv[1:])\n"


def hiding(packages: set[str]) -> str:
    """Return source code that hides packages, as if they were not installed."""
    return f"""
import sys
from importlib.abc import MetaPathFinder

class Hidden(MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        if fullname.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{fullname!r}}", name=fullname)

sys.meta_path.insert(0, Hidden())
"""


def run(*arguments: str, cwd: Path | None = None) -> str:
    """Run Python and return what it prints; its failure is the test's."""
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, timeout=PROGRAM_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def told_by(source: str) -> Any:
    """Run source code with fastsio in the place of socketio and return the JSON it prints."""
    return json.loads(run("-c", INSTALL + source))


def failure_of(source: str) -> str:
    """Run source code that must fail and return the last line it prints."""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=PROGRAM_S, check=False
    )
    assert done.returncode == 1
    return done.stderr.strip().splitlines()[-1]


def test_every_way_of_importing_gives_the_modules_of_fastsio():
    """A class has one identity whichever name it is reached by."""
    told = told_by("""
import socketio, socketio.async_server, socketio.packet as packet
from socketio import AsyncServer
from socketio.exceptions import TimeoutError
import fastsio
print(json.dumps([
    socketio is fastsio,
    socketio.async_server is fastsio.async_server,
    packet is fastsio.packet,
    AsyncServer is fastsio.AsyncServer is socketio.async_server.AsyncServer,
    TimeoutError is fastsio.exceptions.TimeoutError,
    socketio.__spec__.name,
]))""")

    assert told == [True, True, True, True, True, "fastsio"]


def test_every_module_of_python_socketio_can_be_imported():
    """None is missing."""
    modules = [f"socketio.{module.name}" for module in pkgutil.iter_modules(socketio.__path__)]

    told = told_by(f"""
import importlib
print(json.dumps([importlib.import_module(name).__name__ for name in {modules!r}]))""")

    assert told == [name.replace("socketio", "fastsio") for name in modules]


def test_no_optional_package_is_needed_to_import_the_names():
    """Nor loaded: programs that use none of them do not pay for them."""
    modules = [f"socketio.{module.name}" for module in pkgutil.iter_modules(socketio.__path__)]
    modules.remove("socketio.msgpack_packet")  # which is there for msgpack alone

    source = f"""
import importlib
from socketio import *
for name in {modules!r}:
    importlib.import_module(name)
print(sorted({OPTIONAL!r} & set(sys.modules)))"""

    assert run("-c", hiding(OPTIONAL | {"socketio"}) + INSTALL + source) == "[]\n"


def test_nothing_inside_may_import_these_modules():
    """The import contract names every one of them, and the package's own errors are no facade."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = (
        one
        for one in pyproject["tool"]["importlinter"]["contracts"]
        if "fastsio.compat" in one.get("forbidden_modules", ())
    )

    facades = {f"fastsio.{module.name}" for module in pkgutil.iter_modules(socketio.__path__)} - {"fastsio.exceptions"}

    assert set(contract["forbidden_modules"]) == facades | {"fastsio.compat"}


def test_modules_that_do_not_exist_are_reported_by_the_name_asked_for():
    """``try: import socketio.x`` and ``find_spec`` work as for any package."""
    told = told_by("""
from importlib.util import find_spec
try:
    import socketio.nothing
except ModuleNotFoundError as exc:
    print(json.dumps([exc.name, find_spec("socketio.nothing"), find_spec("socketio.packet").name]))""")

    assert told == ["socketio.nothing", None, "socketio.packet"]


def test_the_metadata_of_python_socketio_can_be_read():
    """Libraries that check the version find the one whose interface fastsio has, by any spelling of the name."""
    told = told_by("""
import importlib.metadata as metadata
print(json.dumps([
    metadata.version("python-socketio"),
    metadata.version("Python_SocketIO"),
    metadata.metadata("python-socketio")["Name"],
    metadata.requires("python-socketio"),
    metadata.files("python-socketio"),
    metadata.distribution("python-socketio").locate_file("fastsio/compat.py") == __import__("pathlib").Path(fastsio.compat.__file__),
    metadata.version("fastsio") == metadata.version("python-socketio"),
    sum(found.metadata["Name"] == "python-socketio" for found in metadata.distributions()) <= 1,
]))""")

    assert told == ["5.18.1", "5.18.1", "python-socketio", None, None, True, False, True]


def test_python_socketio_need_not_be_installed():
    """The same holds where only fastsio is."""
    out = run(
        "-c", f"{hiding({'socketio'})}{INSTALL}import socketio.async_server; print(socketio.async_server.__name__)"
    )

    assert out == "fastsio.async_server\n"


def test_installing_twice_is_installing_once():
    """Several libraries of one program may ask for it, before and after socketio is imported."""
    told = told_by("""
fastsio.compat.install()
import socketio
fastsio.compat.install()
print(json.dumps(sum(type(finder).__module__ == "fastsio.compat" for finder in sys.meta_path)))""")

    assert told == 1


def test_installing_too_late_is_refused():
    """Half a program on each package would fail in ways nobody understands; the error says what to do."""
    said = failure_of("import socketio, fastsio.compat; fastsio.compat.install()")

    assert said.startswith("fastsio.exceptions.SetupError: python-socketio has been imported already, from ")
    assert "call fastsio.compat.install() before the first import of socketio" in said


def test_objects_can_be_pickled_and_inspected():
    """What was pickled under the name of python-socketio is read as fastsio's, and sources are found."""
    told = told_by("""
import inspect, pickle, socketio.exceptions
error = pickle.loads(b"csocketio.exceptions\\nConnectionRefusedError\\n(S'no'\\ntR.")
again = pickle.loads(pickle.dumps(error))
print(json.dumps([
    type(again) is socketio.exceptions.ConnectionRefusedError,
    again.error_args,
    inspect.getmodule(socketio.AsyncServer).__name__,
    inspect.getsource(socketio.AsyncServer).startswith("class AsyncServer("),
]))""")

    assert told == [True, {"message": "no"}, "fastsio.aio.server", True]


def test_a_program_runs_unedited(tmp_path: Path):
    """``python -m fastsio.compat program.py`` and ``-m module`` run it as Python does, arguments included."""
    (tmp_path / "neighbour.py").write_text(PROGRAM)
    (tmp_path / "program.py").write_text(
        "import fastsio.compat; fastsio.compat.install(); import neighbour\n" + PROGRAM
    )

    of_file = run("-m", "fastsio.compat", str(tmp_path / "program.py"), "-m", "1").splitlines()
    of_module = run("-m", "fastsio.compat", "-m", "neighbour", "2", cwd=tmp_path).splitlines()

    assert of_file == [
        "fastsio.aio.server neighbour ['-m', '1']",
        "fastsio.aio.server __main__ ['-m', '1']",
    ]
    assert of_module == ["fastsio.aio.server __main__ ['2']"]


def test_running_nothing_is_explained():
    """The usage is one line."""
    for arguments in ([], ["-m"]):
        done = subprocess.run(
            [sys.executable, "-m", "fastsio.compat", *arguments],
            capture_output=True,
            text=True,
            timeout=PROGRAM_S,
            check=False,
        )

        assert done.returncode == 1
        assert done.stderr == "usage: python -m fastsio.compat [-m module | program.py] [argument ...]\n"

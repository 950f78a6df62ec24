"""
Let programs written for python-socketio run on fastsio unchanged, whether or not python-socketio is installed.

After :func:`install`, an import of ``socketio``, or of ``socketio.x`` for a module ``fastsio.x``, returns fastsio's own
module. For programs that cannot be edited there is ``python -m fastsio.compat program.py`` or ``-m module``. No other
module of fastsio may import this one.
"""

from __future__ import annotations

import runpy
import sys
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike
    from types import ModuleType

#: The version of python-socketio whose interface fastsio has; ``importlib.metadata`` reports it once installed.
PYTHON_SOCKETIO_VERSION: Final = "5.18.1"

_THEIRS: Final = "socketio"
_OURS: Final = "fastsio"
_DISTRIBUTION: Final = "python-socketio"
_USAGE: Final = "usage: python -m fastsio.compat [-m module | program.py] [argument ...]"


def install() -> None:
    """
    Make ``import socketio`` import fastsio in this process; a second call does nothing.

    Call it before anything imports ``socketio``: at the top of the program, or in the module that the server loads
    first. Processes that the program starts need a call of their own.

    Raises:
        SetupError: python-socketio has been imported already: the program would use classes of both.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    original = sys.modules.get(_THEIRS)
    if original is not None and original is not sys.modules[_OURS]:
        raise SetupError(
            f"python-socketio has been imported already, from {original.__file__}; "
            "call fastsio.compat.install() before the first import of socketio or of a library that uses it"
        )
    sys.meta_path.insert(0, _Finder())


class _Finder(DistributionFinder):
    """Finds fastsio's modules for ``socketio`` and its modules, and a distribution named python-socketio."""

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002 - importlib's interface
        package, dot, rest = fullname.partition(".")
        if package != _THEIRS:
            return None
        ours = find_spec(f"{_OURS}{dot}{rest}")
        if ours is None:
            return None
        return ModuleSpec(fullname, _Loader(ours.name), origin=ours.origin)

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        asked = "" if context is None else (context.name or "")
        return [_Distribution()] if asked.lower().replace("_", "-") == _DISTRIBUTION else []


class _Loader(Loader):
    """Loads a module of fastsio under a second name: the same object, so that its classes exist once."""

    def __init__(self, ours: str) -> None:
        self._ours = ours

    def exec_module(self, module: ModuleType) -> None:
        # importlib returns the module that is in sys.modules afterwards.
        sys.modules[module.__name__] = import_module(self._ours)


class _Distribution(Distribution):
    """The metadata of python-socketio for ``importlib.metadata``."""

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        return f"Metadata-Version: 2.1\nName: {_DISTRIBUTION}\nVersion: {PYTHON_SOCKETIO_VERSION}\n"

    def locate_file(self, path: str | PathLike[str]) -> Path:
        return Path(__file__).parents[1] / path


def main() -> None:
    """Run a program, given as a file or as ``-m module``, after :func:`install`."""
    arguments = sys.argv[1:]
    is_module = arguments[:1] == ["-m"]
    if len(arguments) <= is_module:
        raise SystemExit(_USAGE)
    install()
    sys.argv = arguments[is_module:]
    if is_module:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    # Imported by its name, so that a call of install() in the program uses this module and not __main__.
    import_module("fastsio.compat").main()

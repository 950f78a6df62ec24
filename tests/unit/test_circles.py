"""The tool that finds circles of imports, and that there are no more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tools.circles import ROOT, circles, imports_of

if TYPE_CHECKING:
    from pathlib import Path

#: How many circles there may be, and how many modules the largest may have. When there are fewer, lower the number.
MOST_CIRCLES = 5
MOST_MODULES = 3


def test_there_are_no_more_circles_of_imports():
    """Modules that import each other, for type checking too, become fewer; ``tools/circles.py`` prints them."""
    found = circles(imports_of(ROOT))

    assert len(found) <= MOST_CIRCLES, found
    assert all(len(circle) <= MOST_MODULES for circle in found), found


def test_the_pure_floors_have_no_circles():
    """In the modules that do no I/O every import leads away from what imports."""
    pure = tuple(f"fastsio.{floor}" for floor in ("protocol", "injection", "routing", "cluster", "state", "engine"))

    assert not [circle for circle in circles(imports_of(ROOT)) if circle[0].startswith(pure)]


@pytest.mark.parametrize(
    "second",
    [
        "from sample.first import A\n",
        "import sample.first\n",
        "from sample import first\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sample.first import A\n",
        "def late():\n    from sample.first import A\n",
    ],
)
def test_two_modules_that_import_each_other_are_a_circle(tmp_path, second):
    """It does not matter how an import is written, where it stands and whether it runs."""
    package = _package(tmp_path, first="from sample.second import B\nclass A: ...\n", second=second)

    assert circles(imports_of(package)) == [["sample.first", "sample.second"]]


def test_a_name_that_a_package_passes_on_is_imported_from_where_it_is_defined(tmp_path):
    """A module of a package may import from another one by way of the package."""
    package = _package(tmp_path, __init__="from sample.first import A\n", first="class A: ...\n", second="")
    (package / "second.py").write_text("from sample import A\n")

    assert imports_of(package) == {"sample": {"sample.first"}, "sample.first": set(), "sample.second": {"sample.first"}}


def test_the_largest_circle_comes_first(tmp_path):
    """Modules that are in no circle are in no list."""
    package = _package(
        tmp_path,
        a="from sample.b import X\n",
        b="from sample.a import X\n",
        c="from sample.d import X\n",
        d="from sample.e import X\n",
        e="from sample.c import X\nfrom sample.a import Y\n",
        alone="import os\nfrom . import a\nfrom sample.a import X\n",
    )

    assert circles(imports_of(package)) == [["sample.c", "sample.d", "sample.e"], ["sample.a", "sample.b"]]


def _package(root: Path, **modules: str) -> Path:
    package = root / "sample"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text)
    return package

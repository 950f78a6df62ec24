"""The public names: complete, sorted, documented."""

from __future__ import annotations

from pathlib import Path

import pytest

import fastsio

ROOT = Path(__file__).parents[2]


def test_all_is_sorted_and_complete() -> None:
    """``__all__`` lists what the package defines or takes from its modules, and nothing else."""
    public = {
        name
        for name, value in vars(fastsio).items()
        if not name.startswith("_") and name != "annotations" and type(value).__name__ != "module"
    }
    # What the module itself needs, and what is imported when it is first used.
    public = (public - {"TYPE_CHECKING", "Any", "Final", "import_module"}) | fastsio._LATER.keys()

    assert fastsio.__all__ == sorted(fastsio.__all__)
    assert set(fastsio.__all__) == public


@pytest.mark.parametrize("name", fastsio.__all__)
def test_public_names_are_documented(name: str) -> None:
    """Each public name stands in the reference."""
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))

    assert f"`{name}" in pages


def test_py_typed_is_shipped() -> None:
    """The marker of PEP 561 is in the package."""
    assert (Path(fastsio.__file__).parent / "py.typed").read_text(encoding="utf-8") == ""

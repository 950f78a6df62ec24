"""The sentences of docstrings, comments and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tools.prose import PAGES, ROOT, SOURCE, findings, page_findings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""Take note that it is gone."""\n', [(1, "take note")]),
        (
            'def f():\n    """\n    Return it.\n\n    It is as\n    ever, whoever asks.\n    """\n',
            [(5, "as ever"), (6, "whoever")],
        ),
        ("x = 1  # nobody is there\n", [(1, "nobody is")]),
        ("#: What it was, or is\n#: none.\nx = 1\n", [(1, "is none")]),
        ("# it is\n\n# none of them\n", []),
        ('"""When the value is None."""\n', []),
        ('x = "whoever"\n', []),
    ],
)
def test_phrases_are_found_in_docstrings_and_comments(source, expected):
    """Also across the lines of one text; ``None`` may be named, and other texts are not read."""
    assert findings(source) == expected


@pytest.mark.parametrize("module", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_the_package_is_written_in_plain_words(module: Path):
    """No sentence of the package has one of the phrases that tools/prose.py names."""
    assert findings(module.read_text(encoding="utf-8")) == []


def test_phrases_are_found_in_pages_outside_of_code():
    """Lines are counted across blocks of code."""
    page = "It is `none`.\n\n```python\nwhoever = 1\n```\n\nThere is\nnone, as ever.\n"

    assert page_findings(page) == [(7, "is none"), (8, "as ever")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_documentation_is_written_in_plain_words(page: Path):
    """No sentence of README and documentation has one of the phrases that tools/prose.py names."""
    assert page_findings(page.read_text(encoding="utf-8")) == []

"""The files that the guide shows for Django, in a project with a database: the user of Django's session connects."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import marked

GUIDE = Path(__file__).parents[3] / "docs" / "howto" / "frameworks.md"
PROGRAM = Path(__file__).with_name("django_program.py")


@pytest.mark.timeout(120)
def test_who_is_signed_in_connects_and_others_are_refused(tmp_path):
    """In a process of its own: Django has one project in each."""
    for snippet in marked(GUIDE, "file"):
        path = tmp_path / snippet.reason
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(snippet.code, encoding="utf-8")

    run = subprocess.run([sys.executable, PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == ["ann", "Sign in first."]

"""The files of the guides to deployment: the programs and schemas that they are for accept them as they are."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.balancers import DEPLOY, packaged
from tests.support.brokers import program

ROOT = Path(__file__).parents[3]
CONTAINER = DEPLOY / "container"


def said(*command: str | Path) -> tuple[int, str]:
    """Run a program and return its exit code and output."""
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return run.returncode, run.stdout


def test_the_linter_accepts_the_dockerfile():
    """hadolint finds nothing."""
    assert said(packaged("hadolint"), CONTAINER / "Dockerfile") == (0, "")


@pytest.mark.parametrize(
    ("file", "schema"),
    [(CONTAINER / "compose.yaml", "compose-spec"), (ROOT / ".readthedocs.yaml", "readthedocs")],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_the_schema_accepts_the_file(file, schema):
    """Compose's own, and that of the host of the documentation."""
    code, output = said(packaged("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", file)

    assert code == 0, output


def test_kubernetes_accepts_the_manifests():
    """By its schemas, with no property that they do not have."""
    code, output = said(packaged("kubernetes-validate"), "--strict", DEPLOY / "kubernetes.yaml")

    assert code == 0, output
    assert output.count("passed") == 3


def test_systemd_accepts_the_unit(tmp_path):
    """With a program and a user that there are."""
    text = (CONTAINER / "chat.service").read_text(encoding="utf-8")
    for before, after in {
        "ExecStart=/srv/chat/venv/bin/fastsio ": f"ExecStart={shutil.which('env')} ",
        "User=chat": "User=root",
    }.items():
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "chat.service").write_text(text, encoding="utf-8")
    systemd = program("systemd-analyze", "apt-get install systemd")

    # It warns of what it does not know, and says nothing else.
    assert said(systemd, "verify", tmp_path / "chat.service") == (0, "")


def test_caddy_accepts_its_file():
    """Also the search for containers, which tests cannot run."""
    code, output = said(packaged("caddy"), "validate", "--config", CONTAINER / "Caddyfile", "--adapter", "caddyfile")

    assert code == 0, output
    assert "not formatted" not in output

#!/usr/bin/env bash
# Create .venv with a suitable Python and install the checkout with one extra; does nothing when that was done before.
# Usage: tools/setup_venv.sh EXTRA      (demo, test, dev, docs; PYTHON=... picks the interpreter)
set -euo pipefail

cd "$(dirname "$0")/.."
extra="$1"
venv="${VENV:-.venv}"

suits() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

pick_python() {
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" && { echo "$PYTHON"; return; }
        echo "PYTHON=$PYTHON is not a Python 3.11 or newer with the venv module." >&2
        exit 1
    fi
    for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do
        suits "$candidate" && { echo "$candidate"; return; }
    done
    echo "No Python 3.11 or newer with the venv module was found: install one, or name it with PYTHON=/path/to/python." >&2
    exit 1
}

if ! suits "$venv/bin/python"; then
    python="$(pick_python)"
    echo "Creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

# What is installed depends on the metadata, the extra and where the checkout is (the install is editable).
stamp="$venv/.installed-$extra"
wanted="$(pwd) $(cksum <pyproject.toml)"
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    echo "Installing fastsio[$extra] into $venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[$extra]"
    echo "$wanted" >"$stamp"
fi

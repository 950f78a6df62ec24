#!/usr/bin/env bash
# Print the Pythons of this machine that the package supports, the oldest first, one path a line.
set -euo pipefail

for minor in 11 12 13 14; do
    # Where pyenv manages the Pythons, the commands are on the path but run only if their version is named.
    for environment in "" "PYENV_VERSION=3.$minor"; do
        path="$(env $environment "python3.$minor" -c 'import sys, venv, ensurepip; print(sys.executable)' 2>/dev/null)" || continue
        echo "$path"
        break
    done
done

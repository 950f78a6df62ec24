#!/usr/bin/env bash
# Install the npm packages of one folder; does nothing when its package.json was installed before.
# Usage: tools/setup_npm.sh FOLDER
set -euo pipefail

cd "$(dirname "$0")/../$1"
if ! command -v npm >/dev/null 2>&1; then
    echo "npm is missing: install Node.js 20.19 or newer, which brings it, to fetch the JavaScript packages of $1." >&2
    exit 1
fi

stamp="node_modules/.installed"
wanted="$(cat package.json package-lock.json .npmrc | cksum)"
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    echo "Installing the npm packages of $1"
    npm ci --loglevel=error
    echo "$wanted" >"$stamp"
fi
